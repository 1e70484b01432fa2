/**
 * A reply as callers see it, made from what the kernel hands over: all of its bytes, or a stream of them.
 *
 * Rules: of a reply in one piece only the status is read at once. Interim heads are skipped, and shown to
 * `onInformation` where somebody asked. The bytes that are shown lie in shared memory: everything kept is a copy.
 */
import type { ReplyBytes, ReplyStream } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { unchunk } from '../codec/chunked.ts'
import { HttpFields, NO_FIELDS } from '../codec/fields.ts'
import { bodyIn, fieldsIn, headEnd, isChunked, isInterim, reasonIn, statusAt } from '../codec/reply.ts'
import { BytesBody, type HttpBody, StreamedBody, TextBody } from './body.ts'
import { ReplyReader } from './reply-reader.ts'

/** Called for each 1xx head before the final one. */
export type OnInformation = (information: { readonly status: number; readonly headers: HttpFields }) => void

/** What of a request matters to its reply. */
export interface ReplyRequest {
  /** HEAD: the reply speaks of a body that it does not have. */
  readonly isHead: boolean
  readonly onInformation: OnInformation | undefined
  readonly bodyBytesMax: number
}

export interface HttpResponse {
  readonly status: number
  /** The reason phrase; often empty. */
  readonly statusText: string
  readonly headers: HttpFields
  /** What came behind a chunked body; empty until the body has been read. */
  readonly trailers: HttpFields
  readonly body: HttpBody
}

/**
 * Up to here a reply is copied as one text, head and body. Beyond, a body is more likely to be wanted as bytes, and a
 * copy of it as text would be for nothing. Not measured.
 */
const TEXT_BYTES_MAX = 4096

export function wholeResponse({ bytes, start, end }: ReplyBytes, request: ReplyRequest): HttpResponse {
  let at = start
  let status = statusAt(bytes, at)
  while (isInterim(status)) {
    const next = headEnd(bytes, at, end)
    if (next < 0) throw new RemoteProtocolError('a reply ends with an interim head')
    if (request.onInformation !== undefined) tell(request.onInformation, status, bytes.toString('latin1', at, next))
    at = next
    status = statusAt(bytes, at)
  }
  if (end - at <= TEXT_BYTES_MAX) return new WholeResponse(status, bytes.toString('latin1', at, end), undefined)
  const bodyAt = headEnd(bytes, at, end)
  return new WholeResponse(status, bytes.toString('latin1', at, bodyAt), Buffer.from(bytes.subarray(bodyAt, end)))
}

/** Resolves with the final head; the body goes on as a stream, unless all of it is here. */
export function streamedResponse(stream: ReplyStream, request: ReplyRequest): Promise<HttpResponse> {
  return readResponse(new ReplyReader(stream), request)
}

/** The same from a reader. `onInterim` is told of each interim head. */
export async function readResponse(
  reader: ReplyReader,
  request: ReplyRequest,
  onInterim?: (status: number) => void,
): Promise<HttpResponse> {
  try {
    for (;;) {
      const { status, head } = await reader.head()
      if (!isInterim(status)) return await bodyBehind(reader, status, head, request)
      onInterim?.(status)
      if (request.onInformation !== undefined) tell(request.onInformation, status, head)
    }
  } catch (error) {
    await reader.close()
    throw error
  }
}

async function bodyBehind(
  reader: ReplyReader,
  status: number,
  head: string,
  { isHead, bodyBytesMax }: ReplyRequest,
): Promise<HttpResponse> {
  const headers = headFields(head)
  const hasBody = !isHead && status !== 204 && status !== 304
  const codings = hasBody ? headers.getAll('transfer-encoding') : []
  if (codings.length > 0 && isChunked(codings)) reader.unchunk()
  const declared = hasBody ? (codings.length === 0 ? headers.get('content-length') : undefined) : '0'
  const whole = await reader.whole(declared === undefined ? undefined : Number(declared))
  const body = whole === undefined ? new StreamedBody(reader, bodyBytesMax) : new BytesBody(whole)
  return new StreamedResponse(status, head, headers, body, reader)
}

/** The fields of a head that is all of `head`. */
export function headFields(head: string): HttpFields {
  return new HttpFields(head, fieldsIn(head), head.length - 2)
}

function tell(onInformation: OnInformation, status: number, head: string): void {
  onInformation({ status, headers: headFields(head) })
}

class WholeResponse implements HttpResponse {
  readonly status: number
  /** The head, and the body behind it unless that has bytes of its own. */
  readonly #text: string
  readonly #bytes: Buffer | undefined
  #headers: HttpFields | undefined
  #trailers: HttpFields | undefined
  #body: HttpBody | undefined

  constructor(status: number, text: string, bytes: Buffer | undefined) {
    this.status = status
    this.#text = text
    this.#bytes = bytes
  }

  get statusText(): string {
    return reasonIn(this.#text)
  }

  get headers(): HttpFields {
    if (this.#headers === undefined) {
      const from = fieldsIn(this.#text)
      const bodyAt = bodyIn(this.#text)
      this.#headers = new HttpFields(this.#text, from, (bodyAt < 0 ? ~bodyAt : bodyAt) - 2)
    }
    return this.#headers
  }

  get trailers(): HttpFields {
    if (this.#trailers === undefined) this.#open()
    return this.#trailers as HttpFields
  }

  get body(): HttpBody {
    if (this.#body === undefined) this.#open()
    return this.#body as HttpBody
  }

  #open(): void {
    const bodyAt = bodyIn(this.#text)
    this.#trailers = NO_FIELDS
    if (bodyAt >= 0) {
      this.#body = this.#bytes === undefined ? new TextBody(this.#text, bodyAt) : new BytesBody(this.#bytes)
      return
    }
    const bytes = this.#bytes ?? Buffer.from(this.#text.slice(~bodyAt), 'latin1')
    // A reply to HEAD and a 304 name the coding of a body that they do not have.
    if (bytes.length === 0 || !isChunked(this.headers.getAll('transfer-encoding'))) {
      this.#body = new BytesBody(bytes)
      return
    }
    const { body, trailers } = unchunk(bytes)
    this.#body = new BytesBody(body)
    this.#trailers = trailers
  }
}

class StreamedResponse implements HttpResponse {
  readonly status: number
  readonly headers: HttpFields
  readonly body: HttpBody
  readonly #head: string
  readonly #reader: ReplyReader

  constructor(status: number, head: string, headers: HttpFields, body: HttpBody, reader: ReplyReader) {
    this.status = status
    this.headers = headers
    this.body = body
    this.#head = head
    this.#reader = reader
  }

  get statusText(): string {
    return reasonIn(this.#head)
  }

  get trailers(): HttpFields {
    return this.#reader.trailers
  }
}

/**
 * Writes requests: the line, the fields, a body that is known, the pieces of one that is not.
 *
 *   GET /path HTTP/1.1 CRLF   host: … CRLF name: value CRLF …   [content-length: n CRLF]   CRLF   [body]
 *   method    template: everything up to here that does not change from call to call
 *
 * Rules:
 * 1. Nothing that is not one visible ASCII character reaches the request line: what callers put together from input
 *    cannot end the line, the head or the request.
 * 2. Where the body ends is said by this file alone: one `content-length`, or `transfer-encoding: chunked`.
 * 3. What is wrong throws before the request is published; no message holds what was given.
 */
import type { ByteWriter } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import type { HeadTemplate } from './template.ts'

/** The parts of a request line and head that are ready to be written. */
export interface RequestHead {
  /** `GET `, with the origin behind it where a proxy is asked. */
  readonly start: string
  readonly path: string
  readonly template: HeadTemplate
}

/** A request without a body; `saysNone` for methods whose body a server would expect. */
export function writeBodiless(out: ByteWriter, head: RequestHead, saysNone: boolean): void {
  const { bodyBytes } = head.template
  if (bodyBytes !== undefined) checkLength(head.template, 0)
  writeHead(out, head)
  if (saysNone || bodyBytes !== undefined) out.copy(LENGTH_ZERO)
  out.copy(LINE_END)
}

export function writeWithText(out: ByteWriter, head: RequestHead, body: string): void {
  const byteLength = Buffer.byteLength(body)
  checkLength(head.template, byteLength)
  writeHead(out, head)
  writeLength(out, byteLength)
  out.utf8(body, byteLength)
}

export function writeWithBytes(out: ByteWriter, head: RequestHead, body: Uint8Array): void {
  checkLength(head.template, body.length)
  writeHead(out, head)
  writeLength(out, body.length)
  out.copy(body)
}

/** The head of a request whose body follows: of `bodyBytes`, or in chunks where that is not known. */
export function writeUploadHead(out: ByteWriter, head: RequestHead, bodyBytes: number | undefined): void {
  writeHead(out, head)
  if (bodyBytes !== undefined) return writeLength(out, bodyBytes)
  out.ascii('transfer-encoding: chunked\r\n')
  out.copy(LINE_END)
}

/** At least one byte: a chunk of none is the last. */
export function writeChunk(out: ByteWriter, data: Uint8Array): void {
  out.ascii(data.length.toString(16))
  out.copy(LINE_END)
  out.copy(data)
  out.copy(LINE_END)
}

/** The last chunk, with the trailers behind it, each line with its end. */
export function writeLastChunk(out: ByteWriter, trailers: string): void {
  out.ascii('0\r\n')
  out.ascii(trailers)
  out.copy(LINE_END)
}

/** What a caller says of the length must be so: a peer would take what follows for another request. */
export function checkLength({ bodyBytes }: HeadTemplate, byteLength: number): void {
  if (bodyBytes === undefined || bodyBytes === byteLength) return
  throw new LocalError('ARGUMENT', 'the header content-length is not the length of the body: leave it off')
}

function writeHead(out: ByteWriter, { start, path, template }: RequestHead): void {
  out.ascii(start)
  writePath(out, path)
  out.copy(template.bytes)
}

/** Judges while it writes: every character is looked at once. */
function writePath(out: ByteWriter, path: string): void {
  const length = path.length
  out.ensure(length)
  const bytes = out.bytes
  let at = out.position
  for (let index = 0; index < length; index++) {
    const code = path.charCodeAt(index)
    if (code <= SPACE || code >= DELETE || code === HASH) throw wrongPath(code)
    bytes[at++] = code
  }
  out.position = at
}

function writeLength(out: ByteWriter, bytes: number): void {
  out.copy(LENGTH)
  out.ascii(String(bytes))
  out.copy(HEAD_END)
}

function wrongPath(code: number): LocalError {
  const what =
    code === HASH
      ? 'holds a fragment, which is not sent: leave it off, or write # as %23'
      : code > DELETE
        ? 'holds a character beyond ASCII: percent-encode it, as encodeURI() does'
        : 'holds a space or a control character: percent-encode it, as encodeURIComponent() does'
  return new LocalError('ARGUMENT', `the path of a request ${what}`)
}

const SPACE = 0x20
const HASH = 0x23
const DELETE = 0x7f
const LINE_END = Buffer.from('\r\n')
const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = Buffer.from('content-length: ')
const LENGTH_ZERO = Buffer.from('content-length: 0\r\n')

/**
 * The body of a reply: whole when it came in one piece with its head, otherwise a stream.
 *
 * Rules:
 * 1. `bytes()`, `text()` and `json()` work either way, and as often as one likes; a stream is gathered by the first of
 *    them, within `bodyBytesMax`.
 * 2. A stream is read once: by one loop, or gathered. The reader's pace is the peer's.
 * 3. What is neither read nor closed keeps its connection, until `readerTimeoutMs` is over or the object is collected.
 *
 * Theory of operation: a small reply is one latin1 text, head and body. ASCII is the same in latin1 and UTF-8, so the
 * text of most bodies is a slice of it, and no buffer is made at all.
 */
import { LocalError, RemoteError } from '@iokernel/core/plugin'
import type { HttpFields } from '../codec/fields.ts'

export interface HttpBody extends AsyncIterable<Buffer> {
  /** It is all here: nothing below waits. */
  readonly isWhole: boolean
  bytes(): Promise<Buffer>
  /** As UTF-8, whatever its head says; a byte order mark is dropped. */
  text(): Promise<string>
  json<Value = unknown>(): Promise<Value>
  /** Gives up what has not been read: the connection is closed, unless nothing was left. Idempotent. */
  close(): Promise<void>
}

/** In a latin1 text from `start` on. */
export class TextBody implements HttpBody {
  readonly #latin1: string
  readonly #start: number

  constructor(latin1: string, start: number) {
    this.#latin1 = latin1
    this.#start = start
  }

  get isWhole(): boolean {
    return true
  }

  bytes(): Promise<Buffer> {
    return Promise.resolve(this.#bytes())
  }

  text(): Promise<string> {
    return Promise.resolve(this.#text())
  }

  json<Value>(): Promise<Value> {
    return parsed(this.#text()) as Promise<Value>
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    if (this.#start < this.#latin1.length) yield this.#bytes()
  }

  #text(): string {
    const text = this.#latin1.slice(this.#start)
    return BEYOND_ASCII.test(text) ? textOf(this.#bytes()) : text
  }

  #bytes(): Buffer {
    return Buffer.from(this.#latin1.slice(this.#start), 'latin1')
  }
}

/** In bytes of its own. */
export class BytesBody implements HttpBody {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isWhole(): boolean {
    return true
  }

  bytes(): Promise<Buffer> {
    return Promise.resolve(this.#bytes)
  }

  text(): Promise<string> {
    return Promise.resolve(textOf(this.#bytes))
  }

  json<Value>(): Promise<Value> {
    return parsed(textOf(this.#bytes)) as Promise<Value>
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    if (this.#bytes.length > 0) yield this.#bytes
  }
}

/** What a stream's body is made of: its data, the framing taken off. */
export interface BodySource {
  /** More data, at least one byte of it; `undefined` at the end. */
  next(): Promise<Buffer | undefined>
  close(): Promise<void>
  /** Once `next` has given `undefined`. */
  readonly trailers: HttpFields
}

/** Closes what nobody can read any more. */
const forgotten = new FinalizationRegistry<BodySource>((source) => {
  source.close().catch(() => undefined)
})

export class StreamedBody implements HttpBody {
  readonly #source: BodySource
  readonly #bytesMax: number
  #gathered: Promise<Buffer> | undefined
  #isTaken = false

  constructor(source: BodySource, bytesMax: number) {
    this.#source = source
    this.#bytesMax = bytesMax
    forgotten.register(this, source, this)
  }

  get isWhole(): boolean {
    return false
  }

  bytes(): Promise<Buffer> {
    this.#gathered ??= this.#gather()
    return this.#gathered
  }

  async text(): Promise<string> {
    return textOf(await this.bytes())
  }

  async json<Value>(): Promise<Value> {
    return (await parsed(textOf(await this.bytes()))) as Value
  }

  async close(): Promise<void> {
    this.#isTaken = true
    forgotten.unregister(this)
    await this.#source.close()
  }

  /** Leaving the loop early gives the rest up. */
  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    this.#take()
    try {
      for (let data = await this.#source.next(); data !== undefined; data = await this.#source.next()) yield data
    } finally {
      await this.close()
    }
  }

  #take(): void {
    if (this.#isTaken) throw new LocalError('BODY_USED', 'a body that is a stream is read once: gather it with bytes()')
    this.#isTaken = true
  }

  async #gather(): Promise<Buffer> {
    const pieces: Buffer[] = []
    let bytes = 0
    for await (const piece of this) {
      bytes += piece.length
      if (bytes > this.#bytesMax) throw tooLarge(this.#bytesMax)
      pieces.push(piece)
    }
    return Buffer.concat(pieces, bytes)
  }
}

function textOf(bytes: Buffer): string {
  const hasMark = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return bytes.toString('utf8', hasMark ? 3 : 0)
}

function parsed(text: string): Promise<unknown> {
  try {
    return Promise.resolve(JSON.parse(text))
  } catch {
    // The platform's own message quotes the text.
    return Promise.reject(new RemoteError('BODY_JSON', 'the body of the reply is not JSON: read it with text()'))
  }
}

function tooLarge(bytesMax: number): LocalError {
  return new LocalError(
    'BODY_TOO_LARGE',
    `the body is larger than bodyBytesMax (${bytesMax} bytes): read it as a stream, or raise the limit`,
    { sent: 'maybe' },
  )
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const BEYOND_ASCII = /[^\x00-\x7f]/

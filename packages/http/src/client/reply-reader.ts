/**
 * Reads a reply from a stream of pieces that are cut anywhere: heads first, then the data of the body.
 *
 * Rules:
 * 1. Where the body ends is the framer's business: here the stream ends. Pieces are the reader's own and are passed on
 *    without a copy.
 * 2. What goes wrong elsewhere (the source of an upload) ends the reply by `fail`, and is what its reader is told.
 * 3. However it ends, what `onClosed` was given is done once: a session goes back.
 *
 * Limits: `HEAD_BYTES_MAX` of one head, which is what the framer may let pass at the most.
 */
import type { ReplyPiece, ReplyStream } from '@iokernel/core/plugin'
import { AbortedError, DeadlineError, RemoteProtocolError } from '@iokernel/core/plugin'
import { ChunkedDecoder } from '../codec/chunked.ts'
import { type HttpFields, NO_FIELDS } from '../codec/fields.ts'
import { headEnd, statusAt } from '../codec/reply.ts'
import type { BodySource } from './body.ts'

const HEAD_BYTES_MAX = 1 << 20

export interface Head {
  readonly status: number
  /** All of it as latin1, from the status line to the empty line. */
  readonly head: string
}

export class ReplyReader implements BodySource {
  readonly #stream: ReplyStream
  readonly #pieces: AsyncIterator<ReplyPiece>
  /** What has come and was not asked for. */
  #rest: Buffer = EMPTY
  #chunked: ChunkedDecoder | undefined
  #data: Buffer[] = []
  #failure: { readonly error: unknown } | undefined
  #onClosed: (() => Promise<void>) | undefined
  /** How long the peer may keep us waiting; 0: as long as the kernel lets it. */
  #waitMs = 0
  #isWaiting = false
  #isEnded = false
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  constructor(stream: ReplyStream) {
    this.#stream = stream
    this.#pieces = stream[Symbol.asyncIterator]()
  }

  get trailers(): HttpFields {
    return this.#chunked?.trailers ?? NO_FIELDS
  }

  /** What is to be done once the reply has ended or was given up. */
  onClosed(action: () => Promise<void>): void {
    this.#onClosed = action
  }

  /** From here on the peer may keep us waiting so long. */
  limitWaits(waitMs: number): void {
    this.#waitMs = waitMs
    if (this.#isWaiting) this.#arm()
  }

  /** From here on data comes in chunks. */
  unchunk(): void {
    this.#chunked = new ChunkedDecoder()
  }

  /** Ends the reply with `error`, unless it has ended. */
  fail(error: unknown): void {
    if (this.#isEnded) return
    this.#failure ??= { error }
    this.close().catch(() => undefined)
  }

  /** The next head, interim or final. */
  async head(): Promise<Head> {
    for (;;) {
      const bytes = this.#rest
      const end = headEnd(bytes, 0, bytes.length)
      if (end >= 0) {
        this.#rest = bytes.subarray(end)
        return { status: statusAt(bytes, 0), head: bytes.toString('latin1', 0, end) }
      }
      if (bytes.length > HEAD_BYTES_MAX) throw new RemoteProtocolError('a head has no end')
      const piece = await this.#piece()
      if (piece === undefined) throw new RemoteProtocolError('a reply ends inside its head')
      this.#rest = bytes.length === 0 ? piece : Buffer.concat([bytes, piece])
    }
  }

  /** The body, if all of it has come with its head. `declaredBytes`: what the head says of its length. */
  async whole(declaredBytes: number | undefined): Promise<Buffer | undefined> {
    const rest = this.#rest
    if (this.#chunked !== undefined) {
      this.#rest = EMPTY
      this.#chunked.take(rest, this.#data)
      if (!this.#chunked.isDone) return undefined
    } else {
      if (declaredBytes !== rest.length) return undefined
      this.#rest = EMPTY
      this.#data = [rest]
    }
    const body = this.#data.length === 1 ? (this.#data[0] as Buffer) : Buffer.concat(this.#data)
    this.#data = []
    if ((await this.next()) !== undefined) throw new RemoteProtocolError('a body goes on after its end')
    return body
  }

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const data = this.#data.shift()
      if (data !== undefined) return data
      try {
        const piece = this.#rest.length > 0 ? this.#rest : await this.#piece()
        this.#rest = EMPTY
        if (piece === undefined) return await this.#end()
        if (this.#chunked === undefined) return piece
        this.#chunked.take(piece, this.#data)
      } catch (error) {
        await this.close()
        throw error
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#rest = EMPTY
    this.#data = []
    clearTimeout(this.#timer)
    await this.#stream.close()
    await this.#closed()
  }

  async #piece(): Promise<Buffer | undefined> {
    this.#isWaiting = true
    if (this.#waitMs > 0) this.#arm()
    try {
      const { done, value } = await this.#pieces.next()
      if (this.#failure !== undefined) throw this.#failure.error
      // Whoever reads while somebody else gives up must not take this for the end.
      if (done === true && this.#isClosed) throw new AbortedError('the reply was given up while it was read')
      return done === true ? undefined : value.bytes
    } catch (error) {
      throw this.#failure === undefined ? error : this.#failure.error
    } finally {
      this.#isWaiting = false
      clearTimeout(this.#timer)
    }
  }

  #arm(): void {
    clearTimeout(this.#timer)
    if (this.#waitMs === 0) return
    const waitMs = this.#waitMs
    this.#timer = setTimeout(() => {
      const message = `the server has said nothing for ${waitMs} ms: raise deadlineMs, or look at the server`
      this.fail(new DeadlineError(message, 'upstream', { sent: 'maybe' }))
    }, waitMs)
  }

  async #end(): Promise<undefined> {
    if (this.#chunked !== undefined && !this.#chunked.isDone) {
      throw new RemoteProtocolError('a chunked body ends before its last chunk')
    }
    this.#isEnded = true
    await this.#closed()
  }

  async #closed(): Promise<void> {
    const action = this.#onClosed
    this.#onClosed = undefined
    await action?.()
  }
}

const EMPTY = Buffer.alloc(0)

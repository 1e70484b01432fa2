/**
 * A reply that its reader takes piece by piece.
 *
 * Rules:
 * 1. Nothing is asked of the peer before the reader's first look (unless the reply had begun by then), and nothing is
 *    kept beyond the credit: what the reader has taken is reported to the I/O thread, which holds the peer back when
 *    too much waits here.
 * 2. Leaving the loop early cancels the call. Every end reaches the reader once: the last piece, or the error.
 */
import type { Cloneable } from '../plugin/cloneable.ts'
import { LocalError } from '../plugin/errors.ts'
import type { ReplyPiece, ReplyStream } from '../plugin/protocol.ts'

/** Where pieces of a call go that somebody reads as they arrive. */
export interface PieceSink {
  /** `bytes` are the sink's own. */
  take(bytes: Buffer, facts: Cloneable): void
  /** The call has its place in the table: it can be credited and cancelled by this number. */
  begun(callId: number): void
}

/** Makes streams of replies that turn out not to come in one piece: one for each client. */
export interface StreamOpener {
  /** Of a call whose first piece is here; `ended` settles with its reply. */
  open(callId: number, ended: Promise<unknown>): IncomingStream
}

export interface StreamSource {
  /** Makes the call; settles when the reply has ended or failed. */
  start(sink: PieceSink): Promise<unknown>
  /** So many bytes were read: as many more may come. */
  credit(callId: number, bytes: number): void
  cancel(callId: number): void
}

export class IncomingStream implements ReplyStream, AsyncIterator<ReplyPiece, undefined>, PieceSink {
  readonly #source: StreamSource
  /** Credit is given back in lumps of this size: a message for each piece would cost more than the piece. */
  readonly #creditStep: number
  #pieces: ReplyPiece[] = []
  #read = 0
  #callId = 0
  #phase: 'new' | 'flowing' | 'ended' = 'new'
  #failure: { readonly error: unknown } | undefined
  /** Those who asked while there was nothing, in their order. */
  #waiting: (() => void)[] = []
  #ended: Promise<void> | undefined
  #iterated = false

  constructor(source: StreamSource, streamBytesMax: number) {
    this.#source = source
    this.#creditStep = Math.max(1, Math.floor(streamBytesMax / 4))
  }

  [Symbol.asyncIterator](): AsyncIterator<ReplyPiece, undefined> {
    if (this.#iterated) throw new LocalError('STREAM_USED', 'a stream is read once: ask again for another')
    this.#iterated = true
    return this
  }

  async next(): Promise<IteratorResult<ReplyPiece, undefined>> {
    if (this.#phase === 'new') this.#begin()
    for (;;) {
      const piece = this.#pieces.shift()
      if (piece !== undefined) {
        this.#giveCredit(piece.bytes.length)
        return { done: false, value: piece }
      }
      if (this.#failure !== undefined) {
        const { error } = this.#failure
        this.#failure = undefined
        throw error
      }
      if (this.#phase === 'ended') return { done: true, value: undefined }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  async return(): Promise<IteratorResult<ReplyPiece, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  async close(): Promise<void> {
    if (this.#phase === 'flowing') this.#source.cancel(this.#callId)
    if (this.#phase === 'new') this.#phase = 'ended'
    await this.#ended
    this.#pieces = []
    this.#failure = undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The reply has begun, before its reader has looked. */
  opened(callId: number): void {
    this.begun(callId)
    this.#begin()
  }

  // ---- PieceSink --------------------------------------------------------------------------------------------

  begun(callId: number): void {
    this.#callId = callId
  }

  take(bytes: Buffer, facts: Cloneable): void {
    if (bytes.length === 0) return
    this.#pieces.push({ bytes, facts })
    this.#wakeReader()
  }

  #begin(): void {
    this.#phase = 'flowing'
    this.#ended = this.#source.start(this).then(
      () => this.#end(undefined),
      (error: unknown) => this.#end({ error }),
    )
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    this.#phase = 'ended'
    this.#failure = failure
    this.#wakeReader()
  }

  #giveCredit(bytes: number): void {
    this.#read += bytes
    if (this.#phase !== 'flowing' || this.#read < this.#creditStep) return
    this.#source.credit(this.#callId, this.#read)
    this.#read = 0
  }

  #wakeReader(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

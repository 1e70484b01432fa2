/**
 * A result read row by row, as it arrives.
 *
 * Rules: it has a connection of its own (on a session: the session's), and what has not been read is bounded by
 * `streamBytesMax`: the server waits for a slow reader. Leaving the loop early gives the rest up. An error of the
 * server in the middle comes after the rows before it.
 *
 * Limits: read by one loop.
 */
import type { ReplyPiece, ReplyStream } from '@iokernel/core/plugin'

/** Rows in order, for one loop. */
export interface RowStream<Row> extends AsyncIterableIterator<Row>, AsyncDisposable {
  /** Gives up what has not been read, as leaving the loop does. Idempotent. */
  close(): Promise<void>
}

/** How a database makes rows of its bytes. */
export interface RowParser {
  /** Takes the next piece, cut anywhere; returns the rows that are now whole. */
  take(piece: ReplyPiece): readonly unknown[]
  /** The reply has ended. Throws what the server has refused, and where the reply breaks off. */
  end(): void
}

/** `openStream` is called when the first row is asked for; `failed` is told what ended it. */
export function readRows<Row>(
  openStream: () => ReplyStream,
  parser: RowParser,
  failed?: (error: unknown) => void,
): RowStream<Row> {
  return new StreamedRows<Row>(openStream, parser, failed)
}

class StreamedRows<Row> implements RowStream<Row> {
  readonly #open: () => ReplyStream
  readonly #parser: RowParser
  readonly #failed: ((error: unknown) => void) | undefined
  #stream: ReplyStream | undefined
  #iterator: AsyncIterator<ReplyPiece> | undefined
  #rows: readonly unknown[] = []
  #taken = 0
  #ended = false
  /** One reader at a time, however many `next()` are called at once. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(openStream: () => ReplyStream, parser: RowParser, failed: ((error: unknown) => void) | undefined) {
    this.#open = openStream
    this.#parser = parser
    this.#failed = failed
  }

  next(): Promise<IteratorResult<Row>> {
    if (this.#taken < this.#rows.length) {
      return Promise.resolve({ done: false, value: this.#rows[this.#taken++] as Row })
    }
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.catch(() => undefined)
    return result
  }

  async return(): Promise<IteratorResult<Row>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async close(): Promise<void> {
    this.#ended = true
    this.#rows = []
    this.#taken = 0
    await this.#stream?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #next(): Promise<IteratorResult<Row>> {
    while (this.#taken >= this.#rows.length) {
      if (this.#ended) return { done: true, value: undefined }
      await this.#read()
    }
    return { done: false, value: this.#rows[this.#taken++] as Row }
  }

  async #read(): Promise<void> {
    try {
      this.#stream ??= this.#open()
      this.#iterator ??= this.#stream[Symbol.asyncIterator]()
      const { done, value } = await this.#iterator.next()
      if (done === true) {
        this.#ended = true
        this.#parser.end()
        return
      }
      this.#rows = this.#parser.take(value)
      this.#taken = 0
    } catch (error) {
      this.#ended = true
      this.#failed?.(error)
      throw error
    }
  }
}

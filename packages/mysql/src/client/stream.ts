/**
 * A result read row by row, as it arrives.
 *
 * Rules: it has a connection of its own (on a session: the session's), and what has not been read is bounded by
 * `streamBytesMax`: the server waits for a slow reader. Leaving the loop early gives the rest up. An error of the
 * server in the middle comes after the rows before it. Of several results (CALL) the rows follow one another.
 *
 * Limits: read by one loop. `deadlineMs` is how long the server may keep a reader waiting, not the whole.
 */
import type { CallOptions, Link, ReplyPiece, ReplyStream } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  checkOptions,
  type Kind,
  must,
  mustBeBoolean,
  mustBeDuration,
  mustBeSignal,
} from '@iokernel/core/toolkit'
import type { MysqlFacts } from '../codec/facts.ts'
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import type { Statement } from '../codec/statement.ts'
import { type Execution, isPrepared, STREAM_READ, STREAM_WRITE } from './operations.ts'
import { checkedText, checkedValues, type RowOptions } from './query.ts'

export interface StreamOptions extends RowOptions, Pick<CallOptions, 'deadlineMs' | 'signal' | 'priority'> {
  /** As for a query. */
  readonly prepare?: boolean
}

const STREAM_OPTIONS: Kind<StreamOptions> = {
  title: 'option of a stream',
  checks: {
    rows: must((value) => value === 'objects' || value === 'arrays', "'objects' or 'arrays'"),
    deadlineMs: mustBeDuration,
    signal: mustBeSignal,
    priority: CALL_OPTIONS.checks.priority,
    prepare: mustBeBoolean,
  },
}

/** Rows in order, for one loop. */
export interface RowStream<Row> extends AsyncIterableIterator<Row>, AsyncDisposable {
  /** Gives up what has not been read, as leaving the loop does. Idempotent. */
  close(): Promise<void>
}

export interface StreamRequest {
  /** Whether statements are prepared where the options do not say so. */
  readonly prepared: boolean
  readonly text: unknown
  readonly values: unknown
  readonly options: unknown
  /** Told what ended it. */
  readonly failed?: (error: unknown) => void
}

/** `judge` makes a statement of a text, or throws where it must not run. */
export function streamRows<Row>(
  link: Link,
  judge: (text: string) => Statement,
  { prepared: isPreparing, text, values, options, failed }: StreamRequest,
): RowStream<Row> {
  let given: StreamOptions = {}
  if (options !== undefined) {
    checkOptions(options, STREAM_OPTIONS)
    given = options
  }
  const { rows, prepare, ...call } = given
  const statement = judge(checkedText(text))
  const taken = checkedValues(values)
  const execution: Execution = {
    statement,
    values: taken,
    asArrays: rows === 'arrays',
    prepared: isPreparing && prepare !== false && isPrepared(statement, taken),
  }
  const operation = statement.analysis.kind === 'read' ? STREAM_READ : STREAM_WRITE
  const reader = new Reply(statement, execution.asArrays, execution.prepared)
  return new StreamedRows<Row>(() => link.stream(operation, execution, call), reader, failed)
}

class StreamedRows<Row> implements RowStream<Row> {
  readonly #open: () => ReplyStream
  readonly #pieces = new Pieces()
  readonly #reply: Reply
  readonly #failed: ((error: unknown) => void) | undefined
  #stream: ReplyStream | undefined
  #iterator: AsyncIterator<ReplyPiece> | undefined
  #rows: readonly unknown[] = []
  #taken = 0
  #ended = false
  /** One reader at a time, however many `next()` are called at once. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(openStream: () => ReplyStream, reply: Reply, failed: ((error: unknown) => void) | undefined) {
    this.#open = openStream
    this.#reply = reply
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
    let bytes: Buffer | undefined
    try {
      this.#stream ??= this.#open()
      this.#iterator ??= this.#stream[Symbol.asyncIterator]()
      const { done, value } = await this.#iterator.next()
      if (done === true) return this.#end()
      bytes = this.#pieces.take(value.bytes)
      if (bytes !== undefined) this.#reply.read(bytes, 0, bytes.length, value.facts as MysqlFacts)
    } catch (error) {
      this.#ended = true
      this.#failed?.(error)
      throw error
    }
    this.#rows = this.#reply.takeRows()
    this.#taken = 0
  }

  #end(): void {
    this.#ended = true
    if (this.#pieces.isOpen) throw new RemoteProtocolError('a stream ends inside a packet')
    checked(this.#reply)
  }
}

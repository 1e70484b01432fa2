/**
 * A result read row by row, as it arrives.
 *
 * Rules: it has a connection of its own (on a session: the session's), and what has not been read is bounded by
 * `streamBytesMax`: the server waits for a slow reader. Leaving the loop early gives the rest up. An error of the
 * server in the middle comes after the rows before it.
 *
 * Limits: read by one loop. `deadlineMs` is how long the server may keep a reader waiting, not the whole.
 */
import type { CallOptions, Link, ReplyStream } from '@iokernel/core/plugin'
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
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import type { Statement } from '../codec/statement.ts'
import { type Execution, STREAM_READ, STREAM_WRITE } from './operations.ts'
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
  readonly text: unknown
  readonly values: unknown
  readonly options: unknown
}

/** `judge` makes a statement of a text, or throws where it must not run. */
export function streamRows<Row>(
  link: Link,
  judge: (text: string) => Statement,
  { text, values, options }: StreamRequest,
): RowStream<Row> {
  let given: StreamOptions = {}
  if (options !== undefined) {
    checkOptions(options, STREAM_OPTIONS)
    given = options
  }
  const { rows, prepare, ...call } = given
  const statement = judge(checkedText(text))
  const execution: Execution = {
    statement,
    values: checkedValues(values),
    asArrays: rows === 'arrays',
    prepared: prepare !== false,
  }
  const operation = statement.analysis.kind === 'read' ? STREAM_READ : STREAM_WRITE
  const reader = new Reply(statement, execution.asArrays)
  return new StreamedRows<Row>(() => link.stream(operation, execution, call), reader)
}

class StreamedRows<Row> implements RowStream<Row> {
  readonly #open: () => ReplyStream
  readonly #pieces = new Pieces()
  readonly #reply: Reply
  #stream: ReplyStream | undefined
  #iterator: AsyncIterator<{ readonly bytes: Buffer }> | undefined
  #rows: readonly unknown[] = []
  #taken = 0
  #ended = false
  /** One reader at a time, however many `next()` are called at once. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(openStream: () => ReplyStream, reply: Reply) {
    this.#open = openStream
    this.#reply = reply
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
      if (bytes !== undefined) this.#reply.read(bytes, 0, bytes.length)
    } catch (error) {
      this.#ended = true
      throw error
    }
    this.#rows = this.#reply.takeRows()
    this.#taken = 0
  }

  #end(): void {
    this.#ended = true
    if (this.#pieces.isOpen) throw new RemoteProtocolError('a stream ends inside a message')
    checked(this.#reply)
  }
}

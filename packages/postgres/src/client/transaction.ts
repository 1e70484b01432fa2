/**
 * A transaction: a connection of one's own between BEGIN and COMMIT.
 *
 * Rules:
 * 1. It is committed when `work` has returned, and rolled back when it has thrown; then the error is that of `work`.
 * 2. A COMMIT that the server answers with ROLLBACK rejects: something had failed and was not told.
 * 3. After its end nothing goes through it any more, and while a savepoint is open nothing goes past it.
 * 4. It is not begun or ended by hand: that is refused.
 * 5. Calls that are not awaited are made in their order, and all of them before COMMIT.
 *
 * Limits: `retries` runs `work` again from its beginning, on a connection of its own; only it knows what else it does.
 */
import type { CallOptions, Operation, SessionLink } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkCount, type Kind, must, mustBeBoolean, mustBeDuration, mustBeSignal } from '@iokernel/core/toolkit'
import type { RowStream, SharedLimits, StreamOptions } from '@iokernel/sql'
import { checkedText, checkedValues, NO_VALUES } from '@iokernel/sql'
import { PostgresError } from '../codec/errors.ts'
import type { Rows } from '../codec/rows.ts'
import type { Statement } from '../codec/statement.ts'
import { Caller, type Queries } from './caller.ts'
import { type CopyOptions, type CopySource, type CopyStream, copyFrom, copyTo } from './copy.ts'
import { type CursorOptions, readCursor } from './cursor.ts'
import { type Execution, QUERY_SESSION, SIMPLE_SESSION } from './operations.ts'
import type { Statements } from './statement-cache.ts'
import { streamRows } from './stream.ts'

export interface TransactionOptions {
  /** Default: the server's (`default_transaction_isolation`), usually `read committed`. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
  /** With `serializable` and `readOnly`: waits for a moment in which nothing can fail. */
  readonly deferrable?: boolean
  /** How often `work` is run again after a conflict with another transaction (40001, 40P01). Default 0. */
  readonly retries?: number
  /** From the call to the end of COMMIT, with what `work` does in between. Default: none, but each call has its own. */
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
}

const LEVELS: ReadonlySet<unknown> = new Set(['read committed', 'repeatable read', 'serializable'])

export const TRANSACTION_OPTIONS: Kind<TransactionOptions> = {
  title: 'option of a transaction',
  checks: {
    isolation: must((value) => LEVELS.has(value), "'read committed', 'repeatable read' or 'serializable'"),
    readOnly: mustBeBoolean,
    deferrable: mustBeBoolean,
    retries: must((value) => Number.isSafeInteger(value) && (value as number) >= 0, 'a whole number of at least 0'),
    deadlineMs: mustBeDuration,
    signal: mustBeSignal,
  },
}

export interface PostgresTransaction extends Queries {
  /** Rows as they arrive; nothing else of the transaction is answered meanwhile. */
  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
  ): RowStream<Row>
  /** Rows in batches; other statements may run in between. */
  cursor<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: CursorOptions,
  ): AsyncGenerator<Rows<Row>, void, undefined>
  /** What `work` does is undone alone when it throws, and the error goes on to whoever awaits this. */
  savepoint<Result>(work: (tx: PostgresTransaction) => Promise<Result>): Promise<Result>
  /** `copy t from stdin`. Resolves to the number of rows. */
  copyFrom(text: string, source: CopySource, options?: CopyOptions): Promise<number>
  /** `copy t to stdout`, in pieces as they arrive. */
  copyTo(text: string, options?: CopyOptions): CopyStream
}

/** The statement that begins it. */
export function beginText({ isolation, readOnly, deferrable }: TransactionOptions): string {
  const modes: string[] = []
  if (isolation !== undefined) modes.push(`isolation level ${isolation}`)
  if (readOnly !== undefined) modes.push(readOnly ? 'read only' : 'read write')
  if (deferrable !== undefined) modes.push(deferrable ? 'deferrable' : 'not deferrable')
  return modes.length === 0 ? 'begin' : `begin ${modes.join(', ')}`
}

/** True where the same work may succeed when it is done again: a serialization failure, a deadlock. */
export function isConflict(error: unknown): boolean {
  return error instanceof PostgresError && (error.code === '40001' || error.code === '40P01')
}

/** What the parts of one transaction share. */
interface Shared {
  readonly link: SessionLink
  readonly limits: SharedLimits
  /** Savepoints and portals so far: their names are used once. */
  names: number
  /** The first error of a statement: why COMMIT may be answered with ROLLBACK. */
  failure: unknown
}

export class TransactionCaller extends Caller implements PostgresTransaction {
  readonly #shared: Shared
  #ended = false
  /** The savepoint of this one that is open. */
  #inner: TransactionCaller | undefined

  constructor(
    link: SessionLink,
    statements: Statements,
    prepared: boolean,
    limits: SharedLimits,
    shared: Shared = { link, limits, names: 0, failure: undefined },
  ) {
    super(link, statements, 'session', prepared)
    this.#shared = shared
  }

  /** Where a statement goes that is made now: into the savepoint that is open, and the one within that. */
  get innermost(): TransactionCaller {
    return this.#inner?.innermost ?? this
  }

  async begin(text: string): Promise<void> {
    await this.#control(text)
  }

  /** Commits; rejects where the server has rolled back instead. */
  async commit(): Promise<void> {
    this.#ended = true
    const { command } = await this.#control('commit')
    if (command === 'COMMIT') return
    throw new LocalError(
      'TRANSACTION_ROLLED_BACK',
      'the transaction was rolled back: a statement of it had failed, and the error was not passed on. ' +
        'Put what may fail into tx.savepoint()',
      { sent: 'maybe', cause: this.#shared.failure },
    )
  }

  /** Rolls back. What fails here changes nothing: the connection is reset before anyone else uses it. */
  async rollback(): Promise<void> {
    this.#ended = true
    const rollback = this.#execution('rollback')
    await this.#shared.link.request(SIMPLE_SESSION, rollback).catch(() => undefined)
  }

  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
    ...more: readonly unknown[]
  ): RowStream<Row> {
    checkCount(more, 0)
    this.redirect()
    const request = { text, values, options: this.callOptions(options) }
    return streamRows<Row>(this.link, (given) => this.statement(given), request)
  }

  cursor<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: CursorOptions,
    ...more: readonly unknown[]
  ): AsyncGenerator<Rows<Row>, void, undefined> {
    checkCount(more, 0)
    this.redirect()
    return readCursor<Row>((operation, args, given) => this.#ask(operation, args, given), {
      statement: this.statement(checkedText(text)),
      values: checkedValues(values, '$1'),
      portal: `c${++this.#shared.names}`,
      options,
    })
  }

  async copyFrom(
    text: string,
    source: CopySource,
    options?: CopyOptions,
    ...more: readonly unknown[]
  ): Promise<number> {
    checkCount(more, 0)
    this.redirect()
    const { link } = this.#shared
    const request = { text, source, options: this.callOptions(options) }
    return await this.#noting(copyFrom((work) => work(link), this.statements, request))
  }

  copyTo(text: string, options?: CopyOptions, ...more: readonly unknown[]): CopyStream {
    checkCount(more, 0)
    this.redirect()
    return copyTo(this.link, this.statements, { text, options: this.callOptions(options) })
  }

  async savepoint<Result>(
    work: (tx: PostgresTransaction) => Promise<Result>,
    ...more: readonly unknown[]
  ): Promise<Result> {
    checkCount(more, 0)
    this.redirect()
    if (typeof work !== 'function') throw new LocalError('ARGUMENT', 'savepoint() takes a function')
    const shared = this.#shared
    const name = `s${++shared.names}`
    const inner = new TransactionCaller(shared.link, this.statements, this.prepared, shared.limits, shared)
    this.#inner = inner
    try {
      await this.#control(`savepoint ${name}`)
      let result: Result
      try {
        result = await work(inner)
      } catch (error) {
        inner.#ended = true
        await this.#undo(name)
        throw error
      }
      inner.#ended = true
      await this.#control(`release ${name}`)
      return result
    } finally {
      this.#inner = undefined
    }
  }

  protected override redirect(): this {
    if (this.#ended) {
      throw new LocalError('TRANSACTION_ENDED', 'the transaction has ended: await everything inside its function')
    }
    if (this.#inner !== undefined) {
      throw new LocalError('SAVEPOINT_OPEN', 'a savepoint is open: use the transaction that its function was given')
    }
    return this
  }

  protected override callOptions(options: CallOptions | undefined): CallOptions | undefined {
    return this.#shared.limits.of(options)
  }

  protected override run(execution: Execution, options: CallOptions | undefined): Promise<Rows<unknown>> {
    return this.#ask(QUERY_SESSION, execution, options)
  }

  protected override runSimple(execution: Execution, options: CallOptions | undefined): Promise<Rows<unknown>[]> {
    return this.#ask(SIMPLE_SESSION, execution, options)
  }

  protected override refuse(statement: Statement): void {
    super.refuse(statement)
    if (!statement.analysis.controlsTransaction) return
    throw new LocalError('REFUSED', 'a transaction ends with its function: return to commit, throw to roll back')
  }

  /** What failed inside the savepoint is undone with it. A connection that is lost says so at the next call. */
  async #undo(name: string): Promise<void> {
    try {
      await this.#control(`rollback to ${name}; release ${name}`)
      this.#shared.failure = undefined
    } catch (error) {
      this.#shared.failure ??= error
    }
  }

  #ask<Args, Reply>(operation: Operation<Args, Reply>, args: Args, options: CallOptions | undefined): Promise<Reply> {
    return this.#noting(this.link.request(operation, args, this.callOptions(options)))
  }

  /** Remembers the first error: it is why nothing more will work. */
  async #noting<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await call
    } catch (error) {
      this.#shared.failure ??= error
      throw error
    }
  }

  async #control(text: string): Promise<Rows<unknown>> {
    const results = await this.link.request(SIMPLE_SESSION, this.#execution(text), this.#shared.limits.of())
    return results[0] as Rows<unknown>
  }

  #execution(text: string): Execution {
    return { statement: this.statements.of(text), values: NO_VALUES, asArrays: false, prepared: false }
  }
}

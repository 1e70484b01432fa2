/**
 * A transaction: a connection of one's own between START TRANSACTION and COMMIT.
 *
 * Rules:
 * 1. It is committed when `work` has returned, and rolled back when it has thrown; then the error is that of `work`.
 * 2. What the server has rolled back by itself (a deadlock, 1213) is not committed, whoever has caught the error:
 *    nothing more goes through it, and it rejects.
 * 3. After its end nothing goes through it any more, and while a savepoint is open nothing goes past it.
 * 4. It is not begun or ended by hand, and not by a statement that commits by the way (DDL, LOCK TABLES): that is
 *    refused.
 * 5. Calls that are not awaited are made in their order, and all of them before COMMIT.
 *
 * Theory of operation: it begins with `autocommit = 0`. After a deadlock the server has no transaction any more, and
 * statements that are already on their way would each be committed by itself; so they begin another one, which is
 * rolled back like the first.
 *
 * Limits: `retries` runs `work` again from its beginning, on a connection of its own; only it knows what else it does.
 * A server that rolls all back after a lock wait (innodb_rollback_on_timeout) does not say so: pass the error 1205 on.
 */
import type { CallOptions, Operation, Sent, SessionLink } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkCount, type Kind, must, mustBeBoolean, mustBeDuration, mustBeSignal } from '@iokernel/core/toolkit'
import type { RowStream, SharedLimits, StreamOptions } from '@iokernel/sql'
import { NO_VALUES } from '@iokernel/sql'
import { MysqlError } from '../codec/errors.ts'
import type { Rows } from '../codec/result.ts'
import type { Statement } from '../codec/statement.ts'
import { Caller, type Queries } from './caller.ts'
import { type Execution, QUERY_SESSION, SIMPLE_SESSION } from './operations.ts'
import type { Statements } from './statement-cache.ts'
import { streamRows } from './stream.ts'

export interface TransactionOptions {
  /** Default: the server's (`transaction_isolation`), usually `repeatable read`. */
  readonly isolation?: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
  /** Sees from the start what was there at the start. Default: at its first statement. */
  readonly consistentSnapshot?: boolean
  /** How often `work` is run again after a deadlock or a lock wait that took too long (1213, 1205). Default 0. */
  readonly retries?: number
  /** From the call to the end of COMMIT, with what `work` does in between. Default: none, but each call has its own. */
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
}

const LEVELS: ReadonlySet<unknown> = new Set(['read uncommitted', 'read committed', 'repeatable read', 'serializable'])

export const TRANSACTION_OPTIONS: Kind<TransactionOptions> = {
  title: 'option of a transaction',
  checks: {
    isolation: must((value) => LEVELS.has(value), [...LEVELS].map((level) => `'${level}'`).join(', ')),
    readOnly: mustBeBoolean,
    consistentSnapshot: mustBeBoolean,
    retries: must((value) => Number.isSafeInteger(value) && (value as number) >= 0, 'a whole number of at least 0'),
    deadlineMs: mustBeDuration,
    signal: mustBeSignal,
  },
}

export interface MysqlTransaction extends Queries {
  /** Rows as they arrive; nothing else of the transaction is answered meanwhile. */
  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
  ): RowStream<Row>
  /** What `work` does is undone alone when it throws, and the error goes on to whoever awaits this. */
  savepoint<Result>(work: (tx: MysqlTransaction) => Promise<Result>): Promise<Result>
}

/** The statements that begin it. */
export function beginTexts({ isolation, readOnly, consistentSnapshot }: TransactionOptions): readonly string[] {
  const modes: string[] = []
  if (consistentSnapshot === true) modes.push('with consistent snapshot')
  if (readOnly !== undefined) modes.push(readOnly ? 'read only' : 'read write')
  return [
    ...(isolation === undefined ? [] : [`set transaction isolation level ${isolation}`]),
    'set autocommit = 0',
    modes.length === 0 ? 'start transaction' : `start transaction ${modes.join(', ')}`,
  ]
}

/** True where the same work may succeed when it is done again: a deadlock, a lock wait that took too long. */
export function isConflict(error: unknown): boolean {
  return error instanceof MysqlError && (error.errno === DEADLOCK || error.errno === LOCK_WAIT)
}

const DEADLOCK = 1213
const LOCK_WAIT = 1205

/** What the parts of one transaction share. */
interface Shared {
  readonly link: SessionLink
  readonly limits: SharedLimits
  /** Savepoints so far: their names are used once. */
  names: number
  /** Why the server has rolled it back. */
  failure: unknown
  /** Calls that have not settled. */
  readonly outstanding: Set<Promise<unknown>>
}

export class TransactionCaller extends Caller implements MysqlTransaction {
  readonly #shared: Shared
  #ended = false
  /** The savepoint of this one that is open. */
  #inner: TransactionCaller | undefined

  constructor(
    link: SessionLink,
    statements: Statements,
    prepared: boolean,
    limits: SharedLimits,
    shared: Shared = { link, limits, names: 0, failure: undefined, outstanding: new Set() },
  ) {
    super(link, statements, 'session', prepared)
    this.#shared = shared
  }

  /** Where a statement goes that is made now: into the savepoint that is open, and the one within that. */
  get innermost(): TransactionCaller {
    return this.#inner?.innermost ?? this
  }

  /** The statements go out one behind the other; where one fails, none of the user's has gone out. */
  async begin(texts: readonly string[]): Promise<void> {
    await Promise.all(texts.map((text) => this.#control(text)))
  }

  /** Commits; rejects where the server has rolled back before. */
  async commit(): Promise<void> {
    this.#ended = true
    const { outstanding } = this.#shared
    // What was not awaited may meet a deadlock even now: behind that, COMMIT would keep half of it.
    while (outstanding.size > 0) await Promise.allSettled(outstanding)
    if (this.#shared.failure === undefined) {
      await this.#control('commit')
      return
    }
    await this.rollback()
    throw rolledBack(this.#shared.failure, 'maybe')
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
    const failed = (error: unknown): void => this.#note(error)
    const request = { prepared: this.prepared, text, values, options: this.callOptions(options), failed }
    return streamRows<Row>(this.link, (given) => this.statement(given), request)
  }

  async savepoint<Result>(
    work: (tx: MysqlTransaction) => Promise<Result>,
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
      await this.#control(`release savepoint ${name}`)
      return result
    } finally {
      this.#inner = undefined
    }
  }

  protected override redirect(): this {
    if (this.#ended) {
      throw new LocalError('TRANSACTION_ENDED', 'the transaction has ended: await everything inside its function')
    }
    if (this.#shared.failure !== undefined) throw rolledBack(this.#shared.failure, 'no')
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
    throw new LocalError(
      'REFUSED',
      'this statement would end the transaction. It ends with its function: return to commit, throw to roll back; ' +
        'what commits by itself (DDL, locks of tables) runs before or after it',
    )
  }

  /** What failed inside the savepoint is undone with it. A connection that is lost says so at the next call. */
  async #undo(name: string): Promise<void> {
    const { outstanding } = this.#shared
    while (outstanding.size > 0) await Promise.allSettled(outstanding)
    // A deadlock has undone all, and the savepoint with it.
    if (this.#shared.failure !== undefined) return
    try {
      await Promise.all([this.#control(`rollback to savepoint ${name}`), this.#control(`release savepoint ${name}`)])
    } catch (error) {
      this.#shared.failure ??= error
    }
  }

  #ask<Args, Reply>(operation: Operation<Args, Reply>, args: Args, options: CallOptions | undefined): Promise<Reply> {
    const call = this.#noting(this.link.request(operation, args, this.callOptions(options)))
    const { outstanding } = this.#shared
    outstanding.add(call)
    const settled = (): boolean => outstanding.delete(call)
    call.then(settled, settled)
    return call
  }

  async #noting<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await call
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  /** The server has rolled everything back: nothing more may go through. */
  #note(error: unknown): void {
    if (error instanceof MysqlError && error.errno === DEADLOCK) this.#shared.failure ??= error
  }

  async #control(text: string): Promise<Rows<unknown>> {
    const results = await this.link.request(SIMPLE_SESSION, this.#execution(text), this.#shared.limits.of())
    return results[0] as Rows<unknown>
  }

  #execution(text: string): Execution {
    return { statement: this.statements.of(text), values: NO_VALUES, asArrays: false, prepared: false }
  }
}

function rolledBack(cause: unknown, sent: Sent): LocalError {
  return new LocalError(
    'TRANSACTION_ROLLED_BACK',
    'the server has rolled the transaction back (a deadlock), and the error was not passed on: throw it, or give ' +
      'retries',
    { sent, cause },
  )
}

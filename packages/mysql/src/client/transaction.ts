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
import type { CallOptions, Operation, Sent } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { type Kind, must, mustBeBoolean, mustBeDuration, mustBeSignal } from '@iokernel/core/toolkit'
import {
  type CallerParts,
  type RowStream,
  type StreamOptions,
  TransactionCaller,
  type TransactionDialect,
  type TransactionLife,
} from '@iokernel/sql'
import { MysqlError } from '../codec/errors.ts'
import type { MysqlTypes, Queries } from './queries.ts'

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

const TRANSACTION_OPTIONS: Kind<TransactionOptions> = {
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

export const TRANSACTIONS: TransactionDialect<TransactionOptions> = {
  options: TRANSACTION_OPTIONS,
  begin({ isolation, readOnly, consistentSnapshot }) {
    const modes: string[] = []
    if (consistentSnapshot === true) modes.push('with consistent snapshot')
    if (readOnly !== undefined) modes.push(readOnly ? 'read only' : 'read write')
    return [
      ...(isolation === undefined ? [] : [`set transaction isolation level ${isolation}`]),
      'set autocommit = 0',
      modes.length === 0 ? 'start transaction' : `start transaction ${modes.join(', ')}`,
    ]
  },
  /** A deadlock, a lock wait that took too long. */
  isConflict: (error) => error instanceof MysqlError && (error.errno === DEADLOCK || error.errno === LOCK_WAIT),
}

const DEADLOCK = 1213
const LOCK_WAIT = 1205

/** Shared by a transaction and its savepoints. */
interface Fate {
  /** Why the server has rolled it back. */
  failure: unknown
  /** Calls that have not settled. */
  readonly outstanding: Set<Promise<unknown>>
}

export class Transaction extends TransactionCaller<MysqlTypes, MysqlTransaction> implements MysqlTransaction {
  readonly #fate: Fate

  constructor(
    life: TransactionLife,
    parts: CallerParts<MysqlTypes>,
    fate: Fate = { failure: undefined, outstanding: new Set() },
  ) {
    super(life, parts)
    this.#fate = fate
  }

  protected override nested(): Transaction {
    return new Transaction(this.life, this.parts, this.#fate)
  }

  protected override async commitOrThrow(): Promise<void> {
    // What was not awaited may meet a deadlock even now: behind that, COMMIT would keep half of it.
    await this.#settled()
    if (this.#fate.failure === undefined) {
      await this.control('commit')
      return
    }
    await this.rollback()
    throw rolledBack(this.#fate.failure, 'maybe')
  }

  protected override release(name: string): Promise<unknown> {
    return this.control(`release savepoint ${name}`)
  }

  /** What failed inside the savepoint is undone with it. A connection that is lost says so at the next call. */
  protected override async undo(name: string): Promise<void> {
    await this.#settled()
    // A deadlock has undone all, and the savepoint with it.
    if (this.#fate.failure !== undefined) return
    try {
      await Promise.all([this.control(`rollback to savepoint ${name}`), this.control(`release savepoint ${name}`)])
    } catch (error) {
      this.#fate.failure ??= error
    }
  }

  protected override mustBeAlive(): void {
    if (this.#fate.failure !== undefined) throw rolledBack(this.#fate.failure, 'no')
  }

  protected override request<Args, Reply>(
    operation: Operation<Args, Reply>,
    args: Args,
    options: CallOptions | undefined,
  ): Promise<Reply> {
    const call = this.#noting(super.request(operation, args, options))
    const { outstanding } = this.#fate
    outstanding.add(call)
    const settled = (): boolean => outstanding.delete(call)
    call.then(settled, settled)
    return call
  }

  /** The server has rolled everything back: nothing more may go through. */
  protected override failed(error: unknown): void {
    if (error instanceof MysqlError && error.errno === DEADLOCK) this.#fate.failure ??= error
  }

  async #settled(): Promise<void> {
    const { outstanding } = this.#fate
    while (outstanding.size > 0) await Promise.allSettled(outstanding)
  }

  async #noting<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await call
    } catch (error) {
      this.failed(error)
      throw error
    }
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

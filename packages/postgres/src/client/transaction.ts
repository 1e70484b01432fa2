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
import type { CallOptions, Operation } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkCount, type Kind, must, mustBeBoolean, mustBeDuration, mustBeSignal } from '@iokernel/core/toolkit'
import {
  type CallerParts,
  checkedText,
  checkedValues,
  type RowStream,
  type StreamOptions,
  TransactionCaller,
  type TransactionDialect,
  type TransactionLife,
} from '@iokernel/sql'
import { PostgresError } from '../codec/errors.ts'
import type { Rows } from '../codec/rows.ts'
import { type CopyOptions, type CopySource, type CopyStream, copyFrom, copyTo } from './copy.ts'
import { type CursorOptions, readCursor } from './cursor.ts'
import type { PostgresTypes, Queries } from './queries.ts'

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

const TRANSACTION_OPTIONS: Kind<TransactionOptions> = {
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

export const TRANSACTIONS: TransactionDialect<TransactionOptions> = {
  options: TRANSACTION_OPTIONS,
  begin({ isolation, readOnly, deferrable }) {
    const modes: string[] = []
    if (isolation !== undefined) modes.push(`isolation level ${isolation}`)
    if (readOnly !== undefined) modes.push(readOnly ? 'read only' : 'read write')
    if (deferrable !== undefined) modes.push(deferrable ? 'deferrable' : 'not deferrable')
    return [modes.length === 0 ? 'begin' : `begin ${modes.join(', ')}`]
  },
  /** A serialization failure, a deadlock. */
  isConflict: (error) => error instanceof PostgresError && (error.code === '40001' || error.code === '40P01'),
}

/** Shared by a transaction and its savepoints. */
interface Fate {
  /** The first error of a statement: why COMMIT may be answered with ROLLBACK. */
  failure: unknown
}

export class Transaction extends TransactionCaller<PostgresTypes, PostgresTransaction> implements PostgresTransaction {
  readonly #fate: Fate

  constructor(life: TransactionLife, parts: CallerParts<PostgresTypes>, fate: Fate = { failure: undefined }) {
    super(life, parts)
    this.#fate = fate
  }

  cursor<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: CursorOptions,
    ...more: readonly unknown[]
  ): AsyncGenerator<Rows<Row>, void, undefined> {
    checkCount(more, 0)
    this.redirect()
    return readCursor<Row>((operation, args, given) => this.request(operation, args, given), {
      statement: this.statement(checkedText(text)),
      values: checkedValues(values, '$1'),
      portal: this.life.nextName('c'),
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
    const { link } = this.life
    const request = { text, source, options: this.callOptions(options) }
    return await this.#noting(copyFrom((work) => work(link), this.parts.statements, request))
  }

  copyTo(text: string, options?: CopyOptions, ...more: readonly unknown[]): CopyStream {
    checkCount(more, 0)
    this.redirect()
    return copyTo(this.link, this.parts.statements, { text, options: this.callOptions(options) })
  }

  protected override nested(): Transaction {
    return new Transaction(this.life, this.parts, this.#fate)
  }

  /** A transaction in which something has failed is rolled back by COMMIT, and the server says so. */
  protected override async commitOrThrow(): Promise<void> {
    const { command } = await this.control('commit')
    if (command === 'COMMIT') return
    throw new LocalError(
      'TRANSACTION_ROLLED_BACK',
      'the transaction was rolled back: a statement of it had failed, and the error was not passed on. ' +
        'Put what may fail into tx.savepoint()',
      { sent: 'maybe', cause: this.#fate.failure },
    )
  }

  protected override release(name: string): Promise<unknown> {
    return this.control(`release ${name}`)
  }

  /** What failed inside the savepoint is undone with it. A connection that is lost says so at the next call. */
  protected override async undo(name: string): Promise<void> {
    try {
      await this.control(`rollback to ${name}; release ${name}`)
      this.#fate.failure = undefined
    } catch (error) {
      this.#fate.failure ??= error
    }
  }

  protected override request<Args, Reply>(
    operation: Operation<Args, Reply>,
    args: Args,
    options: CallOptions | undefined,
  ): Promise<Reply> {
    return this.#noting(super.request(operation, args, options))
  }

  /** Remembers the first error: it is why nothing more will work. */
  async #noting<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await call
    } catch (error) {
      this.#fate.failure ??= error
      throw error
    }
  }
}

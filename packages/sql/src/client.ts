/**
 * The client: what an application holds in its hands.
 *
 * Rules:
 * 1. Calls share a few connections. What needs one of its own gets one: transactions, sessions, streams.
 * 2. Inside the function of a transaction a call on the client itself is refused, or joins it: outside it would not see
 *    what the transaction has done, and may wait for it for ever.
 * 3. A transaction that met a conflict is done again, from its beginning, as often as it was allowed to be.
 *
 * Theory of operation: each run of a transaction's function is an asynchronous scope (AsyncLocalStorage), so that a
 * call finds out where it was made, however deep. A scope that is over is none: what was not awaited runs outside.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { CallOptions, Link, Pollution, SessionLink, UpstreamState } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  CLOSE_OPTIONS,
  checkCount,
  type Kind,
  optionsAfter,
  WAIT_OPTIONS,
  wrong,
} from '@iokernel/core/toolkit'
import { Caller, type CallerParts } from './caller.ts'
import type { SqlTypes } from './dialect.ts'
import { SharedLimits } from './shared-limits.ts'
import { type TransactionCaller, TransactionLife } from './transaction.ts'

/** What every database's transactions have. */
export interface BaseTransactionOptions extends Pick<CallOptions, 'deadlineMs' | 'signal'> {
  readonly retries?: number
}

/** How a database begins transactions, and what makes it worth while to begin one again. */
export interface TransactionDialect<Options extends BaseTransactionOptions> {
  readonly options: Kind<Options>
  /** The statements that begin one. */
  begin(options: Options): readonly string[]
  /** True where the same work may succeed when it is done again. */
  isConflict(error: unknown): boolean
}

export interface ClientSetup<Types extends SqlTypes, Options extends BaseTransactionOptions> {
  readonly parts: CallerParts<Types>
  readonly transactions: TransactionDialect<Options>
  readonly insideTransaction: 'refuse' | 'join'
}

/** Where an asynchronous function is: inside this transaction, for as long as it is not over. */
interface Scope<Transaction> {
  readonly tx: Transaction
  isOver: boolean
}

/** `Session` and `Tx`: what the application is given. */
export abstract class ClientCaller<
  Types extends SqlTypes,
  Options extends BaseTransactionOptions,
  Session extends { close(): Promise<void> },
  Tx,
> extends Caller<Types> {
  readonly #transactions: TransactionDialect<Options>
  readonly #insideTransaction: 'refuse' | 'join'
  /** Made with the first transaction: following asynchronous functions costs the whole process a little. */
  #scopes: AsyncLocalStorage<Scope<TransactionCaller<Types, Tx>>> | undefined

  constructor(link: Link, { parts, transactions, insideTransaction }: ClientSetup<Types, Options>) {
    super(link, parts, 'lane')
    this.#transactions = transactions
    this.#insideTransaction = insideTransaction
  }

  get state(): UpstreamState {
    return this.link.upstream.state
  }

  async ready(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, WAIT_OPTIONS)
    await this.link.upstream.ready(options)
  }

  onState(...given: unknown[]): Disposable {
    const listener = listenerIn(given, 'onState')
    return this.link.upstream.onState(listener)
  }

  onPolluted(...given: unknown[]): Disposable {
    const listener: (pollution: Pollution) => void = listenerIn(given, 'onPolluted')
    return this.link.upstream.onPolluted(listener)
  }

  async close(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CLOSE_OPTIONS)
    await this.link.upstream.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.link.upstream.close()
  }

  async transaction<Result>(work: (tx: Tx) => Promise<Result>, ...given: unknown[]): Promise<Result> {
    const transactions = this.#transactions
    const options = optionsAfter(0, given, transactions.options)
    if (typeof work !== 'function') throw wrong('transaction() takes a function')
    this.refuseInside('transaction', 'tx.savepoint()')
    const limits = new SharedLimits(options?.deadlineMs, options?.signal)
    const begin = transactions.begin(options ?? ({} as Options))
    for (let left = options?.retries ?? 0; ; left--) {
      try {
        return await this.#attempt(work, begin, limits)
      } catch (error) {
        if (left === 0 || !mayRetry(error, transactions)) throw error
      }
    }
  }

  session(options?: CallOptions): Promise<Session>
  session<Result>(work: (session: Session) => Promise<Result>, options?: CallOptions): Promise<Result>
  async session(...given: unknown[]): Promise<unknown> {
    const work = given[0]
    this.refuseInside('session', 'tx')
    if (typeof work === 'function') {
      const options = optionsAfter(1, given, CALL_OPTIONS)
      return await this.duringSession(work as (session: Session) => Promise<unknown>, options)
    }
    return this.sessionOver(await this.link.session(optionsAfter(0, given, CALL_OPTIONS)))
  }

  protected abstract sessionOver(link: SessionLink): Session

  protected abstract transactionOver(life: TransactionLife): TransactionCaller<Types, Tx> & Tx

  /** Lends `work` a session, and takes it back whatever happens. */
  protected async duringSession<Result>(
    work: (session: Session) => Promise<Result>,
    options: CallOptions | undefined,
  ): Promise<Result> {
    const session = this.sessionOver(await this.link.session(options))
    try {
      return await work(session)
    } finally {
      await session.close()
    }
  }

  /** For what a transaction has no room for. */
  protected refuseInside(method: string, instead: string): void {
    if (this.#current() !== undefined) throw inside(method, instead)
  }

  protected override redirect(method: string): Caller<Types> {
    const tx = this.#current()
    if (tx === undefined) return this
    if (this.#insideTransaction === 'join') return tx.innermost
    throw inside(method, `tx.${method}()`)
  }

  async #attempt<Result>(
    work: (tx: Tx) => Promise<Result>,
    begin: readonly string[],
    limits: SharedLimits,
  ): Promise<Result> {
    const link = await this.link.session(limits.of())
    const tx = this.transactionOver(new TransactionLife(link, limits))
    const scope: Scope<TransactionCaller<Types, Tx>> = { tx, isOver: false }
    this.#scopes ??= new AsyncLocalStorage()
    try {
      await tx.begin(begin)
      let result: Result
      try {
        result = await this.#scopes.run(scope, async () => await work(tx))
      } catch (error) {
        scope.isOver = true
        await tx.rollback()
        throw error
      }
      scope.isOver = true
      await tx.commit()
      return result
    } finally {
      scope.isOver = true
      await link.close()
    }
  }

  #current(): TransactionCaller<Types, Tx> | undefined {
    const scope = this.#scopes?.getStore()
    return scope === undefined || scope.isOver ? undefined : scope.tx
  }
}

function inside(method: string, instead: string): LocalError {
  return new LocalError(
    'INSIDE_TRANSACTION',
    `${method}() of the client was called inside a transaction of its own: use ${instead}`,
  )
}

/** A conflict that `work` has kept to itself shows as what made COMMIT roll back. */
function mayRetry(error: unknown, { isConflict }: Pick<TransactionDialect<never>, 'isConflict'>): boolean {
  if (isConflict(error)) return true
  return error instanceof LocalError && error.code === 'TRANSACTION_ROLLED_BACK' && isConflict(error.cause)
}

function listenerIn(given: readonly unknown[], method: string): (value: unknown) => void {
  checkCount(given, 1)
  if (typeof given[0] !== 'function') throw wrong(`the listener of ${method}() is a function`)
  return given[0] as (value: unknown) => void
}

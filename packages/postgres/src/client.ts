/**
 * The client: what an application holds in its hands.
 *
 * Rules:
 * 1. Calls share a few connections. What would change one for the others is refused with the name of what to use
 *    instead; what nobody can judge from its text (a function of the user's, DO, CALL) is followed by a reset.
 * 2. What needs a connection of its own gets one: transactions, sessions, streams, copies, listening.
 * 3. Inside the function of a transaction a call on the client itself is refused, or joins it (`insideTransaction`):
 *    outside it would not see what the transaction has done, and may wait for it for ever.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { CallOptions, Link, Pollution, SessionLink, UpstreamState, WaitOptions } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  CLOSE_OPTIONS,
  checkCount,
  optionsAfter,
  type Subscription,
  WAIT_OPTIONS,
  wrong,
} from '@iokernel/core/toolkit'
import { type RowStream, SharedLimits, type StreamOptions } from '@iokernel/sql'
import type { PostgresApp } from './app.ts'
import { Caller, type Queries } from './client/caller.ts'
import { type CopyOptions, type CopySource, type CopyStream, copyFrom, copyTo } from './client/copy.ts'
import { type Channels, checkedChannel, listen, type Notification } from './client/listen.ts'
import { type LockKey, lockValues } from './client/locks.ts'
import { type PostgresSession, SessionCaller } from './client/session.ts'
import { statementsOf } from './client/statement-cache.ts'
import { streamRows } from './client/stream.ts'
import {
  beginText,
  isConflict,
  type PostgresTransaction,
  TRANSACTION_OPTIONS,
  TransactionCaller,
  type TransactionOptions,
} from './client/transaction.ts'

export interface PostgresClient extends Queries, AsyncDisposable {
  /**
   * Runs `work` between BEGIN and COMMIT, on a connection of its own. Rolls back when it throws, and rejects with what
   * it threw.
   */
  transaction<Result>(work: (tx: PostgresTransaction) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** A connection to oneself, for SET, temporary tables, advisory locks. Close it. */
  session(options?: CallOptions): Promise<PostgresSession>
  /** The same for as long as `work` lasts. */
  session<Result>(work: (session: PostgresSession) => Promise<Result>, options?: CallOptions): Promise<Result>
  /** Runs `work` while the advisory lock `key` is held, by the session that it is given. */
  withLock<Result>(
    key: LockKey,
    work: (session: PostgresSession) => Promise<Result>,
    options?: CallOptions,
  ): Promise<Result>

  /** Rows as they arrive, over a connection of its own. */
  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
  ): RowStream<Row>
  /** `copy t from stdin`, over a connection of its own. Resolves to the number of rows. */
  copyFrom(text: string, source: CopySource, options?: CopyOptions): Promise<number>
  /** `copy t to stdout`, in pieces as they arrive, over a connection of its own. */
  copyTo(text: string, options?: CopyOptions): CopyStream

  /** Notifications of channels, heard again after a reconnect. */
  listen(...channels: Channels): Subscription<Notification>
  /** Sends `payload` to a channel; at most 7999 bytes. */
  notify(channel: string, payload?: string, options?: CallOptions): Promise<void>

  readonly state: UpstreamState
  /** Resolves when calls can be answered. */
  ready(options?: WaitOptions): Promise<void>
  onState(listener: (state: UpstreamState) => void): Disposable
  /** Calls `listener` when a shared connection was dropped because a call had left state behind on it. */
  onPolluted(listener: (pollution: Pollution) => void): Disposable
  /** Lets what is in flight finish, then gives the upstream up. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>
}

export function postgresClient(link: Link, app: PostgresApp): PostgresClient {
  return new ClientCaller(link, app)
}

/** Where an asynchronous function is: inside this transaction, for as long as it is not over. */
interface Scope {
  readonly tx: TransactionCaller
  isOver: boolean
}

class ClientCaller extends Caller implements PostgresClient {
  readonly #insideTransaction: PostgresApp['insideTransaction']
  /** Made with the first transaction: following asynchronous functions costs the whole process a little. */
  #scopes: AsyncLocalStorage<Scope> | undefined

  constructor(link: Link, app: PostgresApp) {
    super(link, statementsOf(app), 'lane', app.prepare)
    this.#insideTransaction = app.insideTransaction
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
    const listener = listenerIn(given, 'onPolluted')
    return this.link.upstream.onPolluted(listener)
  }

  async close(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CLOSE_OPTIONS)
    await this.link.upstream.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.link.upstream.close()
  }

  async transaction<Result>(work: (tx: PostgresTransaction) => Promise<Result>, ...given: unknown[]): Promise<Result> {
    const options = optionsAfter(0, given, TRANSACTION_OPTIONS) ?? {}
    if (typeof work !== 'function') throw wrong('transaction() takes a function')
    this.#refuseInside('transaction', 'tx.savepoint()')
    const limits = new SharedLimits(options.deadlineMs, options.signal)
    const begin = beginText(options)
    for (let left = options.retries ?? 0; ; left--) {
      try {
        return await this.#attempt(work, begin, limits)
      } catch (error) {
        if (left === 0 || !mayRetry(error)) throw error
      }
    }
  }

  async session(...given: unknown[]): Promise<never> {
    const work = given[0]
    this.#refuseInside('session', 'tx')
    if (typeof work !== 'function') {
      const link = await this.link.session(optionsAfter(0, given, CALL_OPTIONS))
      return new SessionCaller(link, this.statements, this.prepared) as never
    }
    const link = await this.link.session(optionsAfter(1, given, CALL_OPTIONS))
    const session = new SessionCaller(link, this.statements, this.prepared)
    try {
      return (await (work as (session: PostgresSession) => Promise<unknown>)(session)) as never
    } finally {
      await session.close()
    }
  }

  async withLock<Result>(
    key: LockKey,
    work: (session: PostgresSession) => Promise<Result>,
    ...given: unknown[]
  ): Promise<Result> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    if (typeof work !== 'function') throw wrong('withLock() takes a key and a function')
    lockValues(key)
    this.#refuseInside('withLock', 'pg_advisory_xact_lock()')
    const session = new SessionCaller(await this.link.session(options), this.statements, this.prepared)
    try {
      await session.lock(key, options)
      // The reset at the end gives the lock back, whatever `work` has done to its connection.
      return await work(session)
    } finally {
      await session.close()
    }
  }

  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
    ...more: readonly unknown[]
  ): RowStream<Row> {
    checkCount(more, 0)
    const target = this.redirect('stream')
    if (target instanceof TransactionCaller) return target.stream(text, values, options)
    return streamRows<Row>(this.link, (given) => this.statement(given), { text, values, options })
  }

  async copyFrom(
    text: string,
    source: CopySource,
    options?: CopyOptions,
    ...more: readonly unknown[]
  ): Promise<number> {
    checkCount(more, 0)
    const target = this.redirect('copyFrom')
    if (target instanceof TransactionCaller) return await target.copyFrom(text, source, options)
    const during = async (work: (link: SessionLink) => Promise<number>): Promise<number> => {
      const link = await this.link.session(options?.signal === undefined ? undefined : { signal: options.signal })
      try {
        return await work(link)
      } finally {
        await link.close()
      }
    }
    return await copyFrom(during, this.statements, { text, source, options })
  }

  copyTo(text: string, options?: CopyOptions, ...more: readonly unknown[]): CopyStream {
    checkCount(more, 0)
    const target = this.redirect('copyTo')
    if (target instanceof TransactionCaller) return target.copyTo(text, options)
    return copyTo(this.link, this.statements, { text, options })
  }

  listen(...channels: unknown[]): Subscription<Notification> {
    return listen(this.link, channels)
  }

  async notify(channel: string, payload?: string, ...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    if (payload !== undefined && typeof payload !== 'string') throw wrong('the payload of a notification is a string')
    await this.query('select pg_notify($1, $2)', [checkedChannel(channel), payload ?? ''], options)
  }

  protected override redirect(method: string): Caller {
    const tx = this.#current()
    if (tx === undefined) return this
    if (this.#insideTransaction === 'join') return tx.innermost
    throw inside(method, `tx.${method}()`)
  }

  async #attempt<Result>(
    work: (tx: PostgresTransaction) => Promise<Result>,
    begin: string,
    limits: SharedLimits,
  ): Promise<Result> {
    const link = await this.link.session(limits.of())
    const tx = new TransactionCaller(link, this.statements, this.prepared, limits)
    const scope: Scope = { tx, isOver: false }
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

  #current(): TransactionCaller | undefined {
    if (this.#scopes === undefined) return undefined
    const scope = this.#scopes.getStore()
    return scope === undefined || scope.isOver ? undefined : scope.tx
  }

  #refuseInside(method: string, instead: string): void {
    if (this.#current() !== undefined) throw inside(method, instead)
  }
}

function inside(method: string, instead: string): LocalError {
  return new LocalError(
    'INSIDE_TRANSACTION',
    `${method}() of the client was called inside a transaction of its own: use ${instead}`,
  )
}

/** A conflict that `work` has kept to itself shows as what made COMMIT roll back. */
function mayRetry(error: unknown): boolean {
  if (isConflict(error)) return true
  return error instanceof LocalError && error.code === 'TRANSACTION_ROLLED_BACK' && isConflict(error.cause)
}

function listenerIn(given: readonly unknown[], method: string): (value: unknown) => void {
  checkCount(given, 1)
  if (typeof given[0] !== 'function') throw wrong(`the listener of ${method}() is a function`)
  return given[0] as (value: unknown) => void
}

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
import type { CallOptions, Link, Pollution, SessionLink, UpstreamState, WaitOptions } from '@iokernel/core/plugin'
import { CALL_OPTIONS, checkCount, optionsAfter, type Subscription, wrong } from '@iokernel/core/toolkit'
import { ClientCaller, type RowStream, type StreamOptions, type TransactionLife } from '@iokernel/sql'
import type { PostgresApp } from './app.ts'
import { type CopyOptions, type CopySource, type CopyStream, copyFrom, copyTo } from './client/copy.ts'
import { DIALECT } from './client/dialect.ts'
import { type Channels, checkedChannel, listen, type Notification } from './client/listen.ts'
import { type LockKey, lockValues } from './client/locks.ts'
import type { PostgresTypes, Queries } from './client/queries.ts'
import { type PostgresSession, Session } from './client/session.ts'
import { statementsOf } from './client/statement-cache.ts'
import { type PostgresTransaction, TRANSACTIONS, Transaction, type TransactionOptions } from './client/transaction.ts'

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
  return new Client(link, app)
}

class Client
  extends ClientCaller<PostgresTypes, TransactionOptions, PostgresSession, PostgresTransaction>
  implements PostgresClient
{
  constructor(link: Link, app: PostgresApp) {
    const parts = { dialect: DIALECT, statements: statementsOf(app), prepared: app.prepare }
    super(link, { parts, transactions: TRANSACTIONS, insideTransaction: app.insideTransaction })
  }

  async withLock<Result>(
    key: LockKey,
    work: (session: PostgresSession) => Promise<Result>,
    ...given: unknown[]
  ): Promise<Result> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    if (typeof work !== 'function') throw wrong('withLock() takes a key and a function')
    lockValues(key)
    this.refuseInside('withLock', 'pg_advisory_xact_lock()')
    return await this.duringSession(async (session) => {
      await session.lock(key, options)
      // The reset at the end gives the lock back, whatever `work` has done to its connection.
      return await work(session)
    }, options)
  }

  async copyFrom(
    text: string,
    source: CopySource,
    options?: CopyOptions,
    ...more: readonly unknown[]
  ): Promise<number> {
    checkCount(more, 0)
    const target = this.redirect('copyFrom')
    if (target instanceof Transaction) return await target.copyFrom(text, source, options)
    const during = async (work: (link: SessionLink) => Promise<number>): Promise<number> => {
      const link = await this.link.session(options?.signal === undefined ? undefined : { signal: options.signal })
      try {
        return await work(link)
      } finally {
        await link.close()
      }
    }
    return await copyFrom(during, this.parts.statements, { text, source, options })
  }

  copyTo(text: string, options?: CopyOptions, ...more: readonly unknown[]): CopyStream {
    checkCount(more, 0)
    const target = this.redirect('copyTo')
    if (target instanceof Transaction) return target.copyTo(text, options)
    return copyTo(this.link, this.parts.statements, { text, options })
  }

  listen(...channels: unknown[]): Subscription<Notification> {
    return listen(this.link, channels)
  }

  async notify(channel: string, payload?: string, ...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    if (payload !== undefined && typeof payload !== 'string') throw wrong('the payload of a notification is a string')
    await this.query('select pg_notify($1, $2)', [checkedChannel(channel), payload ?? ''], options)
  }

  protected override sessionOver(link: SessionLink): Session {
    return new Session(link, this.parts)
  }

  protected override transactionOver(life: TransactionLife): Transaction {
    return new Transaction(life, this.parts)
  }
}

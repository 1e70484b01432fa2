/**
 * The client: what an application holds in its hands.
 *
 * Rules:
 * 1. Calls share a few connections. What would change one for the others is refused with the name of what to use
 *    instead; what nobody can judge from its text (a stored function, CALL) is followed by a reset.
 * 2. What needs a connection of its own gets one: transactions, sessions, streams.
 * 3. Inside the function of a transaction a call on the client itself is refused, or joins it (`insideTransaction`):
 *    outside it would not see what the transaction has done, and may wait for it for ever.
 */
import type { CallOptions, Link, Pollution, SessionLink, UpstreamState, WaitOptions } from '@iokernel/core/plugin'
import { CALL_OPTIONS, optionsAfter, wrong } from '@iokernel/core/toolkit'
import { ClientCaller, type RowStream, type StreamOptions, type TransactionLife } from '@iokernel/sql'
import type { MysqlApp } from './app.ts'
import { DIALECT } from './client/dialect.ts'
import { checkedLock } from './client/locks.ts'
import type { MysqlTypes, Queries } from './client/queries.ts'
import { type MysqlSession, Session } from './client/session.ts'
import { statementsOf } from './client/statement-cache.ts'
import { type MysqlTransaction, TRANSACTIONS, Transaction, type TransactionOptions } from './client/transaction.ts'

export interface MysqlClient extends Queries, AsyncDisposable {
  /**
   * Runs `work` between START TRANSACTION and COMMIT, on a connection of its own. Rolls back when it throws, and
   * rejects with what it threw.
   */
  transaction<Result>(work: (tx: MysqlTransaction) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** A connection to oneself, for SET, @variables, temporary tables, locks. Close it. */
  session(options?: CallOptions): Promise<MysqlSession>
  /** The same for as long as `work` lasts. */
  session<Result>(work: (session: MysqlSession) => Promise<Result>, options?: CallOptions): Promise<Result>
  /** Runs `work` while the lock `name` (GET_LOCK) is held, by the session that it is given. */
  withLock<Result>(
    name: string,
    work: (session: MysqlSession) => Promise<Result>,
    options?: CallOptions,
  ): Promise<Result>

  /** Rows as they arrive, over a connection of its own. */
  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
  ): RowStream<Row>

  readonly state: UpstreamState
  /** Resolves when calls can be answered. */
  ready(options?: WaitOptions): Promise<void>
  onState(listener: (state: UpstreamState) => void): Disposable
  /** Calls `listener` when a shared connection was dropped because a call had left state behind on it. */
  onPolluted(listener: (pollution: Pollution) => void): Disposable
  /** Lets what is in flight finish, then gives the upstream up. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>
}

export function mysqlClient(link: Link, app: MysqlApp): MysqlClient {
  return new Client(link, app)
}

class Client
  extends ClientCaller<MysqlTypes, TransactionOptions, MysqlSession, MysqlTransaction>
  implements MysqlClient
{
  constructor(link: Link, app: MysqlApp) {
    const parts = { dialect: DIALECT, statements: statementsOf(app), prepared: app.prepare }
    super(link, { parts, transactions: TRANSACTIONS, insideTransaction: app.insideTransaction })
  }

  async withLock<Result>(
    name: string,
    work: (session: MysqlSession) => Promise<Result>,
    ...given: unknown[]
  ): Promise<Result> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    if (typeof work !== 'function') throw wrong('withLock() takes a name and a function')
    checkedLock(name)
    this.refuseInside('withLock', 'session.lock(), and begin in that session by hand')
    return await this.duringSession(async (session) => {
      await session.lock(name, options)
      // The reset at the end gives the lock back, whatever `work` has done to its connection.
      return await work(session)
    }, options)
  }

  protected override sessionOver(link: SessionLink): Session {
    return new Session(link, this.parts)
  }

  protected override transactionOver(life: TransactionLife): Transaction {
    return new Transaction(life, this.parts)
  }
}

/**
 * A session: one connection lent to one caller, with everything that needs one.
 *
 * Rules: what a caller does to it (SET, USE, @variables, temporary tables, locks, an open transaction) ends with it: it
 * is reset before anyone else uses it. A lost connection ends it, and every further call says so; nothing is silently
 * begun anew. One that is forgotten is given back when its object is collected, which may be late: close it.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { CALL_OPTIONS, checkCount, optionsAfter } from '@iokernel/core/toolkit'
import { type RowStream, SessionCaller, type StreamOptions } from '@iokernel/sql'
import type { Rows } from '../codec/result.ts'
import { type FileSource, type LoadOptions, loadLocal } from './infile.ts'
import { checkedLock, LOCK_WAIT_MAX_S } from './locks.ts'
import type { MysqlTypes, Queries } from './queries.ts'

export interface MysqlSession extends Queries, AsyncDisposable {
  /** Rows as they arrive; nothing else is answered meanwhile. */
  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
  ): RowStream<Row>
  /**
   * `load data local infile 'x' into table t`: the file is what `source` gives, whatever the statement calls it. Needs
   * `localInfile` in the target.
   */
  loadLocal(text: string, source: FileSource, options?: LoadOptions): Promise<Rows>
  /** Waits for the lock `name` (GET_LOCK). It is held until `unlock`, or the end of the session. */
  lock(name: string, options?: CallOptions): Promise<void>
  /** True where it was free. */
  tryLock(name: string, options?: CallOptions): Promise<boolean>
  /** False where it was not held. */
  unlock(name: string, options?: CallOptions): Promise<boolean>
  /** Gives the connection back. Idempotent. */
  close(): Promise<void>
  /** True once the connection is lost. */
  readonly lost: boolean
}

export class Session extends SessionCaller<MysqlTypes> implements MysqlSession {
  async loadLocal(text: string, source: FileSource, options?: LoadOptions, ...more: readonly unknown[]): Promise<Rows> {
    checkCount(more, 0)
    return await loadLocal(this.sessionLink, this.parts.statements, { text, source, options })
  }

  async lock(name: string, ...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    const value = await this.#locking('select get_lock(?, ?)', [checkedLock(name), LOCK_WAIT_MAX_S], options)
    if (value !== 1) throw new LocalError('LOCK_LOST', 'the server gave up waiting for the lock', { sent: 'maybe' })
  }

  async tryLock(name: string, ...given: unknown[]): Promise<boolean> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    return (await this.#locking('select get_lock(?, ?)', [checkedLock(name), 0], options)) === 1
  }

  async unlock(name: string, ...given: unknown[]): Promise<boolean> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    return (await this.#locking('select release_lock(?)', [checkedLock(name)], options)) === 1
  }

  async #locking(text: string, values: readonly unknown[], options: CallOptions | undefined): Promise<unknown> {
    const rows = await this.query<unknown[]>(text, values, { ...options, rows: 'arrays' })
    return rows[0]?.[0]
  }
}

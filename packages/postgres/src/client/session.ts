/**
 * A session: one connection lent to one caller, with everything that needs one.
 *
 * Rules: what a caller does to it (SET, temporary tables, advisory locks, an open transaction) ends with it: it is
 * reset before anyone else uses it. A lost connection ends it, and every further call says so; nothing is silently
 * begun anew. One that is forgotten is given back when its object is collected, which may be late: close it.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { CALL_OPTIONS, checkCount, optionsAfter } from '@iokernel/core/toolkit'
import { type RowStream, SessionCaller, type StreamOptions } from '@iokernel/sql'
import type { Rows } from '../codec/rows.ts'
import { type CopyOptions, type CopySource, type CopyStream, copyFrom, copyTo } from './copy.ts'
import { type LockKey, lockValues } from './locks.ts'
import type { PostgresTypes, Queries } from './queries.ts'

export interface PostgresSession extends Queries, AsyncDisposable {
  /** Rows as they arrive; nothing else is answered meanwhile. */
  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
  ): RowStream<Row>
  /** `copy t from stdin`. Resolves to the number of rows. */
  copyFrom(text: string, source: CopySource, options?: CopyOptions): Promise<number>
  /** `copy t to stdout`, in pieces as they arrive. */
  copyTo(text: string, options?: CopyOptions): CopyStream
  /** Waits for the advisory lock `key`. It is held until `unlock`, or the end of the session. */
  lock(key: LockKey, options?: CallOptions): Promise<void>
  /** True where it was free. */
  tryLock(key: LockKey, options?: CallOptions): Promise<boolean>
  /** False where it was not held. */
  unlock(key: LockKey, options?: CallOptions): Promise<boolean>
  /** Gives the connection back. Idempotent. */
  close(): Promise<void>
  /** True once the connection is lost. */
  readonly lost: boolean
}

export class Session extends SessionCaller<PostgresTypes> implements PostgresSession {
  async copyFrom(
    text: string,
    source: CopySource,
    options?: CopyOptions,
    ...more: readonly unknown[]
  ): Promise<number> {
    checkCount(more, 0)
    return await copyFrom((work) => work(this.sessionLink), this.parts.statements, { text, source, options })
  }

  copyTo(text: string, options?: CopyOptions, ...more: readonly unknown[]): CopyStream {
    checkCount(more, 0)
    return copyTo(this.link, this.parts.statements, { text, options })
  }

  async lock(key: LockKey, ...given: unknown[]): Promise<void> {
    await this.#locking('pg_advisory_lock', key, optionsAfter(0, given, CALL_OPTIONS))
  }

  async tryLock(key: LockKey, ...given: unknown[]): Promise<boolean> {
    return (await this.#locking('pg_try_advisory_lock', key, optionsAfter(0, given, CALL_OPTIONS)))[0]?.[0] === true
  }

  async unlock(key: LockKey, ...given: unknown[]): Promise<boolean> {
    return (await this.#locking('pg_advisory_unlock', key, optionsAfter(0, given, CALL_OPTIONS)))[0]?.[0] === true
  }

  #locking(name: string, key: LockKey, options: CallOptions | undefined): Promise<Rows<unknown[]>> {
    const { values, types } = lockValues(key)
    return this.query<unknown[]>(`select ${name}(${types})`, values, { ...options, rows: 'arrays' })
  }
}

/**
 * A session: one connection lent to one caller, with everything that needs one.
 *
 * Rules: what a caller does to it (SET, USE, @variables, temporary tables, locks, an open transaction) ends with it: it
 * is reset before anyone else uses it. A lost connection ends it, and every further call says so; nothing is silently
 * begun anew. One that is forgotten is given back when its object is collected, which may be late: close it.
 */
import type { CallOptions, SessionLink } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { CALL_OPTIONS, checkCount, optionsAfter } from '@iokernel/core/toolkit'
import type { RowStream, StreamOptions } from '@iokernel/sql'
import type { Rows } from '../codec/result.ts'
import { Caller, type Queries } from './caller.ts'
import { type FileSource, type LoadOptions, loadLocal } from './infile.ts'
import { checkedLock, LOCK_WAIT_MAX_S } from './locks.ts'
import type { Statements } from './statement-cache.ts'
import { streamRows } from './stream.ts'

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

/** Gives sessions back that nobody can use any more. */
const forgotten = new FinalizationRegistry<SessionLink>((link) => {
  link.close().catch(() => undefined)
})

export class SessionCaller extends Caller implements MysqlSession {
  readonly #link: SessionLink

  constructor(link: SessionLink, statements: Statements, prepared: boolean) {
    super(link, statements, 'session', prepared)
    this.#link = link
    forgotten.register(this, link, this)
  }

  get lost(): boolean {
    return this.#link.lost
  }

  stream<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StreamOptions,
    ...more: readonly unknown[]
  ): RowStream<Row> {
    checkCount(more, 0)
    const request = { prepared: this.prepared, text, values, options }
    return streamRows<Row>(this.link, this.statement.bind(this), request)
  }

  async loadLocal(text: string, source: FileSource, options?: LoadOptions, ...more: readonly unknown[]): Promise<Rows> {
    checkCount(more, 0)
    return await loadLocal(this.#link, this.statements, { text, source, options })
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

  async close(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    forgotten.unregister(this)
    await this.#link.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #locking(text: string, values: readonly unknown[], options: CallOptions | undefined): Promise<unknown> {
    const rows = await this.query<unknown[]>(text, values, { ...options, rows: 'arrays' })
    return rows[0]?.[0]
  }
}

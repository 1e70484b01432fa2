/**
 * A transaction: a connection of one's own from its beginning to COMMIT, and savepoints within it.
 *
 * Rules:
 * 1. After its end nothing goes through it any more.
 * 2. While a savepoint is open, only the transaction that its function was given is used: what goes past it would be
 *    undone with it, and nobody would know.
 * 3. It is not begun or ended by hand: that is refused.
 *
 * Theory of operation: a savepoint is a transaction object of its own over the same connection; all parts share a
 * `TransactionLife`. What a failure means is the database's to know (one has undone nothing, the other everything), and
 * so is how a savepoint is undone: those are methods of its class.
 */
import type { CallOptions, SessionLink } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkCount, wrong } from '@iokernel/core/toolkit'
import { Caller, type CallerParts } from './caller.ts'
import type { JudgedStatement, RowsOf, SqlTypes } from './dialect.ts'
import type { SharedLimits } from './shared-limits.ts'

/** What the parts of one transaction share. */
export class TransactionLife {
  readonly link: SessionLink
  readonly limits: SharedLimits
  #names = 0

  constructor(link: SessionLink, limits: SharedLimits) {
    this.link = link
    this.limits = limits
  }

  /** Names of savepoints and the like are used once. */
  nextName(prefix: string): string {
    return `${prefix}${++this.#names}`
  }
}

/** `Tx`: what the functions of savepoints are given. */
export abstract class TransactionCaller<Types extends SqlTypes, Tx> extends Caller<Types> {
  protected readonly life: TransactionLife
  #ended = false
  /** The savepoint of this one that is open. */
  #inner: TransactionCaller<Types, Tx> | undefined

  constructor(life: TransactionLife, parts: CallerParts<Types>) {
    super(life.link, parts, 'session')
    this.life = life
  }

  /** Where a statement goes that is made now: into the savepoint that is open, and the one within that. */
  get innermost(): TransactionCaller<Types, Tx> {
    return this.#inner?.innermost ?? this
  }

  /** The statements go out one behind the other; where one fails, none of the user's has gone out. */
  async begin(texts: readonly string[]): Promise<void> {
    await Promise.all(texts.map((text) => this.control(text)))
  }

  /** Commits; rejects where the server has rolled back instead. */
  async commit(): Promise<void> {
    this.#ended = true
    await this.commitOrThrow()
  }

  /** Rolls back. What fails here changes nothing: the connection is reset before anyone else uses it. */
  async rollback(): Promise<void> {
    this.#ended = true
    const { session } = this.parts.dialect.simple
    await this.life.link.request(session, this.plain('rollback')).catch(() => undefined)
  }

  async savepoint<Result>(work: (tx: Tx) => Promise<Result>, ...more: readonly unknown[]): Promise<Result> {
    checkCount(more, 0)
    this.redirect()
    if (typeof work !== 'function') throw wrong('savepoint() takes a function')
    const name = this.life.nextName('s')
    const inner = this.nested()
    this.#inner = inner
    try {
      await this.control(`savepoint ${name}`)
      let result: Result
      try {
        result = await work(inner)
      } catch (error) {
        inner.#ended = true
        await this.undo(name)
        throw error
      }
      inner.#ended = true
      await this.release(name)
      return result
    } finally {
      this.#inner = undefined
    }
  }

  /** The same transaction once more, for a savepoint. */
  protected abstract nested(): TransactionCaller<Types, Tx> & Tx

  protected abstract commitOrThrow(): Promise<void>

  /** A savepoint's function has returned: what it did belongs to the transaction. */
  protected abstract release(name: string): Promise<unknown>

  /** Undoes a savepoint whose function has failed. Its own failure shows at the next call. */
  protected abstract undo(name: string): Promise<void>

  /** Throws where nothing more may go through, savepoints open or not. */
  protected mustBeAlive(): void {}

  protected override redirect(): this {
    if (this.#ended) {
      throw new LocalError('TRANSACTION_ENDED', 'the transaction has ended: await everything inside its function')
    }
    this.mustBeAlive()
    if (this.#inner !== undefined) {
      throw new LocalError('SAVEPOINT_OPEN', 'a savepoint is open: use the transaction that its function was given')
    }
    return this
  }

  protected override callOptions(options: CallOptions | undefined): CallOptions | undefined {
    return this.life.limits.of(options)
  }

  protected override refuse(statement: JudgedStatement): void {
    super.refuse(statement)
    if (statement.analysis.controlsTransaction) {
      throw new LocalError('REFUSED', this.parts.dialect.words.endsTransaction)
    }
  }

  /** A statement of the transaction's own. Returns the first of its results. */
  protected async control(text: string): Promise<RowsOf<Types, unknown>> {
    const { session } = this.parts.dialect.simple
    const results = await this.life.link.request(session, this.plain(text), this.life.limits.of())
    return results[0] as RowsOf<Types, unknown>
  }
}

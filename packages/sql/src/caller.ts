/**
 * What a client, a session and a transaction have in common: statements go out over a link, and rows come back.
 *
 * Rules: every method checks what it was given before anything is sent; what is wrong rejects, it does not throw (a
 * stream throws: it is no promise). A shared connection takes what the analysis lets pass; a connection of one's own
 * takes everything but what would break its framing or what the kernel keeps elsewhere.
 */
import type { CallOptions, Link, Operation } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkCount } from '@iokernel/core/toolkit'
import type { Dialect, Execution, JudgedStatement, Operations, RowsOf, SqlTypes } from './dialect.ts'
import {
  checkedQueryOptions,
  checkedSimpleOptions,
  checkedStreamOptions,
  checkedText,
  checkedValues,
  NO_VALUES,
  type QueryOptions,
  type StreamOptions,
} from './query-options.ts'
import { type RowStream, readRows } from './row-stream.ts'
import type { StatementCache } from './statement-cache.ts'

export type CallerPlace = 'lane' | 'session'

/** What a client hands on to its sessions and transactions. */
export interface CallerParts<Types extends SqlTypes> {
  readonly dialect: Dialect<Types>
  readonly statements: StatementCache<Types['statement']>
  /** Whether statements are prepared where a call does not say so. */
  readonly prepared: boolean
}

export abstract class Caller<Types extends SqlTypes> {
  protected readonly link: Link
  protected readonly parts: CallerParts<Types>
  readonly #place: CallerPlace
  #sql: Types['tag'] | undefined

  constructor(link: Link, parts: CallerParts<Types>, place: CallerPlace) {
    this.link = link
    this.parts = parts
    this.#place = place
  }

  get sql(): Types['tag'] {
    this.#sql ??= this.parts.dialect.tag((text, values, options) => this.query(text, values, options))
    return this.#sql
  }

  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
    ...more: readonly unknown[]
  ): Promise<RowsOf<Types, Row>> {
    try {
      if (more.length > 0) checkCount(more, 0)
      const target = this.redirect('query')
      if (target !== this) return target.query(text, values, options)
      const { asArrays, prepared, call } = checkedQueryOptions(options)
      const execution = this.#execution(text, values, asArrays, prepared)
      const operation = this.#operation(this.parts.dialect.query, execution.statement)
      return this.request(operation, execution, call) as Promise<RowsOf<Types, Row>>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  simple(text: string, ...given: readonly unknown[]): Promise<RowsOf<Types, Record<string, unknown>>[]> {
    try {
      const { dialect, statements } = this.parts
      const [values, options] = dialect.simpleTakesValues ? given : [undefined, given[0]]
      checkCount(given, dialect.simpleTakesValues ? 2 : 1)
      const target = this.redirect('simple')
      if (target !== this) return target.simple(text, ...given)
      const { asArrays, call } = checkedSimpleOptions(options)
      const statement = statements.of(checkedText(text))
      this.refuse(statement)
      if (statement.analysis.statements > 1 && this.#place === 'lane' && dialect.words.severalShared !== undefined) {
        throw new LocalError('SESSION_ONLY', dialect.words.severalShared)
      }
      const checked = checkedValues(values, dialect.placeholder)
      const operation = this.#operation(dialect.simple, statement)
      return this.request(operation, { statement, values: checked, asArrays, prepared: false }, call) as Promise<
        RowsOf<Types, Record<string, unknown>>[]
      >
    } catch (error) {
      return Promise.reject(error)
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
    if (target !== this) return target.stream(text, values, options)
    const { asArrays, prepared, call } = checkedStreamOptions(options)
    const execution = this.#execution(text, values, asArrays, prepared)
    const { dialect } = this.parts
    const operation = execution.statement.analysis.kind === 'read' ? dialect.stream.read : dialect.stream.write
    const limited = this.callOptions(call)
    const open = () => this.link.stream(operation, execution, limited)
    return readRows<Row>(open, dialect.parserOf(execution), (error) => this.failed(error))
  }

  /** Who takes a call instead, where one is made in the wrong place. Throws where it is refused. */
  protected redirect(_method: string): Caller<Types> {
    return this
  }

  /** What the kernel is told beside the call. */
  protected callOptions(options: CallOptions | undefined): CallOptions | undefined {
    return options
  }

  protected request<Args, Reply>(
    operation: Operation<Args, Reply>,
    args: Args,
    options: CallOptions | undefined,
  ): Promise<Reply> {
    return this.link.request(operation, args, this.callOptions(options))
  }

  /** Told what has ended a stream. */
  protected failed(_error: unknown): void {}

  /** One statement that may run here. */
  protected statement(text: string): Types['statement'] {
    const { statements, dialect } = this.parts
    const statement = statements.of(text)
    if (statement.analysis.statements > 1) {
      throw new LocalError('ARGUMENT', `query() takes one statement: ${dialect.words.several}`)
    }
    this.refuse(statement)
    return statement
  }

  /** Throws where a statement must not run here. */
  protected refuse({ analysis }: JudgedStatement): void {
    if (analysis.refusalEverywhere !== undefined) {
      throw new LocalError(
        'REFUSED',
        `this statement is not sent by query() or simple(): ${analysis.refusalEverywhere}`,
      )
    }
    if (analysis.refusal !== undefined && this.#place === 'lane') {
      throw new LocalError('SESSION_ONLY', `a connection that is shared does not run this: ${analysis.refusal}`)
    }
  }

  /** A statement of the kernel's own business: BEGIN, COMMIT, savepoints. */
  protected plain(text: string): Execution<Types['statement']> {
    return { statement: this.parts.statements.of(text), values: NO_VALUES, asArrays: false, prepared: false }
  }

  #execution(text: unknown, given: unknown, asArrays: boolean, isPreparing: boolean): Execution<Types['statement']> {
    const { dialect, prepared } = this.parts
    const statement = this.statement(checkedText(text))
    const values = checkedValues(given, dialect.placeholder)
    return {
      statement,
      values,
      asArrays,
      prepared: isPreparing && prepared && dialect.isPrepared(statement, values),
    }
  }

  #operation<Reply>(
    operations: Operations<Types, Reply>,
    { analysis }: JudgedStatement,
  ): Operation<Execution<Types['statement']>, Reply> {
    if (this.#place === 'session' || analysis.kind === 'refused') return operations.session
    return operations[analysis.kind]
  }
}

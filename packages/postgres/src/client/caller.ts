/**
 * What a client, a session and a transaction have in common: statements go out over a link, and rows come back.
 *
 * Rules: every method checks what it was given before anything is sent; what is wrong rejects, it does not throw. A
 * shared connection takes what the analysis lets pass; a connection of one's own takes everything but what would break
 * its framing (COPY) or what the kernel keeps elsewhere (LISTEN).
 */
import type { CallOptions, Link } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkCount } from '@iokernel/core/toolkit'
import {
  checkedQueryOptions,
  checkedSimpleOptions,
  checkedText,
  checkedValues,
  NO_VALUES,
  type QueryOptions,
  type SimpleOptions,
} from '@iokernel/sql'
import type { Rows } from '../codec/rows.ts'
import type { Statement } from '../codec/statement.ts'
import {
  type Execution,
  QUERY_READ,
  QUERY_SESSION,
  QUERY_TAINT,
  QUERY_WRITE,
  SIMPLE_READ,
  SIMPLE_SESSION,
  SIMPLE_TAINT,
  SIMPLE_WRITE,
} from './operations.ts'
import { type Sql, sqlTag } from './sql.ts'
import type { Statements } from './statement-cache.ts'

/** What can be asked of a client, a session and a transaction alike. */
export interface Queries {
  /** One statement, prepared: `query('select … where id = $1', [id])`. */
  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<Rows<Row>>
  /** The same as a template: ``sql`select … where id = ${id}` ``. */
  readonly sql: Sql
  /** One or more statements without values, one result for each. They are one transaction unless they say otherwise. */
  simple(text: string, options?: SimpleOptions): Promise<Rows[]>
}

export type CallerPlace = 'lane' | 'session'

const QUERY_ON_LANE = { read: QUERY_READ, write: QUERY_WRITE, taint: QUERY_TAINT } as const
const SIMPLE_ON_LANE = { read: SIMPLE_READ, write: SIMPLE_WRITE, taint: SIMPLE_TAINT } as const

export abstract class Caller implements Queries {
  protected readonly link: Link
  protected readonly statements: Statements
  protected readonly place: CallerPlace
  /** Whether statements are prepared where a call does not say so. */
  protected readonly prepared: boolean
  #sql: Sql | undefined

  constructor(link: Link, statements: Statements, place: CallerPlace, prepared: boolean) {
    this.link = link
    this.statements = statements
    this.place = place
    this.prepared = prepared
  }

  get sql(): Sql {
    this.#sql ??= sqlTag(<Row>(...given: Parameters<Queries['query']>) => this.query<Row>(...given))
    return this.#sql
  }

  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
    ...more: readonly unknown[]
  ): Promise<Rows<Row>> {
    try {
      if (more.length > 0) checkCount(more, 0)
      const target = this.redirect('query')
      if (target !== this) return target.query(text, values, options)
      const { asArrays, prepared, call } = checkedQueryOptions(options)
      const statement = this.statement(checkedText(text))
      const execution: Execution = {
        statement,
        values: checkedValues(values, '$1'),
        asArrays,
        prepared: prepared && this.prepared,
      }
      return this.run(execution, call) as Promise<Rows<Row>>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  simple(text: string, options?: SimpleOptions, ...more: readonly unknown[]): Promise<Rows[]> {
    try {
      checkCount(more, 0)
      const target = this.redirect('simple')
      if (target !== this) return target.simple(text, options)
      const { asArrays, call } = checkedSimpleOptions(options)
      const statement = this.statements.of(checkedText(text))
      this.refuse(statement)
      return this.runSimple({ statement, values: NO_VALUES, asArrays, prepared: false }, call) as Promise<Rows[]>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Who takes a call instead, where one is made in the wrong place. Throws where it is refused. */
  protected redirect(_method: string): Caller {
    return this
  }

  /** What the kernel is told beside the call. */
  protected callOptions(options: CallOptions | undefined): CallOptions | undefined {
    return options
  }

  protected run(execution: Execution, options: CallOptions | undefined): Promise<Rows<unknown>> {
    const { kind } = execution.statement.analysis
    const operation = this.place === 'session' || kind === 'refused' ? QUERY_SESSION : QUERY_ON_LANE[kind]
    return this.link.request(operation, execution, this.callOptions(options))
  }

  protected runSimple(execution: Execution, options: CallOptions | undefined): Promise<Rows<unknown>[]> {
    const { kind } = execution.statement.analysis
    const operation = this.place === 'session' || kind === 'refused' ? SIMPLE_SESSION : SIMPLE_ON_LANE[kind]
    return this.link.request(operation, execution, this.callOptions(options))
  }

  /** One statement that may run here. */
  protected statement(text: string): Statement {
    const statement = this.statements.of(text)
    if (statement.analysis.statements > 1) {
      throw new LocalError('ARGUMENT', 'query() takes one statement: use simple(), or one call for each')
    }
    this.refuse(statement)
    return statement
  }

  /** Throws where a statement must not run here. */
  protected refuse({ analysis }: Statement): void {
    if (analysis.refusalEverywhere !== undefined) {
      throw new LocalError(
        'REFUSED',
        `this statement is not sent by query() or simple(): ${analysis.refusalEverywhere}`,
      )
    }
    if (analysis.refusal !== undefined && this.place === 'lane') {
      throw new LocalError('SESSION_ONLY', `a connection that is shared does not run this: ${analysis.refusal}`)
    }
  }
}

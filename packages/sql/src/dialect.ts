/**
 * What a database says of itself, so that the callers here can speak for it.
 *
 * Rules: plain data and pure functions; nothing of a connection or of a call. A database's way of judging its
 * statements, encoding them and reading rows is its own; here is what is asked of it.
 */
import type { Operation } from '@iokernel/core/plugin'
import type { QueryOptions } from './query-options.ts'
import type { RowParser } from './row-stream.ts'

/** What the analysis of a text has found. */
export interface Judgement {
  /** `read`: proven to change nothing. `write`: leaves its connection as it was. `taint`: nobody knows. */
  readonly kind: 'read' | 'write' | 'taint' | 'refused'
  readonly statements: number
  /** What to use instead, where a shared connection refuses it. */
  readonly refusal: string | undefined
  /** The same for what no connection takes this way. */
  readonly refusalEverywhere: string | undefined
  /** Begins or ends a transaction. */
  readonly controlsTransaction: boolean
}

export interface JudgedStatement {
  readonly analysis: Judgement
}

/**
 * The types of one database. `rows` is written with `this['row']`, which stands for whatever a row is:
 *
 *   interface PostgresTypes extends SqlTypes { readonly rows: Rows<this['row']> … }
 */
export interface SqlTypes {
  readonly row: unknown
  readonly rows: unknown
  readonly statement: JudgedStatement
  /** What is written before a template. */
  readonly tag: unknown
}

/** The result of a statement whose rows are `Row`. */
export type RowsOf<Types extends SqlTypes, Row> = (Types & { readonly row: Row })['rows']

/** One execution of a statement. */
export interface Execution<Statement> {
  readonly statement: Statement
  readonly values: readonly unknown[]
  readonly asArrays: boolean
  /** False: it goes out as the database sends what it does not keep prepared. */
  readonly prepared: boolean
}

type Executing<Types extends SqlTypes, Reply> = Operation<Execution<Types['statement']>, Reply>

/** How a statement goes out follows from what it may do, and from where it is. */
export interface Operations<Types extends SqlTypes, Reply> {
  readonly read: Executing<Types, Reply>
  readonly write: Executing<Types, Reply>
  readonly taint: Executing<Types, Reply>
  /** On a connection of one's own. */
  readonly session: Executing<Types, Reply>
}

export interface Dialect<Types extends SqlTypes> {
  readonly query: Operations<Types, RowsOf<Types, unknown>>
  readonly simple: Operations<Types, RowsOf<Types, unknown>[]>
  readonly stream: { readonly read: Executing<Types, never>; readonly write: Executing<Types, never> }
  /** True where `simple(text, values, options)` takes values; else it is `simple(text, options)`. */
  readonly simpleTakesValues: boolean
  /** What stands for the first value in a text. */
  readonly placeholder: string
  readonly words: {
    /** What to do instead of giving `query()` several statements. */
    readonly several: string
    /** The same for `simple()` of a shared connection; `undefined` where it may have several. */
    readonly severalShared: string | undefined
    /** Why a transaction does not run what would end it. */
    readonly endsTransaction: string
  }
  /** Whether a statement is prepared where nobody says otherwise. */
  isPrepared(statement: Types['statement'], values: readonly unknown[]): boolean
  parserOf(execution: Execution<Types['statement']>): RowParser
  tag(send: SendRows<Types>): Types['tag']
}

export type SendRows<Types extends SqlTypes> = <Row>(
  text: string,
  values: readonly unknown[],
  options: QueryOptions | undefined,
) => Promise<RowsOf<Types, Row>>

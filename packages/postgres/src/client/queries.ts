/** What can be asked of a client, a session and a transaction alike, and by what types PostgreSQL answers. */
import type { QueryOptions, SimpleOptions, SqlTypes } from '@iokernel/sql'
import type { Rows } from '../codec/rows.ts'
import type { Statement } from '../codec/statement.ts'
import type { Sql } from './sql.ts'

export interface PostgresTypes extends SqlTypes {
  readonly rows: Rows<this['row']>
  readonly statement: Statement
  readonly tag: Sql
}

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

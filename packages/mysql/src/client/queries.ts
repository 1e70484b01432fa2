/** What can be asked of a client, a session and a transaction alike, and by what types MySQL answers. */
import type { QueryOptions, SimpleOptions, SqlTypes } from '@iokernel/sql'
import type { Rows } from '../codec/result.ts'
import type { Statement } from '../codec/statement.ts'
import type { Sql } from './sql.ts'

export interface MysqlTypes extends SqlTypes {
  readonly rows: Rows<this['row']>
  readonly statement: Statement
  readonly tag: Sql
}

/** What can be asked of a client, a session and a transaction alike. */
export interface Queries {
  /** One statement, prepared: `query('select … where id = ?', [id])`. Of several results (CALL), the first. */
  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<Rows<Row>>
  /** The same as a template: ``sql`select … where id = ${id}` ``. */
  readonly sql: Sql
  /**
   * As text, with values written into it (`?` a value, `??` a name): a result for each that the server gives. Several
   * statements in one text on a session only.
   */
  simple(text: string, values?: readonly unknown[], options?: SimpleOptions): Promise<Rows[]>
}

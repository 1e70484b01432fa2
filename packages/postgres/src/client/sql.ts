/**
 * Statements written as templates, as PostgreSQL takes them: values are numbered, names stand in double quotes.
 *
 * Rules: see `Templates`. What is put in is a value, unless it was made here: a fragment, a quoted name, JSON.
 */
import { type SendRows, type SqlFragment, type SqlQuery as SqlQueryOf, Templates } from '@iokernel/sql'
import type { Rows } from '../codec/rows.ts'
import { Json } from '../codec/values.ts'
import type { PostgresTypes } from './queries.ts'

/** A statement that is sent when it is awaited. */
export type SqlQuery<Row = Record<string, unknown>> = SqlQueryOf<Rows<Row>>

export interface Sql {
  /** A statement, or a piece of one. */
  <Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: unknown[]): SqlQuery<Row>
  /** A name, quoted: `identifier('public', 'orders')` is `"public"."orders"`. */
  identifier(...names: string[]): SqlFragment
  /** A value that is JSON whatever it is; for arrays, which would be arrays of PostgreSQL. */
  json(value: unknown): Json
}

export function sqlTag(send: SendRows<PostgresTypes>): Sql {
  const sql = <Row>(strings: TemplateStringsArray, ...values: unknown[]): SqlQuery<Row> =>
    TEMPLATES.query<Rows<Row>>(strings, values, send)
  return Object.assign(sql, {
    identifier: (...names: string[]) => TEMPLATES.identifier(names),
    json: (value: unknown) => new Json(value),
  })
}

const TEMPLATES = new Templates({
  placeholder: (index) => `$${index}`,
  quoteName: (name) => `"${name.replaceAll('"', '""')}"`,
})

/**
 * Statements written as templates, as MySQL takes them: a question mark for each value, names in backticks.
 *
 * Rules: see `Templates`. What is put in is a value, unless it was made here: a fragment, a quoted name, a list, JSON.
 */
import { type SendRows, type SqlFragment, type SqlQuery as SqlQueryOf, Templates } from '@iokernel/sql'
import { escapeId } from 'sql-escaper'
import type { Rows } from '../codec/result.ts'
import { Json } from '../codec/values.ts'
import type { MysqlTypes } from './queries.ts'

/** A statement that is sent when it is awaited. */
export type SqlQuery<Row = Record<string, unknown>> = SqlQueryOf<Rows<Row>>

export interface Sql {
  /** A statement, or a piece of one. */
  <Row = Record<string, unknown>>(strings: TemplateStringsArray, ...values: unknown[]): SqlQuery<Row>
  /** A name, quoted: `identifier('shop', 'orders')` is shop.orders, each in backticks. */
  identifier(...names: string[]): SqlFragment
  /** A value that is JSON whatever it is. */
  json(value: unknown): Json
  /** Values with commas between them: ``where id in (${sql.list(ids)})``. */
  list(values: readonly unknown[]): SqlFragment
}

export function sqlTag(send: SendRows<MysqlTypes>): Sql {
  const sql = <Row>(strings: TemplateStringsArray, ...values: unknown[]): SqlQuery<Row> =>
    TEMPLATES.query<Rows<Row>>(strings, values, send)
  return Object.assign(sql, {
    identifier: (...names: string[]) => TEMPLATES.identifier(names),
    list: (values: readonly unknown[]) => TEMPLATES.list(values),
    json: (value: unknown) => new Json(value),
  })
}

const TEMPLATES = new Templates({
  placeholder: () => '?',
  // Each name is one name: a dot in it is part of it.
  quoteName: (name) => escapeId(name, true),
})

/**
 * Statements written as templates: what is put in is a value, never text.
 *
 *   await db.sql`select * from orders where id = ${id}`
 *   const since = db.sql`placed > ${date}`
 *   await db.sql`select ${db.sql.identifier('id')} from orders where ${since}`
 *
 * Rules:
 * 1. Everything between `${` and `}` becomes a parameter, unless it was made here: a fragment (another template), a
 *    quoted name, a list, JSON. What comes from outside cannot look like one, for these are told by their class.
 * 2. A template is sent when it is awaited, once; one that is only put into another is never sent.
 * 3. Called like a function it is refused: a string is no template.
 *
 * Theory of operation: a template without fragments has the same text each time, kept by the identity of its strings;
 * one with fragments is put together, and its values with it.
 */

import { wrong } from '@iokernel/core/toolkit'
import { escapeId } from 'sql-escaper'
import type { Rows } from '../codec/result.ts'
import { Json } from '../codec/values.ts'
import type { QueryOptions } from './query.ts'

/** Sends a statement. */
export type Send = (text: string, values: readonly unknown[], options: QueryOptions | undefined) => Promise<Rows>

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

/** A piece of a statement. Made by `sql` and nothing else. */
export class SqlFragment {
  readonly #strings: readonly string[]
  readonly #values: readonly unknown[]

  constructor(strings: readonly string[], values: readonly unknown[]) {
    this.#strings = strings
    this.#values = values
  }

  /** The text with its placeholders, and their values. */
  get statement(): { readonly text: string; readonly values: readonly unknown[] } {
    if (!this.#values.some((value) => value instanceof SqlFragment)) {
      return { text: textOf(this.#strings), values: this.#values }
    }
    const values: unknown[] = []
    return { text: this.#compose(values), values }
  }

  #compose(values: unknown[]): string {
    let text = this.#strings[0] as string
    for (const [index, value] of this.#values.entries()) {
      if (value instanceof SqlFragment) text += value.#compose(values)
      else {
        values.push(value)
        text += '?'
      }
      text += this.#strings[index + 1]
    }
    return text
  }
}

/** A statement that is sent when it is awaited. */
export class SqlQuery<Row = Record<string, unknown>> extends SqlFragment implements PromiseLike<Rows<Row>> {
  readonly #send: Send
  #sent: Promise<Rows<Row>> | undefined

  constructor(strings: readonly string[], values: readonly unknown[], send: Send) {
    super(strings, values)
    this.#send = send
  }

  /** Sends it with options. It can be sent once. */
  run(options?: QueryOptions): Promise<Rows<Row>> {
    if (this.#sent !== undefined && options !== undefined) {
      return Promise.reject(wrong('this statement was sent: its options come too late'))
    }
    if (this.#sent === undefined) {
      const { text, values } = this.statement
      this.#sent = this.#send(text, values, options) as Promise<Rows<Row>>
    }
    return this.#sent
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting it is what sends it.
  then<Fulfilled = Rows<Row>, Rejected = never>(
    onFulfilled?: ((rows: Rows<Row>) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.run().then(onFulfilled, onRejected)
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Rows<Row> | Rejected> {
    return this.run().catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<Rows<Row>> {
    return this.run().finally(onFinally)
  }
}

export function sqlTag(send: Send): Sql {
  const sql = <Row>(strings: TemplateStringsArray, ...values: unknown[]): SqlQuery<Row> => {
    if (!Array.isArray(strings) || !Array.isArray(strings.raw) || strings.length !== values.length + 1) {
      throw wrong('sql is written before a template, without parentheses; for a string use query()')
    }
    return new SqlQuery<Row>(strings, values, send)
  }
  return Object.assign(sql, { identifier, list, json: (value: unknown) => new Json(value) })
}

function identifier(...names: string[]): SqlFragment {
  if (names.length === 0) throw wrong('an identifier has a name')
  const quoted = names.map((name) => {
    if (typeof name !== 'string' || name === '' || name.includes('\0')) {
      throw wrong('an identifier is a string that is not empty and has no NUL')
    }
    return escapeId(name, true)
  })
  return new SqlFragment([quoted.join('.')], [])
}

function list(values: readonly unknown[]): SqlFragment {
  if (!Array.isArray(values) || values.length === 0) throw wrong('a list has at least one value: in () is no SQL')
  return new SqlFragment(['', ...new Array<string>(values.length - 1).fill(', '), ''], values)
}

/** Texts of templates without fragments, by their strings, which are the same object at each evaluation. */
const texts = new WeakMap<readonly string[], string>()

function textOf(strings: readonly string[]): string {
  const known = texts.get(strings)
  if (known !== undefined) return known
  const text = strings.join('?')
  texts.set(strings, text)
  return text
}

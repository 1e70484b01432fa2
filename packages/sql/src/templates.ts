/**
 * Statements written as templates: what is put in is a value, never text.
 *
 *   await db.sql`select * from orders where id = ${id}`
 *   const since = db.sql`placed > ${date}`
 *   await db.sql`select ${db.sql.identifier('id')} from orders where ${since}`
 *
 * Rules:
 * 1. Everything between `${` and `}` becomes a value, unless it is a fragment: another template, a quoted name. What
 *    comes from outside cannot look like one, for these are told by their class.
 * 2. A fragment goes into statements of its own database alone: another quotes names differently, or not at all.
 * 3. A template is sent when it is awaited, once; one that is only put into another is never sent.
 * 4. Called like a function it is refused: a string is no template.
 *
 * Theory of operation: a template without fragments has the same text each time, kept by the identity of its strings
 * (for each database, for the same line of source may be given the `sql` of either); one with fragments is put
 * together, and its values with it.
 */
import { wrong } from '@iokernel/core/toolkit'
import type { QueryOptions } from './query-options.ts'

/** How a database writes what is not its own text. */
export interface TemplateDialect {
  /** What stands in the text for the value number `index`; the first is 1. */
  placeholder(index: number): string
  /** A name, quoted. It is not empty and has no NUL. */
  quoteName(name: string): string
}

/** Sends a statement. */
export type Send<Result> = (
  text: string,
  values: readonly unknown[],
  options: QueryOptions | undefined,
) => Promise<Result>

/** Makes the templates of one database. */
export class Templates {
  readonly #dialect: TemplateDialect
  /** Texts of templates without fragments, by their strings, which are the same object at each evaluation. */
  readonly #texts = new WeakMap<readonly string[], string>()

  constructor(dialect: TemplateDialect) {
    this.#dialect = dialect
  }

  /** What a tag returns for the template it stands before. */
  query<Result>(strings: TemplateStringsArray, values: readonly unknown[], send: Send<Result>): SqlQuery<Result> {
    if (!Array.isArray(strings) || !Array.isArray(strings.raw) || strings.length !== values.length + 1) {
      throw wrong('sql is written before a template, without parentheses; for a string use query()')
    }
    return new SqlQuery(this, strings, values, send)
  }

  /** A name of one part or more, each quoted, with dots between them. */
  identifier(names: readonly unknown[]): SqlFragment {
    if (names.length === 0) throw wrong('an identifier has a name')
    const quoted = names.map((name) => {
      if (typeof name !== 'string' || name === '' || name.includes('\0')) {
        throw wrong('an identifier is a string that is not empty and has no NUL')
      }
      return this.#dialect.quoteName(name)
    })
    return new SqlFragment(this, [quoted.join('.')], [])
  }

  /** Values with commas between them. */
  list(values: readonly unknown[]): SqlFragment {
    if (!Array.isArray(values) || values.length === 0) throw wrong('a list has at least one value: in () is no SQL')
    return new SqlFragment(this, ['', ...new Array<string>(values.length - 1).fill(', '), ''], [...values])
  }

  placeholder(index: number): string {
    return this.#dialect.placeholder(index)
  }

  /** Of a template without fragments. */
  textOf(strings: readonly string[]): string {
    const known = this.#texts.get(strings)
    if (known !== undefined) return known
    let text = strings[0] as string
    for (let index = 1; index < strings.length; index++) text += `${this.placeholder(index)}${strings[index]}`
    this.#texts.set(strings, text)
    return text
  }
}

/** A piece of a statement. Made by `Templates` and nothing else. */
export class SqlFragment {
  readonly #templates: Templates
  readonly #strings: readonly string[]
  readonly #values: readonly unknown[]
  readonly #hasFragments: boolean

  constructor(templates: Templates, strings: readonly string[], values: readonly unknown[]) {
    this.#templates = templates
    this.#strings = strings
    this.#values = values
    this.#hasFragments = values.some((value) => value instanceof SqlFragment)
    if (this.#hasFragments && values.some((value) => value instanceof SqlFragment && value.#templates !== templates)) {
      throw wrong('a fragment goes into statements of its own database: make it with the sql of this one')
    }
  }

  /** The text with its placeholders, and their values. */
  get statement(): { readonly text: string; readonly values: readonly unknown[] } {
    if (!this.#hasFragments) return { text: this.#templates.textOf(this.#strings), values: this.#values }
    const values: unknown[] = []
    return { text: this.#compose(values), values }
  }

  #compose(values: unknown[]): string {
    let text = this.#strings[0] as string
    for (const [index, value] of this.#values.entries()) {
      if (value instanceof SqlFragment) text += value.#compose(values)
      else text += this.#templates.placeholder(values.push(value))
      text += this.#strings[index + 1]
    }
    return text
  }
}

/** A statement that is sent when it is awaited. */
export class SqlQuery<Result> extends SqlFragment implements PromiseLike<Result> {
  readonly #send: Send<Result>
  #sent: Promise<Result> | undefined

  constructor(templates: Templates, strings: readonly string[], values: readonly unknown[], send: Send<Result>) {
    super(templates, strings, values)
    this.#send = send
  }

  /** Sends it with options. It can be sent once. */
  run(options?: QueryOptions): Promise<Result> {
    if (this.#sent !== undefined && options !== undefined) {
      return Promise.reject(wrong('this statement was sent: its options come too late'))
    }
    if (this.#sent === undefined) {
      const { text, values } = this.statement
      this.#sent = this.#send(text, values, options)
    }
    return this.#sent
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting it is what sends it.
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.run().then(onFulfilled, onRejected)
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Result | Rejected> {
    return this.run().catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<Result> {
    return this.run().finally(onFinally)
  }
}

/**
 * Rows: from DataRow messages to objects and arrays.
 *
 * Rules:
 * 1. A reader is made once for a RowDescription, from its fields; no code is generated, for names come from outside.
 * 2. A column called `__proto__` is a property like any other. Of two columns with one name the last is seen, as by
 *    every client; `rows: 'arrays'` shows both.
 * 3. Lengths are checked against the end of their message: bytes of the next message are never taken for a value.
 * 4. Nothing of what is read points into the bytes that were read.
 *
 * Theory of operation: a DataRow is `D`, its length, the number of columns, and for each a length (-1 for NULL) and its
 * bytes. The loops below are what 10 000 rows spend their time in.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { defineColumn, integerIn, internedName, textIn } from '@iokernel/sql'
import type { TypeParser, TypeParsers } from '../app.ts'
import { bytesIn, ColumnKind, columnReader, timeIn } from './types.ts'

/** What RowDescription says of a column, by the names that node-postgres gives it. */
export interface Field {
  readonly name: string
  /** 0 where the column is no column of a table. */
  readonly tableID: number
  readonly columnID: number
  /** The OID of its type: `pg_type.oid`. */
  readonly dataTypeID: number
  readonly dataTypeSize: number
  readonly dataTypeModifier: number
}

/**
 * The rows of one result: an array of them, which also knows the command it answers. Methods that make a new array
 * (`map`, `filter`) make an ordinary one.
 */
export class Rows<Row = Record<string, unknown>> extends Array<Row> {
  #command = ''
  #count = 0
  #fields: readonly Field[] = NO_FIELDS

  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  /** `SELECT`, `INSERT`, `CREATE TABLE`; empty for an empty statement. */
  get command(): string {
    return this.#command
  }

  /** Rows that were read or changed; 0 where the command counts none. */
  get count(): number {
    return this.#count
  }

  /** The columns, in order; empty where the statement returns none. */
  get fields(): readonly Field[] {
    return this.#fields
  }

  /** For the decoder. */
  static complete(rows: Rows<unknown>, command: string, count: number, fields: readonly Field[]): void {
    rows.#command = command
    rows.#count = count
    rows.#fields = fields
  }
}

const NO_FIELDS: readonly Field[] = []

export interface FieldDescription extends Field {
  readonly isBinary: boolean
}

export class RowReader {
  readonly fields: readonly Field[]
  readonly #names: readonly string[]
  /** True for a name that cannot be assigned to like any other. */
  readonly #isOdd: boolean
  readonly #kinds: Uint8Array
  readonly #parsers: readonly TypeParser[]

  constructor(described: readonly FieldDescription[], types: TypeParsers | undefined) {
    this.fields = described.map(({ isBinary: _, ...field }) => field)
    this.#names = described.map(({ name }) => internedName(name))
    this.#isOdd = this.#names.includes('__proto__')
    const readers = described.map(({ dataTypeID, isBinary }) => columnReader(dataTypeID, isBinary, types))
    this.#kinds = Uint8Array.from(readers, ({ kind }) => kind)
    this.#parsers = readers.map(({ parse }) => parse)
  }

  /** The DataRow in bytes[start, end) as an object. */
  object(bytes: Buffer, start: number, end: number): Record<string, unknown> {
    const names = this.#names
    const kinds = this.#kinds
    const count = this.#begin(bytes, start)
    const row: Record<string, unknown> = {}
    let at = start + ROW_HEADER_BYTES
    for (let column = 0; column < count; column++) {
      const length = lengthAt(bytes, at)
      at += LENGTH_BYTES
      let value: unknown = null
      if (length !== -1) {
        const next = at + length
        if (length < 0 || next > end) throw misshapen()
        value = this.#value(kinds[column] as number, column, bytes, at, next)
        at = next
      }
      if (this.#isOdd) defineColumn(row, names[column] as string, value)
      else row[names[column] as string] = value
    }
    if (at !== end) throw misshapen()
    return row
  }

  /** The same as an array. */
  array(bytes: Buffer, start: number, end: number): unknown[] {
    const kinds = this.#kinds
    const count = this.#begin(bytes, start)
    const row: unknown[] = []
    let at = start + ROW_HEADER_BYTES
    for (let column = 0; column < count; column++) {
      const length = lengthAt(bytes, at)
      at += LENGTH_BYTES
      if (length === -1) {
        row.push(null)
        continue
      }
      const next = at + length
      if (length < 0 || next > end) throw misshapen()
      row.push(this.#value(kinds[column] as number, column, bytes, at, next))
      at = next
    }
    if (at !== end) throw misshapen()
    return row
  }

  #begin(bytes: Buffer, start: number): number {
    const count = ((bytes[start + HEADER_BYTES] as number) << 8) | (bytes[start + HEADER_BYTES + 1] as number)
    if (count !== this.#names.length) throw misshapen()
    return count
  }

  #value(kind: number, column: number, bytes: Buffer, start: number, end: number): unknown {
    switch (kind) {
      case ColumnKind.Text:
        return textIn(bytes, start, end)
      case ColumnKind.Integer: {
        const value = integerIn(bytes, start, end)
        return Number.isNaN(value) ? this.#parsed(column, bytes, start, end) : value
      }
      case ColumnKind.Boolean:
        return bytes[start] === LETTER_T && end === start + 1
      case ColumnKind.Bigint: {
        const value = integerIn(bytes, start, end)
        return Number.isNaN(value) ? this.#parsed(column, bytes, start, end) : BigInt(value)
      }
      case ColumnKind.Bytes:
        return bytesIn(bytes, start, end, this.#parsers[column] as TypeParser)
      case ColumnKind.Time:
        return timeIn(bytes, start, end, this.#parsers[column] as TypeParser)
      case ColumnKind.Raw:
        return Buffer.from(bytes.subarray(start, end))
      default:
        return this.#parsed(column, bytes, start, end)
    }
  }

  #parsed(column: number, bytes: Buffer, start: number, end: number): unknown {
    return (this.#parsers[column] as TypeParser)(textIn(bytes, start, end))
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

function misshapen(): RemoteProtocolError {
  return new RemoteProtocolError('a row is not as long as its columns say')
}

/** Type byte and length, and the number of columns behind them. */
const HEADER_BYTES = 5
const ROW_HEADER_BYTES = 7
const LENGTH_BYTES = 4
const LETTER_T = 116

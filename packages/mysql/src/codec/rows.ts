/**
 * Rows: from row packets of both protocols to objects and arrays.
 *
 * Rules:
 * 1. A reader is made once for the column definitions of a statement; no code is generated, for names come from
 *    outside.
 * 2. A column called `__proto__` is a property like any other. Of two columns with one name the last is seen, as by
 *    every client; `rows: 'arrays'` shows both.
 * 3. Lengths are checked against the end of their packet: bytes of the next packet are never taken for a value.
 * 4. Nothing of what is read points into the bytes that were read.
 *
 * Theory of operation: a text row is a length-encoded text for each column, FB for NULL. A binary row is `00`, a bit
 * for each column that is NULL (from the third bit on), and the values of the others as their types lie. The loops
 * below are what 10 000 rows spend their time in.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { defineColumn, integerIn, internedName, textIn } from '@iokernel/sql'
import type { MysqlApp, TypeParser } from '../app.ts'
import type { Field } from './fields.ts'
import { lenenc, lenencBytes, NULL, u16, u32 } from './packet.ts'
import { dateOf, dateText, type Parts, parseDate, readDate, timeText, type Zone } from './times.ts'
import { ColumnKind, columnReader, WIRE_BYTES, Wire } from './types.ts'

export class RowReader {
  readonly fields: readonly Field[]
  readonly #isBinary: boolean
  readonly #names: readonly string[]
  /** True for a name that cannot be assigned to like any other. */
  readonly #isOdd: boolean
  readonly #kinds: Uint8Array
  readonly #wires: Uint8Array
  readonly #parsers: readonly (TypeParser | undefined)[]
  readonly #hasParsers: boolean
  readonly #zone: Zone
  readonly #parts: Parts = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0, micros: 0 }

  constructor(fields: readonly Field[], isBinary: boolean, app: MysqlApp) {
    const readers = fields.map((field) => columnReader(field, app))
    this.fields = fields
    this.#isBinary = isBinary
    this.#names = fields.map(({ name }) => internedName(name))
    this.#isOdd = this.#names.includes('__proto__')
    this.#kinds = Uint8Array.from(readers, ({ kind }) => kind)
    this.#wires = Uint8Array.from(readers, ({ wire }) => wire)
    this.#parsers = readers.map(({ parse }) => parse)
    this.#hasParsers = readers.some(({ parse }) => parse !== undefined)
    this.#zone = app.zone
  }

  /** The row whose payload is bytes[start, end). */
  read(bytes: Buffer, start: number, end: number, asArray: boolean): unknown {
    if (this.#isBinary) return asArray ? this.#binaryArray(bytes, start, end) : this.#binaryObject(bytes, start, end)
    return asArray ? this.#textArray(bytes, start, end) : this.#textObject(bytes, start, end)
  }

  #textObject(bytes: Buffer, start: number, end: number): Record<string, unknown> {
    const names = this.#names
    const count = names.length
    const row: Record<string, unknown> = {}
    let at = start
    for (let column = 0; column < count; column++) {
      let value: unknown = null
      const first = at < end ? (bytes[at] as number) : BEYOND
      if (first === NULL) at++
      else {
        const from = first < ONE_BYTE_MAX ? at + 1 : at + sizeAt(bytes, at, end)
        const next = from + (first < ONE_BYTE_MAX ? first : lenenc(bytes, at))
        if (next > end) throw misshapen()
        value = this.#ofText(column, bytes, from, next)
        at = next
      }
      if (this.#isOdd) defineColumn(row, names[column] as string, value)
      else row[names[column] as string] = value
    }
    if (at !== end) throw misshapen()
    return row
  }

  #textArray(bytes: Buffer, start: number, end: number): unknown[] {
    const count = this.#names.length
    const row: unknown[] = []
    let at = start
    for (let column = 0; column < count; column++) {
      const first = at < end ? (bytes[at] as number) : BEYOND
      if (first === NULL) {
        row.push(null)
        at++
        continue
      }
      const from = first < ONE_BYTE_MAX ? at + 1 : at + sizeAt(bytes, at, end)
      const next = from + (first < ONE_BYTE_MAX ? first : lenenc(bytes, at))
      if (next > end) throw misshapen()
      row.push(this.#ofText(column, bytes, from, next))
      at = next
    }
    if (at !== end) throw misshapen()
    return row
  }

  #binaryObject(bytes: Buffer, start: number, end: number): Record<string, unknown> {
    const names = this.#names
    const wires = this.#wires
    const count = names.length
    const nulls = start + 1
    const row: Record<string, unknown> = {}
    let at = this.#beginBinary(bytes, start, end)
    for (let column = 0; column < count; column++) {
      let value: unknown = null
      const bit = column + NULL_BITS_OFFSET
      if (((bytes[nulls + (bit >> 3)] as number) & (1 << (bit & 7))) === 0) {
        const wire = wires[column] as number
        const from = wire === Wire.Bytes ? at + sizeAt(bytes, at, end) : at
        const next = wire === Wire.Bytes ? from + lenenc(bytes, at) : from + sizeOf(wire, bytes, at)
        if (next > end) throw misshapen()
        value = this.#ofBinary(wire, column, bytes, from, next)
        at = next
      }
      if (this.#isOdd) defineColumn(row, names[column] as string, value)
      else row[names[column] as string] = value
    }
    if (at !== end) throw misshapen()
    return row
  }

  #binaryArray(bytes: Buffer, start: number, end: number): unknown[] {
    const wires = this.#wires
    const count = this.#names.length
    const nulls = start + 1
    const row: unknown[] = []
    let at = this.#beginBinary(bytes, start, end)
    for (let column = 0; column < count; column++) {
      const bit = column + NULL_BITS_OFFSET
      if (((bytes[nulls + (bit >> 3)] as number) & (1 << (bit & 7))) !== 0) {
        row.push(null)
        continue
      }
      const wire = wires[column] as number
      const from = wire === Wire.Bytes ? at + sizeAt(bytes, at, end) : at
      const next = wire === Wire.Bytes ? from + lenenc(bytes, at) : from + sizeOf(wire, bytes, at)
      if (next > end) throw misshapen()
      row.push(this.#ofBinary(wire, column, bytes, from, next))
      at = next
    }
    if (at !== end) throw misshapen()
    return row
  }

  /** Where the values begin. */
  #beginBinary(bytes: Buffer, start: number, end: number): number {
    const at = start + 1 + ((this.#names.length + NULL_BITS_OFFSET + 7) >> 3)
    if (at > end || bytes[start] !== 0) throw misshapen()
    return at
  }

  #ofText(column: number, bytes: Buffer, start: number, end: number): unknown {
    const value = this.#textValue(this.#kinds[column] as number, bytes, start, end)
    return this.#hasParsers ? this.#parsed(column, value) : value
  }

  #ofBinary(wire: number, column: number, bytes: Buffer, start: number, end: number): unknown {
    const value = this.#binaryValue(wire, column, bytes, start, end)
    return this.#hasParsers ? this.#parsed(column, value) : value
  }

  #textValue(kind: number, bytes: Buffer, start: number, end: number): unknown {
    switch (kind) {
      case ColumnKind.Integer:
      case ColumnKind.SafeInteger: {
        const value = integerIn(bytes, start, end)
        return Number.isNaN(value) ? safe(bigintIn(bytes, start, end)) : value
      }
      case ColumnKind.Bigint:
        return bigintIn(bytes, start, end)
      case ColumnKind.Float:
      case ColumnKind.Double:
        return Number(textIn(bytes, start, end))
      case ColumnKind.Bytes:
        return Buffer.from(bytes.subarray(start, end))
      case ColumnKind.Json:
        return json(bytes.toString('utf8', start, end))
      case ColumnKind.Moment: {
        const date = parseDate(bytes, start, end, this.#parts) ? dateOf(this.#parts, this.#zone) : undefined
        return date ?? textIn(bytes, start, end)
      }
      default:
        return textIn(bytes, start, end)
    }
  }

  #binaryValue(wire: number, column: number, bytes: Buffer, start: number, end: number): unknown {
    switch (wire) {
      case Wire.I8:
        return bytes.readInt8(start)
      case Wire.U8:
        return bytes[start]
      case Wire.I16:
        return (u16(bytes, start) << 16) >> 16
      case Wire.U16:
        return u16(bytes, start)
      case Wire.I32:
        return u32(bytes, start) | 0
      case Wire.U32:
        return u32(bytes, start)
      case Wire.I64:
        return this.#int64(column, bytes, start, u32(bytes, start + 4) | 0)
      case Wire.U64:
        return this.#int64(column, bytes, start, u32(bytes, start + 4))
      case Wire.F32:
        return shortest(bytes.readFloatLE(start))
      case Wire.F64:
        return bytes.readDoubleLE(start)
      case Wire.Date:
        return this.#date(column, bytes, start, end)
      case Wire.Time:
        return timeText(bytes, start, end, (this.fields[column] as Field).decimals)
      default:
        return this.#textValue(this.#kinds[column] as number, bytes, start, end)
    }
  }

  /** `high` has the sign, where there is one. */
  #int64(column: number, bytes: Buffer, start: number, high: number): number | bigint {
    const low = u32(bytes, start)
    const value = high * 0x1_0000_0000 + low
    const isExact = Number.isSafeInteger(value)
    if (isExact && this.#kinds[column] === ColumnKind.SafeInteger) return value
    return isExact ? BigInt(value) : (BigInt(high) << 32n) + BigInt(low)
  }

  #date(column: number, bytes: Buffer, start: number, end: number): unknown {
    const parts = this.#parts
    readDate(bytes, start, end, parts)
    const date = this.#kinds[column] === ColumnKind.Moment ? dateOf(parts, this.#zone) : undefined
    if (date !== undefined) return date
    const { type, decimals } = this.fields[column] as Field
    return dateText(parts, type === 'DATE', decimals)
  }

  /** The same text from both protocols, whatever lies on the wire. */
  #parsed(column: number, value: unknown): unknown {
    const parse = this.#parsers[column] as ((value: unknown, field: Field) => unknown) | undefined
    if (parse === undefined) return value
    const isAsItIs = typeof value === 'string' || value instanceof Uint8Array
    return parse(isAsItIs ? value : String(value), this.fields[column] as Field)
  }
}

/** How many bytes the length at `at` takes. */
function sizeAt(bytes: Buffer, at: number, end: number): number {
  const size = at < end ? lenencBytes(bytes, at) : 0
  if (size === 0 || at + size > end) throw misshapen()
  return size
}

function sizeOf(wire: number, bytes: Buffer, at: number): number {
  return wire < Wire.Date ? (WIRE_BYTES[wire] as number) : 1 + (bytes[at] as number)
}

function safe(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The shortest decimal that is the same float: 0.1 and not 0.10000000149011612. */
function shortest(value: number): number {
  if (Number.isInteger(value)) return value
  for (let digits = FLOAT_DIGITS_MIN; digits < FLOAT_DIGITS_MAX; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return Number(value.toPrecision(FLOAT_DIGITS_MAX))
}

/** A column without its check may hold anything; then it is text. */
function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function misshapen(): RemoteProtocolError {
  return new RemoteProtocolError('a row is not as long as its columns say')
}

/** Below, a length is its own first byte. */
const ONE_BYTE_MAX = 0xfb
/** No first byte: the packet has ended. */
const BEYOND = 0x100
/** The bits of the NULLs in a row begin with two that mean nothing. */
const NULL_BITS_OFFSET = 2
/** What every decimal of so many digits keeps through a float, and what tells every float from its neighbours. */
const FLOAT_DIGITS_MIN = 6
const FLOAT_DIGITS_MAX = 9

/** Judged first: `BigInt` takes blanks and prefixes that no server writes, and has an error of its own for the rest. */
function bigintIn(bytes: Buffer, start: number, end: number): bigint {
  const text = textIn(bytes, start, end)
  if (!WHOLE_NUMBER.test(text)) throw new RemoteProtocolError('a value of an integer type is no whole number')
  return BigInt(text)
}

const WHOLE_NUMBER = /^-?\d+$/

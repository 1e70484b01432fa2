/**
 * How the text of a value becomes what the application gets, by the OID of its type.
 *
 * Rules:
 * 1. What is not named below is read as `pg-types` 2.2 reads it: dates and timestamps are `Date`, arrays are arrays,
 *    json is parsed, intervals and points are objects, everything unknown is text.
 * 2. int8 is a bigint, also inside an array: exact, and told from a number by its type. numeric stays text, for no
 *    number of JavaScript is exact either.
 * 3. The quick ways here give exactly what the slow ones would; what is not of the usual form goes the slow way.
 * 4. `types` of a target replaces any of them.
 *
 * Limits: DateStyle must begin with ISO, as the handshake asks for it. A timestamp without a zone is taken for local
 * time, as by every client built on `pg-types`; microseconds are cut to milliseconds.
 */

import { textIn } from '@iokernel/sql'
import { arrayParser, getTypeParser } from 'pg-types'
import type { TypeParser, TypeParsers } from '../app.ts'

/** How a column is read. The first kinds are read from the bytes at once; `Parsed` goes through its parser. */
export const ColumnKind = {
  Text: 0,
  /** int2, int4, oid: a number. */
  Integer: 1,
  Boolean: 2,
  /** int8. */
  Bigint: 3,
  Bytes: 4,
  /** timestamptz, timestamp, date. */
  Time: 5,
  /** In the binary format: a copy of the bytes. */
  Raw: 6,
  Parsed: 7,
} as const

export interface ColumnReader {
  readonly kind: number
  /** For `Parsed`, and for what the quick ways leave to it. */
  readonly parse: TypeParser
}

/** `isBinary`: nothing asks for it, but a cursor that was declared BINARY by hand gives it. */
export function columnReader(oid: number, isBinary: boolean, types: TypeParsers | undefined): ColumnReader {
  if (isBinary) return { kind: ColumnKind.Raw, parse: String }
  const own = ownParser(oid, types)
  if (own !== undefined) return { kind: ColumnKind.Parsed, parse: own }
  if (oid === INT8_ARRAY) return { kind: ColumnKind.Parsed, parse: bigints }
  const parse = getTypeParser(oid, 'text') as TypeParser
  const kind = KINDS.get(oid)
  if (kind !== undefined) return { kind, parse: kind === ColumnKind.Bigint ? BigInt : parse }
  return { kind: parse === AS_TEXT ? ColumnKind.Text : ColumnKind.Parsed, parse }
}

/** bytea as the server writes it since 9.0; the older form goes through `parse`. */
export function bytesIn(bytes: Buffer, start: number, end: number, parse: TypeParser): unknown {
  if (bytes[start] === BACKSLASH && bytes[start + 1] === LETTER_X) {
    return Buffer.from(bytes.toString('latin1', start + 2, end), 'hex')
  }
  return parse(textIn(bytes, start, end))
}

/** `2026-11-21 07:00:00.123456+00`, and less of it. */
export function timeIn(bytes: Buffer, start: number, end: number, parse: TypeParser): unknown {
  const year = digits(bytes, start, 4)
  const month = digits(bytes, start + 5, 2)
  const day = digits(bytes, start + 8, 2)
  // Before the year 100 there is more to it, and behind 9999 the places move.
  const isUsual = year >= 100 && month > 0 && day > 0 && bytes[start + 4] === DASH && bytes[start + 7] === DASH
  if (!isUsual || end - start < DATE_BYTES) return parse(textIn(bytes, start, end))
  if (end - start === DATE_BYTES) return new Date(year, month - 1, day)
  const hour = digits(bytes, start + 11, 2)
  const minute = digits(bytes, start + 14, 2)
  const second = digits(bytes, start + 17, 2)
  if (bytes[start + DATE_BYTES] !== SPACE || hour < 0 || minute < 0 || second < 0 || end - start < TIME_BYTES) {
    return parse(textIn(bytes, start, end))
  }
  let at = start + TIME_BYTES
  let ms = 0
  if (at < end && bytes[at] === DOT) {
    let fraction = 0
    let scale = 1
    for (at++; at < end && isDigit(bytes[at] as number); at++) {
      fraction = fraction * 10 + ((bytes[at] as number) - ZERO)
      scale *= 10
    }
    // In this order: it rounds as pg-types does.
    ms = 1000 * (fraction / scale)
  }
  if (at === end) return new Date(year, month - 1, day, hour, minute, second, ms)
  const sign = bytes[at]
  const offsetHours = digits(bytes, at + 1, 2)
  // A zone with minutes is rare.
  if (end - at !== 3 || offsetHours < 0 || (sign !== PLUS && sign !== DASH)) return parse(textIn(bytes, start, end))
  const time = new Date(Date.UTC(year, month - 1, day, hour, minute, second, ms))
  if (offsetHours !== 0) time.setTime(time.getTime() - (sign === DASH ? -offsetHours : offsetHours) * HOUR_MS)
  return time
}

/** `length` digits as a number; -1 for anything else. */
function digits(bytes: Buffer, start: number, length: number): number {
  let value = 0
  for (let at = start; at < start + length; at++) {
    const code = bytes[at] as number
    if (!isDigit(code)) return -1
    value = value * 10 + (code - ZERO)
  }
  return value
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 57
}

function ownParser(oid: number, types: TypeParsers | undefined): TypeParser | undefined {
  if (types === undefined) return undefined
  if (isLibrary(types)) return types.getTypeParser(oid, 'text')
  return Object.hasOwn(types, oid) ? types[oid] : undefined
}

type Library = Extract<TypeParsers, { getTypeParser: unknown }>

function isLibrary(types: TypeParsers): types is Library {
  return typeof (types as Partial<Library>).getTypeParser === 'function'
}

function bigints(text: string): unknown {
  return ARRAYS.create(text, (entry) => (entry === null ? null : BigInt(entry))).parse()
}

/** As it is; its declaration says something else. */
const ARRAYS = arrayParser as unknown as {
  create(source: string, transform: (entry: string | null) => unknown): { parse(): unknown }
}

const BYTEA = 17
const INT8_ARRAY = 1016
/** A type that pg-types does not know gets this parser. */
const AS_TEXT: unknown = getTypeParser(0 as never, 'text')

const KINDS: ReadonlyMap<number, number> = new Map([
  [16, ColumnKind.Boolean],
  [BYTEA, ColumnKind.Bytes],
  [20, ColumnKind.Bigint],
  [21, ColumnKind.Integer],
  [23, ColumnKind.Integer],
  [26, ColumnKind.Integer],
  [1082, ColumnKind.Time],
  [1114, ColumnKind.Time],
  [1184, ColumnKind.Time],
])

const SPACE = 32
const PLUS = 43
const DASH = 45
const DOT = 46
const ZERO = 48
const BACKSLASH = 92
const LETTER_X = 120
/** `YYYY-MM-DD`, and with ` HH:MM:SS`. */
const DATE_BYTES = 10
const TIME_BYTES = 19
const HOUR_MS = 3_600_000

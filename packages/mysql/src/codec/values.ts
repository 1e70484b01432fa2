/**
 * Values as the server takes them: in the binary protocol, and written into a text.
 *
 * Rules:
 * 1. A value has one type on the wire, which follows from what it is here:
 *
 *      string            text
 *      number            BIGINT where it is whole and safe, DOUBLE otherwise; NaN and infinities are refused
 *      bigint            BIGINT, signed or unsigned; DECIMAL beyond 64 bits
 *      boolean           TINYINT, 1 or 0
 *      null              NULL
 *      Date              DATETIME with milliseconds: the clock on the wall of `zone`
 *      Uint8Array        bytes
 *      sql.json(value)   JSON as text
 *
 * 2. `undefined`, arrays, plain objects and everything else are refused with `LocalError` `ARGUMENT`: an object that
 *    came from a request would otherwise be SQL of its own (`{ password: { … } }`). No message holds a value.
 * 3. Into a text go the same values, escaped by `sql-escaper`; there a list is a list (`in (?)`).
 *
 * Limits: years from 0 to 9999.
 */
import { LocalError } from '@iokernel/core/plugin'
import { raw, type SqlValue } from 'sql-escaper'
import { dateText, type Parts, partsOf, type Zone } from './times.ts'

/** JSON that says so: an object is refused otherwise. */
export class Json {
  readonly text: string

  constructor(value: unknown) {
    const text: unknown = JSON.stringify(value)
    if (typeof text !== 'string') throw bad('what JSON cannot write')
    this.text = text
  }
}

/** The clock on the wall at `date`, or an error that says why there is none. */
export function wallOf(date: Date, zone: Zone): Parts {
  const parts = partsOf(date, zone)
  if (parts === undefined) throw bad('an invalid Date, or one of a year that the server has not')
  return parts
}

/** What is no value of any kind. */
export function refuse(value: unknown): never {
  if (value === undefined) throw bad('undefined: NULL is null')
  if (Array.isArray(value)) throw bad('an array: use sql.list(values) for in (…), or sql.json(value)')
  if (typeof value === 'object') throw bad('an object: use sql.json(value) for JSON')
  if (typeof value === 'number') throw bad('no finite number')
  throw bad(`a ${typeof value}`)
}

export function isFiniteNumber(value: number): boolean {
  return value - value === 0
}

/** For `sql-escaper`: a value of this file as one of its own. Lists are one level of values, or of lists. */
export function escapable(value: unknown, zone: Zone, depth: number = 0): SqlValue {
  switch (typeof value) {
    case 'string':
    case 'bigint':
    case 'boolean':
      return value
    case 'number':
      return numberText(value)
    case 'object':
      break
    default:
      return refuse(value)
  }
  if (value === null) return null
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length)
  if (value instanceof Json) return value.text
  if (value instanceof Date) return raw(`'${dateText(wallOf(value, zone), false, millisIn(value))}'`)
  if (!Array.isArray(value) || depth > 1) return refuse(value)
  if (value.length === 0) throw bad('an empty list: in () is no SQL')
  return value.map((each) => escapable(each, zone, depth + 1))
}

/** `1.5` would be a DECIMAL, and another type of a result than in the binary protocol; `1.5e0` is a DOUBLE. */
function numberText(value: number): SqlValue {
  if (!isFiniteNumber(value)) return refuse(value)
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return value
  const text = Object.is(value, -0) ? '-0' : String(value)
  return raw(text.includes('e') ? text : `${text}e0`)
}

/** As few digits as say all. */
function millisIn(date: Date): number {
  return date.getTime() % 1000 === 0 ? 0 : 3
}

export function bad(what: string): LocalError {
  return new LocalError('ARGUMENT', `a value is ${what}; the README lists what is taken under Values`)
}

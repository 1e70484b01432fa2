/**
 * Values as the server takes them: the text that a type's input function reads, or bytes as they are.
 *
 * Rules:
 * 1. The server decides what a parameter's type is; a value is written in the one form that fits what it is here:
 *
 *      string            itself
 *      number, bigint    as JavaScript prints them; NaN, Infinity and -0 as PostgreSQL spells them
 *      boolean           true, false
 *      null              NULL
 *      Date              local time with its offset, so that timestamp, timestamptz and date read back as they were
 *      Uint8Array        its bytes, in the binary format (bytea)
 *      array             an array's literal, of any depth; bytes inside it as \x…
 *      plain object      JSON, and so is everything that has `toJSON`
 *      toPostgres()      what it returns (the intervals that are read back have it)
 *
 * 2. `undefined`, functions, symbols, and objects whose JSON would be `{}` by accident (a Map, a Promise) are refused
 *    with `LocalError` `ARGUMENT`. No message holds a value.
 *
 * Limits: an array for a `json` parameter is ambiguous, and is an array: write `JSON.stringify(list)`, or `sql.json`.
 */
import { LocalError } from '@iokernel/core/plugin'

/** JSON that says so: for arrays, which would be arrays of PostgreSQL otherwise. */
export class Json {
  readonly text: string

  constructor(value: unknown) {
    const text: unknown = JSON.stringify(value)
    if (typeof text !== 'string') throw bad('what JSON cannot write')
    this.text = text
  }
}

/** What is neither null nor bytes, as text. */
export function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      return value.toString()
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return objectText(value as object, 0)
    default:
      throw bad(typeof value === 'undefined' ? 'undefined: NULL is null' : `a ${typeof value}`)
  }
}

function objectText(value: object, depth: number): string {
  if (value instanceof Date) return dateText(value)
  if (Array.isArray(value)) return arrayText(value, depth)
  if (value instanceof Json) return value.text
  const { toPostgres, toJSON } = value as { readonly toPostgres?: unknown; readonly toJSON?: unknown }
  if (typeof toPostgres === 'function') {
    const text: unknown = toPostgres.call(value)
    if (typeof text !== 'string') throw bad('an object whose toPostgres() returns no string')
    return text
  }
  if (typeof toJSON !== 'function' && !isPlain(value)) throw bad('an object of a class that has no toJSON()')
  const text: unknown = JSON.stringify(value)
  if (typeof text !== 'string') throw bad('an object that JSON cannot write')
  return text
}

/** `{1,NULL,"a b",{…}}`. Text is quoted always: then nothing in it needs to be looked at but two characters. */
function arrayText(list: readonly unknown[], depth: number): string {
  if (depth >= ARRAY_DEPTH_MAX) throw bad(`an array of more than ${ARRAY_DEPTH_MAX} dimensions`)
  let text = '{'
  for (let index = 0; index < list.length; index++) {
    if (index > 0) text += ','
    text += elementText(list[index], depth)
  }
  return `${text}}`
}

function elementText(value: unknown, depth: number): string {
  if (value === null) return 'NULL'
  switch (typeof value) {
    case 'number':
    case 'bigint':
    case 'boolean':
      return textOf(value)
    case 'object':
      if (Array.isArray(value)) return arrayText(value, depth + 1)
      if (value instanceof Uint8Array) return `"\\\\x${hex(value)}"`
      return quoted(objectText(value as object, depth))
    default:
      return quoted(textOf(value))
  }
}

function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? `"${text.replace(NEEDS_ESCAPES, '\\$&')}"` : `"${text}"`
}

/** As the clock on the wall shows it here, with its distance from UTC to the second. */
function dateText(date: Date): string {
  const time = date.getTime()
  if (Number.isNaN(time)) throw bad('an invalid Date')
  const year = date.getFullYear()
  const shown = year > 0 ? year : 1 - year
  const day = `${pad(shown, 4)}-${pad(date.getMonth() + 1, 2)}-${pad(date.getDate(), 2)}`
  const clock = `${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}`
  return `${day}T${clock}.${pad(date.getMilliseconds(), 3)}${offsetText(date)}${year > 0 ? '' : ' BC'}`
}

function offsetText(date: Date): string {
  const seconds = Math.round(-date.getTimezoneOffset() * 60)
  const distance = Math.abs(seconds)
  const minutes = pad(Math.floor(distance / 60) % 60, 2)
  const text = `${seconds < 0 ? '-' : '+'}${pad(Math.floor(distance / 3600), 2)}:${minutes}`
  return distance % 60 === 0 ? text : `${text}:${pad(distance % 60, 2)}`
}

function pad(value: number, length: number): string {
  return String(value).padStart(length, '0')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

/** Of this realm or of another. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

export function bad(what: string): LocalError {
  return new LocalError('ARGUMENT', `a value is ${what}: pass what the README lists under Values`)
}

const NEEDS_ESCAPE = /["\\]/
const NEEDS_ESCAPES = /["\\]/g
/** PostgreSQL's MAXDIM is 6; what is deeper is a mistake, or a list that holds itself. */
const ARRAY_DEPTH_MAX = 6

/**
 * Fields of JSON objects that clients write: ids, amounts, texts.
 *
 * Rules: an amount is a string of digits, for a JSON number is a double to most readers and a cent is not one. A field
 * that is not known is refused: a misspelt one would be a default that nobody wanted.
 */
import { RequestError } from './failures.ts'

/** What a client may write. */
export type Fields = Readonly<Record<string, unknown>>

export function checkFields(given: Fields, known: readonly string[]): void {
  const odd = Object.keys(given).find((field) => !known.includes(field))
  if (odd !== undefined)
    throw wrong(`'${odd.slice(0, ODD_CHARACTERS_SHOWN)}' is no field: there is ${known.join(', ')}`)
}

/** `taken`: what paths have beside ids, so nothing has these. */
export function idIn(given: Fields, field: string, taken: readonly string[] = []): string {
  const value = given[field]
  if (typeof value === 'string' && isId(value) && !taken.includes(value)) return value
  throw wrong(`${field} is ${ID_FORM}${taken.length === 0 ? '' : `; ${taken.join(', ')} are taken`}`)
}

export function isId(text: string): boolean {
  return ID.test(text)
}

export function amountIn(given: Fields, field: string): string {
  const value = given[field]
  if (typeof value === 'string' && AMOUNT.test(value)) return value
  throw wrong(`${field} is a string of digits, with two behind the point at most: "12.50"`)
}

/** Databases count characters, a string code units: what passes here passes there. */
export function textIn(given: Fields, field: string, charactersMax: number): string {
  const value = given[field]
  if (typeof value === 'string' && value.length <= charactersMax && !value.includes('\0')) return value
  throw wrong(`${field} is a string of at most ${charactersMax} characters`)
}

export function integerIn(given: Fields, field: string, min: number, max: number): number {
  const value = given[field]
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw wrong(`${field} is a whole number between ${min} and ${max}`)
}

export function wrong(message: string): RequestError {
  return new RequestError(400, 'ARGUMENT', message)
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const ID_FORM = 'a string of 1 to 64 letters, digits, . _ and -, beginning with one of the first two'
/** 18 digits before the point, as the tables have them. */
const AMOUNT = /^\d{1,18}(\.\d{1,2})?$/
const ODD_CHARACTERS_SHOWN = 40

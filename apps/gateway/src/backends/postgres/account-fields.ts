/**
 * Accounts in JSON: what a client may write, and how a row is shown.
 *
 * Rules: an amount is a string of digits in both directions, for a JSON number is a double to most readers and a cent
 * is not one. A field that is not known is refused: a misspelt one would be a default that nobody wanted.
 */
import { RequestError } from '../../http/failures.ts'

/** Paths under `/accounts/` that are no account; no account has these names. */
export const SEGMENTS_TAKEN: readonly string[] = ['changes', 'export', 'import']

/** What a client may write. */
export type Fields = Readonly<Record<string, unknown>>

export interface AccountRow {
  readonly id: string
  readonly owner: string
  readonly balance: string
  readonly created_at: Date
  readonly changed_at: Date
}

export const ACCOUNT_COLUMNS = 'id, owner, balance, created_at, changed_at'

export function shownAccount(row: AccountRow): Fields {
  const { id, owner, balance, created_at: createdAt, changed_at: changedAt } = row
  return { id, owner, balance, createdAt, changedAt }
}

export function checkFields(given: Fields, known: readonly string[]): void {
  const odd = Object.keys(given).find((field) => !known.includes(field))
  if (odd !== undefined)
    throw wrong(`'${odd.slice(0, ODD_CHARACTERS_SHOWN)}' is no field: there is ${known.join(', ')}`)
}

/** An id of an account or a transfer, from a body. */
export function idIn(given: Fields, field: string): string {
  const value = given[field]
  if (typeof value === 'string' && ID.test(value) && !SEGMENTS_TAKEN.includes(value)) return value
  throw wrong(`${field} is ${ID_FORM}`)
}

/** The id in a path. One that cannot be is not there. */
export function idInPath(name: Uint8Array): string {
  const id = Buffer.from(name).toString('latin1')
  if (!ID.test(id)) throw unknownAccount(id)
  return id
}

export function isId(text: string): boolean {
  return ID.test(text)
}

export function ownerIn(given: Fields): string {
  const { owner } = given
  if (typeof owner === 'string' && owner.length <= OWNER_CHARACTERS_MAX && !owner.includes('\0')) return owner
  throw wrong(`owner is a string of at most ${OWNER_CHARACTERS_MAX} characters`)
}

export function amountIn(given: Fields, field: string): string {
  const value = given[field]
  if (typeof value === 'string' && AMOUNT.test(value)) return value
  throw wrong(`${field} is a string of digits, with two behind the point at most: "12.50"`)
}

export function unknownAccount(id: string): RequestError {
  return new RequestError(404, 'NO_ACCOUNT', `there is no account ${JSON.stringify(id)}`)
}

export function wrong(message: string): RequestError {
  return new RequestError(400, 'ARGUMENT', message)
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const ID_FORM =
  'a string of 1 to 64 letters, digits, . _ and -, beginning with one of the first two; ' +
  `${SEGMENTS_TAKEN.join(', ')} are taken`
/** 18 digits before the point, as the table has them. */
const AMOUNT = /^\d{1,18}(\.\d{1,2})?$/
/** The table counts characters, a string code units: what passes here passes there. */
const OWNER_CHARACTERS_MAX = 200
const ODD_CHARACTERS_SHOWN = 40

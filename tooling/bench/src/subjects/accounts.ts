/**
 * The rows of the suites of databases: what they say, and how an answer is told from a wrong one.
 *
 * Rules: a row is a function of its id, in SQL and here alike, so every answer can be checked in full. `bytes` is what
 * a row takes as text.
 */

export interface AccountRow {
  readonly id: number
  readonly name: string
  readonly balance: number
  readonly created: Date
  readonly note: string
}

export const ACCOUNTS = 10_000

/** A prime, so that balances do not repeat; ten thousand times it is still an int. */
export const BALANCE_STEP = 7_919
export const BALANCE_MAX = 100_000

export const BALANCE_OF_ALL: number = Array.from({ length: ACCOUNTS }, (_, index) => balanceOf(index + 1)).reduce(sum)

export function accountOf(id: number, bytes: number): AccountRow {
  return {
    id,
    name: `account ${id}`,
    balance: balanceOf(id),
    created: new Date(FIRST_CREATED_MS + id * 60_000),
    note: noteOf(id, bytes),
  }
}

export function noteOf(id: number, bytes: number): string {
  const length = noteLengthOf(bytes)
  return `${id}-`.repeat(Math.ceil(length / 2)).slice(0, length)
}

/** The note fills the row up, and is never empty. */
export function noteLengthOf(bytes: number): number {
  return Math.max(1, bytes - OTHER_COLUMNS_BYTES)
}

export function balanceOf(id: number): number {
  return (id * BALANCE_STEP) % BALANCE_MAX
}

function sum(one: number, other: number): number {
  return one + other
}

const FIRST_CREATED_MS = Date.UTC(2024, 0, 1)
/** `1234`, `account 1234`, `12345`, `2024-01-01 00:01:00+00`. */
const OTHER_COLUMNS_BYTES = 43

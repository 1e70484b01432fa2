/**
 * What is asked of a database, the same for every client of every database.
 *
 * Rules: rows are objects with the values that clients make by default. Each answer has to be the one to its own
 * question: the row with the id that was asked for, the entry that was written, all rows and their balances. So
 * neither a client that mixes up callers nor one that does not decode can win.
 */
import type { Operation } from '../harness/operation.ts'
import { ACCOUNTS, type AccountRow, accountOf, BALANCE_OF_ALL, noteOf } from './accounts.ts'

/** Prepared statements; rows as objects. */
export interface AccountCalls {
  select(id: number): Promise<readonly object[]>
  selectAll(): Promise<readonly object[]>
  /** Was it written, and was it this one? */
  insert(entry: Entry): Promise<boolean>
  /** How many entries this writer has in the table. */
  count(writer: number): Promise<number>
}

/** What a program writes for an audit: a key of two numbers, an amount, a line of text. */
export type Entry = [writer: number, number: number, amount: number, note: string]

export const ACCOUNT_OPERATIONS: Readonly<Record<string, (calls: AccountCalls, bytes: number) => Operation>> = {
  select,
  'rows-10000': allRows,
  insert,
}

/** One row by primary key; each id once in ten thousand, in no order that a page of the table would notice. */
function select(calls: AccountCalls, bytes: number): Operation {
  let last = 0
  return {
    async run() {
      last = (last + ID_STEP) % ACCOUNTS
      const id = last + 1
      const rows = (await calls.select(id)) as readonly AccountRow[]
      return rows.length === 1 && rows[0]?.id === id ? rows[0] : undefined
    },
    isPlausible: (answer) => answer !== undefined,
    isExact: (answer) => isAccount(answer as AccountRow, bytes),
  }
}

function allRows(calls: AccountCalls, bytes: number): Operation {
  return {
    run: () => calls.selectAll(),
    // Ten thousand additions are a thousandth of what the answer costs, and reach every row.
    isPlausible(answer) {
      const rows = answer as readonly AccountRow[]
      let balance = 0
      for (const row of rows) balance += row.balance
      return rows.length === ACCOUNTS && balance === BALANCE_OF_ALL
    },
    isExact(answer) {
      const rows = answer as readonly AccountRow[]
      return new Set(rows.map(({ id }) => id)).size === ACCOUNTS && rows.every((row) => isAccount(row, bytes))
    },
  }
}

/** One row, committed by itself. Afterwards the table has as many as were acknowledged. */
function insert(calls: AccountCalls, bytes: number): Operation {
  // Every process writes rows of its own.
  const writer = Math.floor(Math.random() * 2 ** 31)
  const note = noteOf(1, bytes)
  let asked = 0
  let acknowledged = 0
  return {
    async run() {
      const number = asked++
      const isWritten = await calls.insert([writer, number, number % 1_000, note])
      acknowledged++
      return isWritten
    },
    isPlausible: (answer) => answer === true,
    isExact: (answer) => answer === true,
    // A call that was rejected may have been executed all the same.
    async settle() {
      const entries = await calls.count(writer)
      return entries >= acknowledged && entries <= asked
    },
  }
}

function isAccount(row: AccountRow, bytes: number): boolean {
  const wanted = accountOf(row.id, bytes)
  return (
    row.name === wanted.name &&
    row.balance === wanted.balance &&
    row.created instanceof Date &&
    row.created.getTime() === wanted.created.getTime() &&
    row.note === wanted.note
  )
}

/** It has no factor in common with ten thousand. */
const ID_STEP = 7_919

/**
 * What is asked of Postgres, the same for every client.
 *
 * Rules: rows are objects with the values that clients make by default. Each answer has to be the one to its own
 * question: the row with the id that was asked for, the number that was written, all rows and their balances. So
 * neither a client that mixes up callers nor one that does not decode can win.
 */
import type { Operation } from '../harness/operation.ts'
import {
  ACCOUNTS,
  type AccountRow,
  accountOf,
  BALANCE_OF_ALL,
  COUNT_ENTRIES,
  INSERT_ENTRY,
  noteOf,
  SELECT_ACCOUNT,
  SELECT_ALL_ACCOUNTS,
  SLOW_READ,
  SLOW_READ_ANSWER,
} from './postgres-data.ts'
import type { SubjectClient } from './subject.ts'

export interface PostgresCalls {
  /** A prepared statement, and its rows as objects. */
  query(statement: string, values: (number | string)[]): Promise<readonly object[]>
  close(): Promise<unknown>
}

export function postgresClient(calls: PostgresCalls): SubjectClient {
  return {
    operation: (name, bytes) => {
      const make = OPERATIONS[name]
      if (make === undefined) throw new Error(`there is no operation '${name}' for Postgres`)
      return make(calls, bytes)
    },
    close: async () => {
      await calls.close()
    },
  }
}

const OPERATIONS: Readonly<Record<string, (calls: PostgresCalls, bytes: number) => Operation>> = {
  select,
  'rows-10000': allRows,
  insert,
  slow,
}

/** One row by primary key; each id once in ten thousand, in no order that a page of the table would notice. */
function select(calls: PostgresCalls, bytes: number): Operation {
  let last = 0
  return {
    async run() {
      last = (last + ID_STEP) % ACCOUNTS
      const id = last + 1
      const rows = (await calls.query(SELECT_ACCOUNT, [id])) as readonly AccountRow[]
      return rows.length === 1 && rows[0]?.id === id ? rows[0] : undefined
    },
    isPlausible: (answer) => answer !== undefined,
    isExact: (answer) => isAccount(answer as AccountRow, bytes),
  }
}

function allRows(calls: PostgresCalls, bytes: number): Operation {
  return {
    run: () => calls.query(SELECT_ALL_ACCOUNTS, []),
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
function insert(calls: PostgresCalls, bytes: number): Operation {
  // Every process writes rows of its own.
  const writer = Math.floor(Math.random() * 2 ** 31)
  const note = noteOf(1, bytes)
  let asked = 0
  let acknowledged = 0
  return {
    async run() {
      const number = asked++
      const rows = (await calls.query(INSERT_ENTRY, [writer, number, number % 1_000, note])) as readonly {
        readonly number: number
      }[]
      acknowledged++
      return rows.length === 1 ? rows[0]?.number === number : false
    },
    isPlausible: (answer) => answer === true,
    isExact: (answer) => answer === true,
    // A call that was rejected may have been executed all the same.
    async settle() {
      const [row] = (await calls.query(COUNT_ENTRIES, [writer])) as readonly { readonly entries: number }[]
      return row !== undefined && row.entries >= acknowledged && row.entries <= asked
    },
  }
}

function slow(calls: PostgresCalls): Operation {
  const isRight = (answer: unknown): boolean => {
    const [row, ...others] = answer as readonly (typeof SLOW_READ_ANSWER)[]
    const { accounts, balance } = SLOW_READ_ANSWER
    return others.length === 0 && row?.accounts === accounts && row.balance === balance
  }
  return { run: () => calls.query(SLOW_READ, []), isPlausible: isRight, isExact: isRight }
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

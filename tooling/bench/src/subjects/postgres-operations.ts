/** What is asked of Postgres, the same for every client: the operations of databases, and a read that is slow. */
import type { Operation } from '../harness/operation.ts'
import { ACCOUNT_OPERATIONS, type AccountCalls } from './account-operations.ts'
import {
  COUNT_ENTRIES,
  INSERT_ENTRY,
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
      if (name === 'slow') return slow(calls)
      const make = ACCOUNT_OPERATIONS[name]
      if (make === undefined) throw new Error(`there is no operation '${name}' for Postgres`)
      return make(accountCalls(calls), bytes)
    },
    close: async () => {
      await calls.close()
    },
  }
}

function accountCalls(calls: PostgresCalls): AccountCalls {
  return {
    select: (id) => calls.query(SELECT_ACCOUNT, [id]),
    selectAll: () => calls.query(SELECT_ALL_ACCOUNTS, []),
    async insert(entry) {
      const rows = (await calls.query(INSERT_ENTRY, entry)) as readonly { readonly number: number }[]
      return rows.length === 1 && rows[0]?.number === entry[1]
    },
    async count(writer) {
      const [row] = (await calls.query(COUNT_ENTRIES, [writer])) as readonly { readonly entries: number }[]
      return row?.entries ?? 0
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

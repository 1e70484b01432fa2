/** What is asked of MySQL, the same for every client: the operations of databases. */
import { ACCOUNT_OPERATIONS, type AccountCalls } from './account-operations.ts'
import { COUNT_ENTRIES, INSERT_ENTRY, SELECT_ACCOUNT, SELECT_ALL_ACCOUNTS } from './mysql-data.ts'
import type { SubjectClient } from './subject.ts'

export interface MysqlCalls {
  /** A prepared statement, and its rows as objects. */
  query(statement: string, values: (number | string)[]): Promise<readonly object[]>
  /** A prepared statement, and how many rows it wrote. */
  write(statement: string, values: (number | string)[]): Promise<number>
  close(): Promise<unknown>
}

export function mysqlClient(calls: MysqlCalls): SubjectClient {
  return {
    operation: (name, bytes) => {
      const make = ACCOUNT_OPERATIONS[name]
      if (make === undefined) throw new Error(`there is no operation '${name}' for MySQL`)
      return make(accountCalls(calls), bytes)
    },
    close: async () => {
      await calls.close()
    },
  }
}

function accountCalls(calls: MysqlCalls): AccountCalls {
  return {
    select: (id) => calls.query(SELECT_ACCOUNT, [id]),
    selectAll: () => calls.query(SELECT_ALL_ACCOUNTS, []),
    insert: async (entry) => (await calls.write(INSERT_ENTRY, entry)) === 1,
    async count(writer) {
      const [row] = (await calls.query(COUNT_ENTRIES, [writer])) as readonly { readonly entries: number | bigint }[]
      return Number(row?.entries ?? 0)
    },
  }
}

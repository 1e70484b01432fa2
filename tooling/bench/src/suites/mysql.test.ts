/** The suite's own arithmetic: targets from rows, and operations that notice a wrong answer. */
import { expect, test } from 'vitest'
import type { Row } from '../harness/rows.ts'
import { ACCOUNTS, accountOf } from '../subjects/accounts.ts'
import { COUNT_ENTRIES, SELECT_ACCOUNT, SELECT_ALL_ACCOUNTS, tableStatements } from '../subjects/mysql-data.ts'
import { type MysqlCalls, mysqlClient } from '../subjects/mysql-operations.ts'
import { mysqlSuite } from './mysql.ts'

function row(subject: string, inFlight: number, opsPerSecond: number): Row {
  const rest = { operation: 'select', bytes: 100, p50Us: 0, p99Us: 0, cpuUsPerOp: 0, mainCpuUsPerOp: null, rssMb: 0 }
  return { ...rest, subject, inFlight, opsPerSecond }
}

test('targets are twice mysql2 and no slower than mariadb', () => {
  const rows = [
    row('iokernel', 50, 199),
    row('iokernel one lane', 50, 900),
    row('mysql2 Pool(10)', 50, 100),
    row('mariadb', 50, 199),
    row('iokernel', 200, 200),
    row('mysql2 Pool(10)', 200, 100),
  ]
  const judged = mysqlSuite.targets.map(({ text, judge }) => [text, judge(rows, [], [])?.isReached])
  expect(judged).toEqual([
    ['select, 50 in flight: at least 2 times mysql2 Pool(10)', false],
    ['select, 50 in flight: no slower than mariadb', true],
    ['select, 200 in flight: at least 2 times mysql2 Pool(10)', true],
    ['select, 200 in flight: no slower than mariadb', undefined],
  ])
})

test('the tables hold the rows that are expected', () => {
  const inserts = tableStatements(100).filter((statement) => statement.startsWith('insert'))
  const { name, balance, note } = accountOf(ACCOUNTS, 100)
  expect(inserts).toHaveLength(10)
  expect(inserts[9]).toMatch(new RegExp(`\\(${ACCOUNTS}, '${name}', ${balance}, '2024-01-07 22:40:00', '${note}'\\)$`))
})

test('an operation knows its own answer from another', async () => {
  let written = 1
  let entries: number | bigint = 0n
  let rows = (id: number): readonly object[] => [accountOf(id, 100)]
  const calls: MysqlCalls = {
    query: async (statement, values) => {
      if (statement === COUNT_ENTRIES) return [{ entries }]
      if (statement === SELECT_ALL_ACCOUNTS) return Array.from({ length: ACCOUNTS }, (_, at) => accountOf(at + 1, 100))
      expect(statement).toBe(SELECT_ACCOUNT)
      return rows(values[0] as number)
    },
    write: async () => written,
    close: async () => undefined,
  }
  const client = mysqlClient(calls)
  const verdict = async (name: string): Promise<boolean> => {
    const operation = client.operation(name, 100)
    const answer = await operation.run()
    return operation.isPlausible(answer) && operation.isExact(answer) && ((await operation.settle?.()) ?? true)
  }
  entries = 1n
  expect([await verdict('select'), await verdict('rows-10000'), await verdict('insert')]).toEqual([true, true, true])
  entries = 0
  expect(await verdict('insert')).toBe(false)
  entries = 1
  written = 0
  expect(await verdict('insert')).toBe(false)
  rows = () => [accountOf(1, 100)]
  expect(await verdict('select')).toBe(false)
  rows = () => []
  expect(await verdict('select')).toBe(false)
  rows = (id) => [{ ...accountOf(id, 100), note: 'x' }]
  expect(await verdict('select')).toBe(false)
  expect(() => client.operation('slow', 100)).toThrow('slow')
})

/** The suite's own arithmetic: targets from rows, pgbench's words, operations that notice a wrong answer. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { SkippedError } from '../harness/contestant.ts'
import type { Row } from '../harness/rows.ts'
import { ACCOUNTS, accountOf } from '../subjects/accounts.ts'
import { findPgbench, scriptOf, transactionsPerSecond } from '../subjects/pgbench.ts'
import { COUNT_ENTRIES, SELECT_ACCOUNT, SELECT_ALL_ACCOUNTS, SLOW_READ_ANSWER } from '../subjects/postgres-data.ts'
import { type PostgresCalls, postgresClient } from '../subjects/postgres-operations.ts'
import { POSTGRES_TARGETS } from './postgres-targets.ts'

const folder = mkdtempSync(join(tmpdir(), 'iokernel-bench-postgres-'))
afterAll(() => rmSync(folder, { recursive: true }))

function row(subject: string, operation: string, inFlight: number, opsPerSecond: number, cpuUsPerOp: number): Row {
  const rest = { bytes: 100, p50Us: 0, p99Us: 0, mainCpuUsPerOp: null, rssMb: 0 }
  return { ...rest, subject, operation, inFlight, opsPerSecond, cpuUsPerOp }
}

test('targets are judged against the peer with the most calls a second', () => {
  const rows = [
    row('iokernel', 'select', 50, 90, 6),
    row('iokernel one lane', 'select', 50, 900, 1),
    row('pg Pool(10)', 'select', 50, 20, 6),
    row('postgres.js(1)', 'select', 50, 40, 11),
    row('pgbench pipeline 20', 'select', 20, 100, 1),
    row('iokernel', 'rows-10000', 2, 99, 10),
    row('postgres.js(10)', 'rows-10000', 2, 100, 10),
    row('iokernel', 'insert', 200, 100, 6),
    row('pg pipeline', 'insert', 200, 100, 10),
  ]
  const judged = POSTGRES_TARGETS.map(({ text, judge }) => [text, judge(rows, [], [])?.isReached] as const)
  expect(Object.fromEntries(judged.filter(([, isReached]) => isReached !== undefined))).toEqual({
    'select, 50 in flight: at least 2 times the best Node peer': true,
    'select, 50 in flight: at least 80 % of pgbench pipeline 20': true,
    // The cheapest peer is pg Pool(10), the fastest is not.
    "select, 50 in flight: processor time per call at most 60 % of the best Node peer's": true,
    'rows-10000, 2 in flight: no slower than the best Node peer': false,
    "rows-10000, 2 in flight: processor time per call at most 60 % of the best Node peer's": false,
    'insert, 200 in flight: no slower than the best Node peer': true,
    "insert, 200 in flight: processor time per call at most 60 % of the best Node peer's": true,
  })
  expect(judged).toHaveLength(14)
})

test('pgbench is found, told and read', async () => {
  const binaries = join(folder, '9', 'bin')
  mkdirSync(binaries, { recursive: true })
  mkdirSync(join(folder, '17', 'bin'), { recursive: true })
  writeFileSync(join(binaries, 'pgbench'), '', { mode: 0o755 })
  expect(await findPgbench('', folder)).toBe(join(binaries, 'pgbench'))
  await expect(findPgbench('', join(folder, 'nowhere'))).rejects.toThrow(SkippedError)

  expect(scriptOf(2).trim().split('\n')).toEqual([
    '\\startpipeline',
    ...['\\set id random(1, 10000)', `${SELECT_ACCOUNT.replace('$1', ':id')};`],
    ...['\\set id random(1, 10000)', `${SELECT_ACCOUNT.replace('$1', ':id')};`],
    '\\endpipeline',
  ])
  const output = 'latency average = 0.252 ms\ntps = 3973.488882 (without initial connection time)\n'
  expect(transactionsPerSecond(output)).toBe(3973.488882)
  expect(() => transactionsPerSecond('could not connect')).toThrow('said no tps')
})

/** A server of the right answers; a test changes one of them. */
function answering(wrong: Partial<Record<'account' | 'all' | 'entry' | 'slow', readonly object[]>> = {}) {
  let entries = 0
  const all = Array.from({ length: ACCOUNTS }, (_, index) => accountOf(index + 1, 100))
  const calls: PostgresCalls = {
    query: async (statement, values) => {
      if (statement === SELECT_ACCOUNT) return wrong.account ?? [accountOf(values[0] as number, 100)]
      if (statement === SELECT_ALL_ACCOUNTS) return wrong.all ?? all
      if (statement === COUNT_ENTRIES) return [{ entries }]
      if (statement.startsWith('insert')) {
        entries++
        return wrong.entry ?? [{ number: values[1] }]
      }
      return wrong.slow ?? [SLOW_READ_ANSWER]
    },
    close: async () => undefined,
  }
  return { client: postgresClient(calls), all, lose: () => entries-- }
}

async function verdict(name: string, wrong?: Parameters<typeof answering>[0]): Promise<readonly boolean[]> {
  const operation = answering(wrong).client.operation(name, 100)
  await operation.run()
  const answer = await operation.run()
  const isPlausible = operation.isPlausible(answer)
  return [isPlausible, isPlausible && operation.isExact(answer)]
}

test.each(['select', 'rows-10000', 'insert', 'slow'])('%s takes the right answer', async (name) => {
  expect(await verdict(name)).toEqual([true, true])
})

test('an operation knows its own answer from another', async () => {
  const { all } = answering()
  const changed = { ...accountOf(7, 100), note: 'x' }
  expect(await verdict('select', { account: [] })).toEqual([false, false])
  // The row of another caller.
  expect(await verdict('select', { account: [accountOf(1, 100)] })).toEqual([false, false])
  expect(await verdict('rows-10000', { all: all.slice(1) })).toEqual([false, false])
  expect(await verdict('rows-10000', { all: all.map((one) => (one.id === 7 ? changed : one)) })).toEqual([true, false])
  expect(await verdict('rows-10000', { all: all.with(6, { ...accountOf(6, 100) }) })).toEqual([false, false])
  expect(await verdict('insert', { entry: [{ number: 0 }] })).toEqual([false, false])
  expect(await verdict('slow', { slow: [{ ...SLOW_READ_ANSWER, accounts: 19 }] })).toEqual([false, false])
  expect(() => answering().client.operation('delete', 100)).toThrow('delete')
})

test('what was acknowledged has to be there', async () => {
  const { client, lose } = answering()
  const insert = client.operation('insert', 100)
  await insert.run()
  expect(await insert.settle?.()).toBe(true)
  lose()
  expect(await insert.settle?.()).toBe(false)
})

test.each([100, 1_000])('a row of %i bytes takes about as many as text', (bytes) => {
  const { id, name, balance, note } = accountOf(1_234, bytes)
  const created = '2024-01-01 00:01:00+00'
  expect(Math.abs([id, name, balance, created, note].join('').length - bytes)).toBeLessThan(5)
})

/** The comparison with made-up contestants: turns, medians, and what happens to those who fail. */
import { expect, test } from 'vitest'
import type { Suite, SuiteServer, SuiteSubject } from '../suites/suite.ts'
import { type ComparisonOptions, compare, nameOf } from './comparison.ts'
import { type Cell, type Contestant, SkippedError } from './contestant.ts'
import type { Measured } from './messages.ts'
import { randomFrom } from './random.ts'

const turns: string[] = []
let closed = 0

function measured(operations: number): Measured {
  const times = { elapsedMs: 1_000, p50Us: 10, p99Us: 20, p999Us: 30, cpuUs: 5_000, mainCpuUs: 2_500 }
  return { ...times, operations, rssBytes: 3 << 20 }
}

function subject(name: string, round: (turn: number) => Measured, changes: Partial<SuiteSubject> = {}): SuiteSubject {
  return {
    name,
    kind: 'peer',
    client: name,
    joins: () => true,
    inFlightIn: (cell) => cell.inFlight,
    open: async (): Promise<Contestant> => {
      let turn = 0
      return {
        round: async () => {
          turns.push(name)
          return round(turn++)
        },
        close: async () => {
          closed++
        },
      }
    },
    ...changes,
  }
}

const server: SuiteServer = { url: '', description: '', prepare: async () => {}, stop: async () => {} }

function run(subjects: readonly SuiteSubject[], cells: readonly Cell[]): ReturnType<typeof compare> {
  turns.length = 0
  closed = 0
  const options: ComparisonOptions = {
    cells,
    subjects,
    rounds: 3,
    roundDurationMs: 1,
    warmUpDurationMs: 1,
    random: randomFrom(1),
    say: () => undefined,
  }
  return compare({ name: 'test' } as Suite, server, options)
}

const cell: Cell = { operation: 'get', bytes: 64, inFlight: 50 }

test('rounds go round, each subject once in each; the warm-up does not count; rows are medians', async () => {
  // 0 is the warm-up.
  const rates = [1, 200, 100, 900]
  const { rows, failures } = await run(
    ['a', 'b', 'c'].map((name) => subject(name, (turn) => measured(rates[turn] as number))),
    [cell],
  )
  expect(failures).toEqual([])
  expect(turns).toHaveLength(12)
  for (let round = 0; round < 4; round++) {
    expect(turns.slice(round * 3, round * 3 + 3).sort()).toEqual(['a', 'b', 'c'])
  }
  expect(rows.map((row) => row.subject)).toEqual(['a', 'b', 'c'])
  expect(rows[0]).toEqual({
    subject: 'a',
    operation: 'get',
    bytes: 64,
    inFlight: 50,
    opsPerSecond: 200,
    p50Us: 10,
    p99Us: 20,
    cpuUsPerOp: 25,
    mainCpuUsPerOp: 12.5,
    rssMb: 3,
  })
  expect(closed).toBe(3)
})

test('who fails is named and leaves; who cannot take part is skipped; the others go on', async () => {
  const failing = subject('failing', (turn) => {
    if (turn === 2) throw new Error('answer 7 is wrong')
    return measured(1)
  })
  const absent = subject('absent', () => measured(1), { open: () => Promise.reject(new SkippedError('not here')) })
  const broken = subject('broken', () => measured(1), { open: () => Promise.reject(new Error('no connection')) })
  const good = subject('good', () => measured(1))
  const { rows, skipped, failures } = await run([failing, absent, broken, good], [cell])
  expect([...skipped]).toEqual([['absent', 'not here']])
  expect(failures).toEqual([
    'broken, get 64 B, 50 in flight: could not begin: no connection',
    'failing, get 64 B, 50 in flight: answer 7 is wrong',
  ])
  expect(turns.filter((name) => name === 'good')).toHaveLength(4)
  expect(turns.filter((name) => name === 'failing')).toHaveLength(3)
  expect(rows.map((row) => row.subject)).toContain('good')
  expect(closed).toBe(2)
})

test('a program with a depth of its own has one row for all cells it takes part in', async () => {
  const program = subject('program', () => measured(1), {
    inFlightIn: () => 50,
    joins: ({ inFlight }) => inFlight >= 50,
  })
  const { rows } = await run([program], [cell, { ...cell, inFlight: 500 }, { ...cell, inFlight: 1 }])
  expect(rows.map(({ inFlight }) => inFlight)).toEqual([50])
  expect(turns).toHaveLength(8)
})

test.each([
  [{ operation: 'get', bytes: 64, inFlight: 1 }, 'get 64 B, 1 in flight'],
  [{ operation: 'get', bytes: 16_384, inFlight: 10 }, 'get 16 KB, 10 in flight'],
  [{ operation: 'set', bytes: 1 << 20, inFlight: 500 }, 'set 1 MB, 500 in flight'],
])('%j is called %s', (one, name) => {
  expect(nameOf(one)).toBe(name)
})

/** The mixture's targets, and what its loop counts. */
import { describe, expect, test } from 'vitest'
import { MixedLoop } from '../harness/mixed-loop.ts'
import type { Operation } from '../harness/operation.ts'
import { type MixtureRow, mixtureRowOf } from '../harness/rows.ts'
import { MIXED_TARGETS } from './mixed-targets.ts'

function row(subject: string, operation: string, p99Us: number, errors = 0): MixtureRow {
  const rest = { bytes: 100, ratePerSecond: 1, p50Us: 0, maxUs: 0, cpuUsPerOp: 0, rssMb: 0 }
  return { ...rest, subject, operation, p99Us, errors }
}

test('targets look at the fast calls, and at nobody being rejected', () => {
  const rows = [
    row('iokernel', 'fast', 10),
    row('iokernel', 'slow', 900, 1),
    row('iokernel one lane', 'fast', 99),
    row('pg Pool(10)', 'fast', 10, 4),
  ]
  expect(MIXED_TARGETS.map(({ judge }) => judge([], [], rows)?.isReached)).toEqual([true, false, false])
  expect(MIXED_TARGETS.map(({ judge }) => judge([], [], []))).toEqual([undefined, undefined, undefined])
})

describe('the mixed loop', () => {
  const streams = [
    { name: 'fast', operation: 'quick', ratePerSecond: 1_000 },
    { name: 'slow', operation: 'late', ratePerSecond: 50 },
    { name: 'write', operation: 'refused', ratePerSecond: 50 },
  ]
  const right = { isPlausible: (answer: unknown) => answer === 1, isExact: () => true }
  const late = { ...right, run: () => new Promise((resolve) => setTimeout(resolve, 60, 1)) }
  const operations: Readonly<Record<string, Operation>> = {
    quick: { ...right, run: async () => 1 },
    late,
    refused: { ...right, run: () => Promise.reject(new Error('no room')) },
    wrong: { ...right, run: async () => 2 },
    forgotten: { ...right, run: async () => 1, settle: async () => false },
  }
  const client = { operation: (name: string) => operations[name] as Operation, close: async () => {} }
  const options = { leadInDurationMs: 20, durationMs: 100, unansweredMax: 1_000 }

  test('keeps streams apart, counts the rejected and waits for the late', async () => {
    const loop = new MixedLoop(client, streams, 100)
    const measured = await loop.round(options)
    const counts = measured.streams.map(({ name, operations: calls, errors }) => [name, calls, errors])
    // Without those of the lead-in.
    expect(counts).toEqual([
      ['fast', 100, 0],
      ['slow', 5, 0],
      ['write', 5, 5],
    ])
    const [fast, slow, write] = measured.streams
    expect(fast?.p50Us).toBeLessThan(60_000)
    expect(slow?.p50Us).toBeGreaterThan(55_000)
    expect(slow?.maxUs).toBeGreaterThanOrEqual(slow?.p99Us as number)
    expect(write?.firstError).toContain('no room')
    // The last slow call was due at 80 ms.
    expect(measured.elapsedMs).toBeGreaterThan(135)

    const rounds = [measured, await loop.round(options)]
    expect(mixtureRowOf('one', streams[2] as (typeof streams)[0], 100, rounds)).toMatchObject({
      subject: 'one',
      operation: 'write',
      bytes: 100,
      ratePerSecond: 50,
      errors: 10,
    })
  })

  test.each([
    ['wrong', 'answer 0 is wrong'],
    ['forgotten', 'what was written is not there (odd)'],
  ])('a call that is %s ends the round', async (operation, message) => {
    const loop = new MixedLoop(client, [{ name: 'odd', operation, ratePerSecond: 100 }], 100)
    await expect(loop.round(options)).rejects.toThrow(message)
  })
})

/**
 * The wheel of deadlines: never early, at most a tick late, each once, however far away, whatever is taken off
 * meanwhile.
 */
import { describe, expect, test } from 'vitest'
import { withSeed } from '../testing/random.ts'
import { Call } from './call.ts'
import { DeadlineWheel } from './deadlines.ts'

function expired(wheel: DeadlineWheel, nowMs: number): Call[] {
  const calls: Call[] = []
  wheel.expire(nowMs, (call) => calls.push(call))
  return calls
}

describe('a deadline', () => {
  test.each([0.001, 1, 1.5, 50, 1_023, 1_024, 1_025, 30_000, 3_600_000])(
    '%d ms ahead expires then, and not before',
    (aheadMs) => {
      for (const startMs of [0, 0.999, 1_000.25, 123_456.5]) {
        const wheel = new DeadlineWheel(startMs)
        const call = new Call()
        wheel.add(call, startMs + aheadMs)
        for (const share of [0, 0.3, 0.9]) expect(expired(wheel, startMs + aheadMs * share)).toEqual([])
        expect(expired(wheel, startMs + aheadMs - 0.0005)).toEqual([])
        expect(wheel.isEmpty).toBe(false)
        expect(expired(wheel, Math.ceil(startMs + aheadMs))).toEqual([call])
        expect(wheel.isEmpty).toBe(true)
        expect(expired(wheel, startMs + aheadMs + 10_000)).toEqual([])
      }
    },
  )

  test('that is over when it is added expires at the next visit', () => {
    const wheel = new DeadlineWheel(5_000)
    expired(wheel, 10_000)
    const call = new Call()
    wheel.add(call, 7_000)
    expect(expired(wheel, 10_001)).toEqual([call])
  })

  test('is not missed when nobody looked for many revolutions', () => {
    const wheel = new DeadlineWheel(0)
    const calls = Array.from({ length: 3_000 }, (_, index) => {
      const call = new Call()
      wheel.add(call, 1 + index * 1.7)
      return call
    })
    expect(new Set(expired(wheel, 1_000_000))).toEqual(new Set(calls))
  })

  test('may be taken off at any time, and twice', () => {
    const wheel = new DeadlineWheel(0)
    const calls = Array.from({ length: 10 }, () => new Call())
    for (const call of calls) wheel.add(call, 100)
    for (const index of [0, 9, 5]) {
      wheel.remove(calls[index] as Call)
      wheel.remove(calls[index] as Call)
    }
    expect(expired(wheel, 101)).toHaveLength(7)
    expect(wheel.isEmpty).toBe(true)
  })

  test('taken off by the settling of another one does not expire, and the others of its millisecond do', () => {
    for (let removed = 0; removed < 5; removed++) {
      const wheel = new DeadlineWheel(0)
      const calls = Array.from({ length: 5 }, () => new Call())
      for (const call of calls) wheel.add(call, 50)
      const seen: Call[] = []
      let first = true
      wheel.expire(60, (call) => {
        seen.push(call)
        const victim = calls[removed] as Call
        if (first && victim !== call) wheel.remove(victim)
        first = false
      })
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.length).toBeGreaterThanOrEqual(4)
      expect(wheel.isEmpty).toBe(true)
    }
  })

  test('set while others expire is kept for its own time', () => {
    const wheel = new DeadlineWheel(0)
    const call = new Call()
    wheel.add(call, 10)
    const later = new Call()
    const seen: Call[] = []
    wheel.expire(10, (each) => {
      seen.push(each)
      // The pool gives the same object to the next call at once.
      wheel.add(each, 11)
      wheel.add(later, 10.5)
    })
    expect(seen).toEqual([call])
    expect(new Set(expired(wheel, 11))).toEqual(new Set([call, later]))
  })
})

test('nextVisitMs is never after the earliest deadline, and never in the past', async () => {
  await withSeed((random) => {
    for (let round = 0; round < 2_000; round++) {
      const startMs = random.unit() * 100_000
      const wheel = new DeadlineWheel(startMs)
      expect(wheel.nextVisitMs(startMs)).toBeUndefined()
      const deadlines = Array.from(
        { length: random.between(1, 5) },
        () => startMs + random.unit() * random.pick([10, 2_000, 90_000]),
      )
      for (const deadline of deadlines) wheel.add(new Call(), deadline)
      const visit = wheel.nextVisitMs(startMs) as number
      expect(visit).toBeGreaterThan(startMs - 1)
      expect(visit).toBeLessThanOrEqual(Math.ceil(Math.min(...deadlines)) + 1)
    }
  })
})

test('a model of a sorted list agrees, over random additions, removals and looks', async () => {
  await withSeed((random) => {
    let nowMs = random.unit() * 10_000
    const wheel = new DeadlineWheel(nowMs)
    const model = new Map<Call, number>()
    for (let step = 0; step < 60_000; step++) {
      if (random.chance(0.5)) {
        const call = new Call()
        const deadlineMs = nowMs + random.unit() * random.pick([2, 100, 1_100, 40_000])
        model.set(call, deadlineMs)
        wheel.add(call, deadlineMs)
      } else if (random.chance(0.3)) {
        const call = [...model.keys()][random.below(Math.min(model.size, 50))]
        if (call !== undefined) {
          model.delete(call)
          wheel.remove(call)
        }
      } else {
        nowMs += random.unit() * random.pick([1, 5, 100, random.chance(0.02) ? 5_000 : 1])
        wheel.expire(nowMs, (call) => {
          const deadlineMs = model.get(call)
          if (deadlineMs === undefined) throw new Error('expired though it was taken off, or twice')
          if (deadlineMs > nowMs) throw new Error(`${deadlineMs - nowMs} ms early`)
          model.delete(call)
        })
        for (const deadlineMs of model.values()) {
          if (Math.ceil(deadlineMs) <= Math.floor(nowMs)) throw new Error(`late: ${deadlineMs} is over at ${nowMs}`)
        }
      }
      expect(wheel.isEmpty).toBe(model.size === 0)
    }
  })
})

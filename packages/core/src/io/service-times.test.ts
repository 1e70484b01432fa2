/** What is believed of a statement: never quick too early, slow soon, slow not for long, and beyond the round trip. */
import { describe, expect, test } from 'vitest'
import { withSeed } from '../testing/random.ts'
import { type ServiceTime, ServiceTimes } from './service-times.ts'

const QUICK_MS = 2

/** A server at this distance. */
function times(roundTripMs: number = 0.2): ServiceTimes {
  const all = new ServiceTimes(QUICK_MS)
  all.connected(roundTripMs)
  return all
}

function statement(all: ServiceTimes, fingerprint: number = 7): ServiceTime {
  return all.of(fingerprint) as ServiceTime
}

function observe(all: ServiceTimes, time: ServiceTime, ms: number, count: number): void {
  for (let each = 0; each < count; each++) all.observe(time, ms, true)
}

/** How many samples it takes until the verdict is this one. */
function until(all: ServiceTimes, time: ServiceTime, ms: number, quick: boolean): number {
  for (let count = 0; count <= 10_000; count++) {
    if (all.isQuick(time) === quick) return count
    all.observe(time, ms, true)
  }
  return Number.POSITIVE_INFINITY
}

describe('a statement', () => {
  test('is quick after three calls that say so, and not before', () => {
    const all = times()
    expect(until(all, statement(all), 0.3, true)).toBe(3)
  })

  test('without a fingerprint is never known', () => {
    expect(times().of(0)).toBeUndefined()
  })

  test('with one slow call among the first three is not quick', () => {
    for (const slow of [0, 1, 2]) {
      const all = times()
      const time = statement(all)
      for (let count = 0; count < 3; count++) all.observe(time, count === slow ? 30 : 0.3, true)
      expect(all.isQuick(time)).toBe(false)
    }
  })

  test('that is slow from the first call on, and alone in the world, is slow', () => {
    for (const roundTripMs of [0.1, 20]) {
      const all = times(roundTripMs)
      expect(until(all, statement(all), roundTripMs + 200, true)).toBe(Number.POSITIVE_INFINITY)
    }
  })

  test('that becomes slow is noticed within a few calls', () => {
    const all = times()
    const time = statement(all)
    observe(all, time, 0.3, 10_000)
    expect(until(all, time, 50, false)).toBeLessThanOrEqual(5)
  })

  test('that one stall hit is quick again after a few dozen calls, however long it was', () => {
    for (const stallMs of [5, 100, 60_000]) {
      const all = times()
      const time = statement(all)
      observe(all, time, 0.3, 1_000)
      all.observe(time, stallMs, true)
      expect(until(all, time, 0.3, true)).toBeLessThan(60)
    }
  })

  test('that was slow for long and became quick recovers within a hundred calls', () => {
    const all = times()
    const time = statement(all)
    observe(all, time, 500, 10_000)
    expect(until(all, time, 0.3, true)).toBeLessThan(100)
  })

  test('of which one call in eight is slow is slow most of the time; one in a hundred is not enough', async () => {
    await withSeed((random) => {
      for (const [share, least, most] of [
        [1 / 8, 0, 1_500],
        [1 / 100, 9_500, 10_000],
      ] as const) {
        const all = times()
        const time = statement(all)
        observe(all, time, 0.3, 3)
        let quick = 0
        for (let count = 0; count < 10_000; count++) {
          all.observe(time, random.chance(share) ? 20 : 0.3, true)
          if (all.isQuick(time)) quick++
        }
        expect(quick).toBeGreaterThanOrEqual(least)
        expect(quick).toBeLessThanOrEqual(most)
      }
    })
  })
})

describe('the round trip', () => {
  test('is not counted as work, whether it is short or long', () => {
    for (const roundTripMs of [0.05, 1, 20, 200]) {
      const all = times(roundTripMs)
      expect(until(all, statement(all), roundTripMs + 0.1, true)).toBe(3)
      expect(all.roundTripMs).toBeCloseTo(roundTripMs, 5)
    }
  })

  test('is not lengthened by slow calls, nor by the time of those that stand behind others', () => {
    const all = times()
    observe(all, statement(all, 1), 200, 50_000)
    for (let count = 0; count < 1_000; count++) all.observe(statement(all, 2), 0.001, false)
    expect(all.roundTripMs).toBeGreaterThan(0.1)
    expect(all.roundTripMs).toBeLessThan(1)
  })

  test('of a network that changed is believed after a few connections', () => {
    const all = times(1)
    for (let count = 0; count < 8; count++) all.connected(40)
    expect(all.roundTripMs).toBeGreaterThan(38)
    all.connected(1)
    expect(all.roundTripMs).toBe(1)
  })
})

test('a program that makes up statements does not use up memory, and keeps what it uses now', () => {
  const all = times()
  for (let fingerprint = 1; fingerprint <= 100_000; fingerprint++) observe(all, statement(all, fingerprint), 0.3, 3)
  expect(all.isQuick(statement(all, 100_000))).toBe(true)
  expect(all.isQuick(statement(all, 1))).toBe(false)
})

/** When a thread looks into its ring by itself: with a clock and turns that the test makes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RingConsumer } from '../channel/ring.ts'
import { Poller } from './poller.ts'

const real = { setImmediate: globalThis.setImmediate, now: performance.now }
let now = 0
let turns: (() => void)[] = []

beforeEach(() => {
  now = 1_000
  turns = []
  globalThis.setImmediate = ((turn: () => void) => turns.push(turn)) as unknown as typeof setImmediate
  performance.now = () => now
})

afterEach(() => {
  globalThis.setImmediate = real.setImmediate
  performance.now = real.now
})

/**
 * `everyMs`: how far apart replies come, one by one, while `waiting` calls wait. Says how many turns looked in vain.
 */
function looked(waiting: number, everyMs: number, forMs: number): number {
  let vain = 0
  let nextAtMs = now + everyMs
  const ring = { wake: () => undefined, sleep: () => true } as unknown as RingConsumer
  const take = (): number => {
    if (now < nextAtMs) return 0
    nextAtMs = now + everyMs
    return 1
  }
  const poller = new Poller(ring, 600, {
    take: () => {
      const found = take()
      if (found === 0) vain++
      return found
    },
    waiting: () => waiting,
    onRest: () => undefined,
  })
  poller.begin(true)
  for (const endMs = now + forMs; now < endMs; now += 0.005) {
    const turn = turns.shift()
    if (turn !== undefined) turn()
    else if (now >= nextAtMs) {
      // The doorbell.
      poller.drained(take())
      poller.begin(false)
    }
  }
  return vain
}

describe('a thread that waits for many replies', () => {
  test('goes on looking while they come fast', () => {
    expect(looked(50, 0.01, 20)).toBeGreaterThan(500)
  })

  test('sleeps, and is woken, where they come slowly one by one', () => {
    // Half a dozen tries of looking, and one look after each reply.
    expect(looked(50, 0.1, 80)).toBeLessThan(80 / 0.1 + 500)
  })

  test('looks for the one reply that somebody waits for, though it is slow', () => {
    expect(looked(1, 0.1, 80)).toBeGreaterThan(5_000)
  })
})

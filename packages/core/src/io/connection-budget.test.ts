/** How many connections there may be: every count of lanes and sessions, and every setting of the limits. */
import { expect, test } from 'vitest'
import { UPSTREAM_LIMITS } from '../shared/limits.ts'
import { ConnectionBudget } from './connection-budget.ts'

function budget(connectionsMax: number, sessionsReserved: number, lanes: number, sessions: number): ConnectionBudget {
  const limits = { ...UPSTREAM_LIMITS, connectionsMax, sessionsReserved }
  return new ConnectionBudget(limits, () => ({ lanes, draining: 0, sessions }))
}

/** All there are, up to this many of each. */
function* settings(most: number): Generator<[number, number, number, number]> {
  for (let max = 1; max <= most; max++)
    for (let reserved = 0; reserved <= most; reserved++)
      for (let lanes = 0; lanes <= most; lanes++)
        for (let sessions = 0; sessions <= most; sessions++) yield [max, reserved, lanes, sessions]
}

test('one more is let in only where there is room for it, but for the one lane that there always is', () => {
  for (const [max, reserved, lanes, sessions] of settings(6)) {
    const one = budget(max, reserved, lanes, sessions)
    const what = `connectionsMax ${max}, sessionsReserved ${reserved}, ${lanes} lanes, ${sessions} sessions`
    if (one.mayOpenSession()) expect(lanes + sessions, what).toBeLessThan(max)
    if (one.mayOpenLane() && lanes > 0) {
      expect(lanes + sessions, what).toBeLessThan(max)
      expect(lanes, what).toBeLessThan(Math.max(1, max - reserved))
    }
    if (lanes === 0) expect(one.mayOpenLane(), what).toBe(true)
  }
})

test('lanes leave room for sessions, but never so much that there is no lane', () => {
  expect(budget(10, 3, 0, 0).lanesMax).toBe(7)
  expect(budget(2, 2, 0, 0).lanesMax).toBe(1)
  expect(budget(1, 9, 0, 0).lanesMax).toBe(1)
})

test('what is reserved can be had while every lane is open', () => {
  for (const [max, reserved] of settings(8)) {
    if (reserved >= max) continue
    const lanes = max - reserved
    for (let sessions = 0; sessions < reserved; sessions++) {
      expect(budget(max, reserved, lanes, sessions).mayOpenSession()).toBe(true)
    }
    expect(budget(max, reserved, lanes, reserved).mayOpenSession()).toBe(false)
  }
})

/** Where a quick read goes while a lane is idle: small ones behind others, larger ones to themselves. */
import { describe, expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import { UPSTREAM_LIMITS } from '../shared/limits.ts'
import { Call } from './call.ts'
import { ElasticLanes } from './elastic.ts'
import { type ServiceTime, ServiceTimes } from './service-times.ts'

const NOBODY = { sharing: 0, sharingSinceMs: 0, alone: 0, aloneSinceMs: 0 }
const NOW_MS = 1_000
const lane = (count: number) => ({ hasRoom: true, unanswered: { count }, taken: false, headSinceMs: NOW_MS })

/** A read that was seen to take so long, and has waited. */
function reads(serviceMs: number, waitedMs: number = 0): (...counts: number[]) => number {
  const times = new ServiceTimes(UPSTREAM_LIMITS.quickMsMax)
  const lanes = new ElasticLanes(10, UPSTREAM_LIMITS, times)
  const call = new Call()
  call.flags = CallFlag.Read
  call.fingerprint = 1
  call.arrivedAtMs = NOW_MS - waitedMs
  for (let sample = 0; sample < 10; sample++) {
    const time = times.of(1)
    if (time !== undefined) times.observe(time, serviceMs, false)
  }
  expect(lanes.shares(call)).toBe(true)
  return (...counts) => lanes.choose(call, true, counts.map(lane), NOBODY, NOW_MS)
}

describe('a small read', () => {
  test('is packed behind others while a lane next to it is idle', () => {
    expect(reads(0.05)(0, 0)).toBe(0)
    expect(reads(0.05)(10, 0)).toBe(0)
    expect(reads(0.05)(UPSTREAM_LIMITS.windowMax - 1, 0)).toBe(0)
  })

  test('waits a moment before it wakes an idle lane, and not at all for one that is in use', () => {
    const { windowMax } = UPSTREAM_LIMITS
    expect(reads(0.05)(windowMax, 0)).toBe(-1)
    expect(reads(0.05)(windowMax, 3, 0)).toBe(1)
    expect(reads(0.05, 1)(windowMax, 0)).toBe(1)
  })
})

test('a small read is not packed behind a head that takes longer than small reads do, while a lane is idle', () => {
  const times = new ServiceTimes(UPSTREAM_LIMITS.quickMsMax)
  const lanes = new ElasticLanes(10, UPSTREAM_LIMITS, times)
  const call = new Call()
  call.flags = CallFlag.Read
  call.fingerprint = 1
  call.arrivedAtMs = NOW_MS
  for (let sample = 0; sample < 10; sample++) times.observe(times.of(1) as ServiceTime, 0.05, false)
  expect(lanes.shares(call)).toBe(true)
  const stuck = { ...lane(3), headSinceMs: NOW_MS - 1 }
  expect(lanes.choose(call, true, [stuck, lane(0)], NOBODY, NOW_MS)).toBe(1)
  expect(lanes.choose(call, true, [stuck, lane(2), lane(0)], NOBODY, NOW_MS)).toBe(1)
  expect(lanes.choose(call, true, [stuck], NOBODY, NOW_MS)).toBe(0)
})

describe('a larger quick read', () => {
  test('takes an idle lane first', () => {
    expect(reads(1.5)(3, 0)).toBe(1)
  })

  test('shares a quarter as deep when there is none', () => {
    const deepest = UPSTREAM_LIMITS.windowMax / 4
    expect(reads(1.5)(deepest - 1, 2)).toBe(0)
    expect(reads(1.5)(deepest, 2)).toBe(1)
    expect(reads(1.5)(deepest, deepest)).toBe(-1)
  })
})

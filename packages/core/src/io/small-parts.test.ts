/**
 * The small sans-clock parts of the I/O side: back-off, retry budget, address set, scheduler, call lists, the line
 * about troubles, credentials. Each rule of their headers.
 */
import { describe, expect, test } from 'vitest'
import type { Endpoint } from '../plugin/discovery.ts'
import { withSeed } from '../testing/random.ts'
import { VirtualWorld } from '../testing/virtual-world.ts'
import { Backoff } from './backoff.ts'
import { Call, CallList, CallPool, CallState } from './call.ts'
import { Credentials } from './credentials.ts'
import { EndpointSet } from './endpoint-set.ts'
import { RetryBudget } from './retry-budget.ts'
import { oneLane, pool } from './scheduler.ts'
import { Troubles } from './troubles.ts'

function endpoint(id: string): Endpoint {
  return { id, host: '10.0.0.1', port: 1 }
}

describe('a back-off', () => {
  test('doubles from its minimum to its maximum, with a jitter of half, and begins anew after a reset', () => {
    const least = new Backoff(50, 5_000)
    const most = new Backoff(50, 5_000)
    expect(Array.from({ length: 9 }, () => least.nextMs(0))).toEqual([25, 50, 100, 200, 400, 800, 1_600, 2_500, 2_500])
    expect(Array.from({ length: 3 }, () => most.nextMs(0.999999)).map(Math.round)).toEqual([50, 100, 200])
    least.reset()
    expect(least.failures).toBe(0)
    expect(least.nextMs(0)).toBe(25)
  })

  test('never overflows', () => {
    const backoff = new Backoff(1, 60_000)
    for (let count = 0; count < 5_000; count++) expect(backoff.nextMs(0.5)).toBeLessThanOrEqual(60_000)
  })
})

describe('a retry budget', () => {
  test('lets a share of the calls and so many a second through, and no more', () => {
    const budget = new RetryBudget(20, 10, 0)
    let allowed = 0
    for (let count = 0; count < 1_000; count++) if (budget.take(0)) allowed++
    expect(allowed).toBe(100)
    expect(budget.take(999)).toBe(true)
    for (let count = 0; count < 1_000; count++) budget.earn(1)
    allowed = 0
    for (let count = 0; count < 1_000; count++) if (budget.take(999)) allowed++
    expect(allowed).toBeGreaterThanOrEqual(200)
    expect(allowed).toBeLessThanOrEqual(210)
  })

  test('saves ten seconds at most', () => {
    const budget = new RetryBudget(20, 10, 0)
    while (budget.take(0));
    let allowed = 0
    while (budget.take(3_600_000)) allowed++
    expect(allowed).toBe(100)
  })

  test('of nothing allows nothing', () => {
    const budget = new RetryBudget(0, 0, 0)
    budget.earn(1_000_000)
    expect(budget.take(1_000_000)).toBe(false)
  })
})

describe('the addresses', () => {
  test('a failed one waits while the next is tried at once; when all wait, the first to be over is next', () => {
    const set = new EndpointSet(100, 1_000)
    set.replace(['a', 'b', 'c'].map(endpoint))
    expect(set.pick(0, new Set())?.id).toBe('a')
    set.failed('a', 0, 0.5)
    expect(set.pick(0, new Set())?.id).toBe('b')
    expect(set.pick(0, new Set(['b']))?.id).toBe('c')
    set.failed('b', 10, 0.5)
    set.failed('c', 20, 0.5)
    expect(set.pick(50, new Set())).toBeUndefined()
    expect(set.nextTryMs(new Set())).toBe(75)
    expect(set.pick(75, new Set())?.id).toBe('a')
    expect(set.nextTryMs(new Set(['a']))).toBe(85)
    expect(set.nextTryMs(new Set(['a', 'b', 'c']))).toBeUndefined()
  })

  test('one that stays in the set keeps its history; a new one has none', () => {
    const set = new EndpointSet(100, 10_000)
    set.replace([endpoint('a')])
    for (let count = 0; count < 5; count++) set.failed('a', set.retryAtMs('a'), 0)
    expect(set.retryAtMs('a')).toBe(50 + 100 + 200 + 400 + 800)
    set.replace([endpoint('b'), endpoint('a')])
    expect(set.ids).toEqual(['b', 'a'])
    expect(set.retryAtMs('a')).toBe(1_550)
    expect(set.retryAtMs('b')).toBe(0)
    set.replace([endpoint('b')])
    set.replace([endpoint('a')])
    expect(set.retryAtMs('a')).toBe(0)
  })

  test('a handshake lets it be tried, a life of some length ends the back-off, a refusal waits long', () => {
    const set = new EndpointSet(100, 10_000)
    set.replace([endpoint('a')])
    for (let count = 0; count < 4; count++) set.failed('a', set.retryAtMs('a'), 0)
    set.succeeded('a')
    expect(set.retryAtMs('a')).toBe(0)
    set.failed('a', 0, 0)
    expect(set.retryAtMs('a')).toBe(800)
    set.provedWell('a')
    set.failed('a', 800, 0)
    expect(set.retryAtMs('a')).toBe(850)
    set.refused('a', 0, 0)
    expect(set.retryAtMs('a')).toBe(5_000)
  })

  test('connections that fail while their address waits already are the same failure', () => {
    const set = new EndpointSet(100, 10_000)
    set.replace([endpoint('a')])
    for (let count = 0; count < 64; count++) set.failed('a', count / 10, 0)
    expect(set.retryAtMs('a')).toBe(50)
    set.failed('a', 50, 0)
    expect(set.retryAtMs('a')).toBe(150)
  })

  test('what is not in the set is nobody', () => {
    const set = new EndpointSet(100, 1_000)
    expect(set.isEmpty).toBe(true)
    expect(set.nextTryMs(new Set())).toBeUndefined()
    set.failed('x', 0, 0)
    set.refused('x', 0, 0)
    set.succeeded('x')
    set.provedWell('x')
    expect(set.has('x')).toBe(false)
    expect(set.retryAtMs('x')).toBe(0)
  })
})

describe('the scheduler', () => {
  const lane = (count: number, hasRoom = true) => ({ hasRoom, unanswered: { count }, taken: false, headSinceMs: 0 })
  const call = new Call()
  const waiting = (alone: number) => ({ sharing: 0, sharingSinceMs: 0, alone, aloneSinceMs: 0 })

  test('of one lane keeps the order: everything goes there, or waits', () => {
    expect(oneLane.choose(call, true, [], waiting(0), 0)).toBe(-1)
    expect(oneLane.more(waiting(0), [], 0, 0)).toBe(1)
    expect(oneLane.more(waiting(0), [], 1, 0)).toBe(0)
    expect(oneLane.choose(call, true, [lane(5_000)], waiting(0), 0)).toBe(0)
    expect(oneLane.choose(call, true, [lane(5, false), lane(0)], waiting(0), 0)).toBe(-1)
    expect(oneLane.more(waiting(0), [lane(5, false)], 0, 0)).toBe(0)
  })

  test('of a pool gives one call at a time to each lane, and opens no more than it may', () => {
    const three = pool(3)
    expect(three.choose(call, false, [], waiting(0), 0)).toBe(-1)
    expect(three.more(waiting(5), [], 0, 0)).toBe(3)
    expect(three.choose(call, false, [lane(1), lane(0)], waiting(0), 0)).toBe(1)
    expect(three.choose(call, false, [lane(1), lane(1)], waiting(0), 0)).toBe(-1)
    expect(three.more(waiting(4), [lane(1), lane(1)], 0, 0)).toBe(1)
    expect(three.more(waiting(1), [lane(1), lane(1)], 1, 0)).toBe(0)
    expect(three.more(waiting(4), [lane(1), lane(1), lane(1)], 0, 0)).toBe(0)
    expect(three.choose(call, false, [lane(0, false), lane(1), lane(1)], waiting(0), 0)).toBe(-1)
  })
})

test('a list of calls is an array, over random pushes, unshifts, removals and shifts', async () => {
  await withSeed((random) => {
    const list = new CallList()
    let model: Call[] = []
    for (let step = 0; step < 20_000; step++) {
      const roll = random.below(5)
      if (roll < 2) {
        const call = new Call()
        if (roll === 0) list.push(call)
        else list.unshift(call)
        model = roll === 0 ? [...model, call] : [call, ...model]
      } else if (roll === 2 && model.length > 0) {
        const call = random.pick(model)
        list.remove(call)
        model = model.filter((each) => each !== call)
        expect(call.list).toBeUndefined()
      } else {
        expect(list.shift()).toBe(model.shift())
      }
      const seen: Call[] = []
      for (let call = list.first; call !== undefined; call = call.next) seen.push(call)
      if (seen.length !== model.length || seen.some((call, index) => call !== model[index]))
        throw new Error('other order')
      expect([list.count, list.last]).toEqual([model.length, model.at(-1)])
      if (model.length > 20) while (model.length > 0) expect(list.shift()).toBe(model.shift())
    }
  })
})

test('a call from the pool remembers nothing of the one before', () => {
  const pooled = new CallPool()
  const call = pooled.take()
  Object.assign(call, { replyBytes: 5, retries: 3, cancelled: true, missing: 9, state: CallState.Tombstone })
  pooled.give(call)
  const again = pooled.take()
  expect(again).toBe(call)
  expect(again).toMatchObject({
    replyBytes: 0,
    retries: 0,
    cancelled: false,
    missing: 0,
    state: CallState.Free,
    wheelSlot: -1,
  })
  expect(again.client).toBeUndefined()
  expect(again.chunk).toBeUndefined()
})

describe('the line about an upstream that is down', () => {
  test('comes at most once in ten seconds however it flaps, and once when it is back', () => {
    const world = new VirtualWorld()
    const troubles = new Troubles('lines://x', world)
    for (let flap = 0; flap < 300; flap++) {
      troubles.report('refused', false)
      world.elapse(50)
      troubles.over()
      world.elapse(50)
    }
    const down = world.lines.filter((text) => text.includes('is down'))
    expect(down.length).toBeGreaterThanOrEqual(2)
    expect(down.length).toBeLessThanOrEqual(4)
    expect(world.lines.filter((text) => text.includes('is back')).length).toBeLessThanOrEqual(down.length)
    expect(down[0]).toContain('lines://x')
    expect(down[0]).toContain('refused')
  })

  test('is not written when somebody listens', () => {
    const world = new VirtualWorld()
    const troubles = new Troubles('lines://x', world)
    troubles.report('refused', true)
    troubles.over()
    expect(world.lines).toEqual([])
  })
})

describe('credentials from a callback', () => {
  function asking(world: VirtualWorld) {
    let asked = 0
    const credentials = new Credentials(world, 5_000, () => asked++)
    const taken: string[] = []
    const take = (): void =>
      credentials.get((value, failure) => void taken.push(failure === undefined ? String(value) : failure.message))
    return { credentials, taken, take, asked: () => asked }
  }

  test('are asked for before each handshake, once for those who ask together', () => {
    const { credentials, taken, take, asked } = asking(new VirtualWorld())
    take()
    take()
    expect(asked()).toBe(1)
    credentials.answer('first', undefined)
    take()
    expect(asked()).toBe(2)
    credentials.answer('second', undefined)
    expect(taken).toEqual(['first', 'first', 'second'])
    expect(credentials.last).toBe('second')
  })

  test('the last value serves while the application is busy, or fails', () => {
    const world = new VirtualWorld()
    const { credentials, taken, take } = asking(world)
    take()
    credentials.answer('token', undefined)
    take()
    world.run(1_000)
    expect(taken).toEqual(['token', 'token'])
    take()
    credentials.answer(undefined, 'the vault is sealed')
    expect(taken.at(-1)).toBe('token')
    credentials.answer('late', undefined)
    take()
    world.run(1_000)
    expect(taken.at(-1)).toBe('late')
  })

  test('the first value is waited for as long as a handshake may take, then it is a failure that says so', () => {
    const world = new VirtualWorld()
    const { credentials, taken, take } = asking(world)
    take()
    world.run(4_900)
    expect(taken).toEqual([])
    world.run(200)
    expect(taken).toHaveLength(1)
    expect(taken[0]).toMatch(/credentials callback/)
    take()
    credentials.answer(undefined, 'no such user')
    expect(taken[1]).toMatch(/no such user/)
  })
})

/**
 * The fair queue against a reference that is simple and slow, and against its promises over a long run: order within a
 * client and a priority, turns between clients, weights between priorities, nobody starved, nothing kept.
 */
import { describe, expect, test } from 'vitest'
import { type Random, withSeed } from '../testing/random.ts'
import { Call } from './call.ts'
import type { Client } from './client.ts'
import { FairQueue } from './fair-queue.ts'

const CLIENTS = Array.from({ length: 4 }, (_, index) => ({ index }) as unknown as Client)

let number = 0
function callOf(client: number, priority: number): Call {
  const call = new Call()
  call.id = ++number
  call.client = CLIENTS[client]
  call.priority = priority
  return call
}

/** Which calls may leave next, so far as order within one client and one priority says. */
class Reference {
  readonly #lists = new Map<string, Call[]>()

  get count(): number {
    return [...this.#lists.values()].reduce((sum, list) => sum + list.length, 0)
  }

  get all(): Call[] {
    return [...this.#lists.values()].flat()
  }

  of(call: Call): Call[] {
    const key = `${CLIENTS.indexOf(call.client as Client)} ${call.priority}`
    const list = this.#lists.get(key) ?? []
    this.#lists.set(key, list)
    return list
  }

  remove(call: Call): void {
    const list = this.of(call)
    list.splice(list.indexOf(call), 1)
  }
}

/** One random thing. Returns the call that left, if one did. */
function step(queue: FairQueue, reference: Reference, random: Random): Call | undefined {
  const roll = random.below(10)
  if (roll < 4) {
    const call = callOf(random.below(4), random.below(3))
    queue.push(call)
    reference.of(call).push(call)
  } else if (roll === 4) {
    const call = callOf(random.below(4), random.below(3))
    queue.unshift(call)
    reference.of(call).unshift(call)
  } else if (roll === 5 && reference.count > 0) {
    // It expires, wherever it stands.
    const call = random.pick(reference.all)
    call.list?.remove(call)
    reference.remove(call)
  } else {
    const peeked = queue.peek()
    const call = queue.shift()
    expect(call).toBe(peeked)
    return call
  }
  return undefined
}

describe('against the reference', () => {
  test('each client has its calls in order, whatever is pushed, put back, expires and leaves', async () => {
    await withSeed((random) => {
      for (let round = 0; round < 50; round++) {
        const queue = new FairQueue()
        const reference = new Reference()
        for (let count = 0; count < 400; count++) {
          const call = step(queue, reference, random)
          if (call !== undefined) {
            expect(reference.of(call)[0]).toBe(call)
            reference.remove(call)
          }
          expect(queue.count).toBe(reference.count)
          expect(queue.isEmpty).toBe(reference.count === 0)
          expect(queue.peek() === undefined).toBe(reference.count === 0)
        }
        for (let left = reference.count; left > 0; left--) {
          const call = queue.shift() as Call
          expect(reference.of(call)[0]).toBe(call)
          reference.remove(call)
          expect(call.list).toBeUndefined()
        }
        expect(queue.shift()).toBeUndefined()
      }
    })
  })

  test('clients that always have calls take turns, one call each', async () => {
    await withSeed((random) => {
      const queue = new FairQueue()
      for (const client of CLIENTS.keys())
        for (let count = random.between(50, 80); count > 0; count--) queue.push(callOf(client, 1))
      let before: (Client | undefined)[] = []
      for (let round = 0; round < 50; round++) {
        const turn = CLIENTS.map(() => queue.shift()?.client)
        expect(new Set(turn).size).toBe(CLIENTS.length)
        if (round > 0) expect(turn).toEqual(before)
        before = turn
      }
    })
  })
})

/** Who leaves, when these priorities always have a call of this client waiting. */
function shares(queue: FairQueue, priorities: readonly number[], turns: number): number[] {
  const given = [0, 0, 0]
  for (const priority of priorities) queue.push(callOf(0, priority))
  for (let turn = 0; turn < turns; turn++) {
    const { priority } = queue.shift() as Call
    given[priority] = (given[priority] as number) + 1
    queue.push(callOf(0, priority))
  }
  for (let call = queue.shift(); call !== undefined; call = queue.shift());
  return given
}

describe('between priorities', () => {
  test('turns are 16 to 4 to 1', () => {
    const [high = 0, normal = 0, low = 0] = shares(new FairQueue(), [0, 1, 2], 21_000)
    expect(Math.abs(high - 16_000)).toBeLessThan(20)
    expect(Math.abs(normal - 4_000)).toBeLessThan(20)
    expect(Math.abs(low - 1_000)).toBeLessThan(20)
  })

  test('what happened before changes nothing: nobody has saved turns up, and nobody has used them up', async () => {
    await withSeed((random) => {
      for (let round = 0; round < 100; round++) {
        const queue = new FairQueue()
        for (let phase = 0; phase < 6; phase++) {
          const busy = [0, 1, 2].filter(() => random.chance(0.5))
          if (busy.length > 0) shares(queue, busy, random.between(1, 3_000))
        }
        const [high = 0, normal = 0, low = 0] = shares(queue, [0, 1, 2], 210)
        expect(high, 'high').toBeGreaterThan(140)
        expect(normal, 'normal').toBeGreaterThanOrEqual(38)
        expect(low, 'low').toBeGreaterThanOrEqual(8)
      }
    })
  })

  test('one that comes and goes does not pass its share, and is not starved either', async () => {
    await withSeed((random) => {
      const queue = new FairQueue()
      const waited: number[] = []
      for (let round = 0; round < 300; round++) {
        for (let count = 0; count < random.between(0, 40); count++) {
          queue.push(callOf(0, 0))
          queue.shift()
        }
        for (let count = 0; count < 200; count++) queue.push(callOf(1, random.below(2)))
        const low = callOf(2, 2)
        queue.push(low)
        let turns = 1
        while (queue.shift() !== low) turns++
        waited.push(turns)
        if (random.chance(0.5)) while (queue.shift() !== undefined);
      }
      // A stride of 16, against 1 and 4.
      expect(Math.max(...waited)).toBeLessThan(50)
    })
  })
})

describe('what is left of a client', () => {
  test('whose calls have all left or expired is nothing', () => {
    const queue = new FairQueue()
    for (let count = 0; count < 1_000; count++) {
      const call = callOf(0, count % 3)
      call.client = { count } as unknown as Client
      queue.push(call)
      if (count % 2 === 0) call.list?.remove(call)
    }
    expect(queue.count).toBe(500)
    while (queue.shift() !== undefined);
    expect(queue.isEmpty).toBe(true)
  })

  test('that is emptied by expiry and comes back has one place, not two', () => {
    const queue = new FairQueue()
    for (let count = 0; count < 10; count++) {
      const call = callOf(0, 1)
      queue.push(call)
      call.list?.remove(call)
    }
    const [mine, other, second] = [callOf(0, 1), callOf(1, 1), callOf(0, 1)]
    for (const call of [mine, second, other]) queue.push(call)
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([mine, other, second])
  })

  test('put back is the first of its client again, and of no other', () => {
    const queue = new FairQueue()
    const [first, second, other] = [callOf(0, 1), callOf(0, 1), callOf(1, 1)]
    for (const call of [first, second, other]) queue.push(call)
    expect(queue.shift()).toBe(first)
    queue.unshift(first)
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([other, first, second])
  })
})

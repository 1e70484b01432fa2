/**
 * The ring's four invariants: against tables, against a plain queue, at exact fill, at both wraps (of the ring, of its
 * counters).
 */
import { describe, expect, test } from 'vitest'
import { Random, withSeed } from '../testing/random.ts'
import { WORD_CALL, WORD_KIND } from './records.ts'
import { HEADER_BYTES, payloadMaxOf, RingConsumer, type RingMemory, RingProducer, ringMemory } from './ring.ts'

const KB = 1024

interface Ends {
  readonly memory: RingMemory
  readonly producer: RingProducer
  readonly consumer: RingConsumer
}

/** `startAt`: what HEAD and TAIL count from, so that their wrap at 2^32 can be reached. */
function ring(capacity = KB, startAt = 0): Ends {
  const memory = ringMemory(capacity)
  const control = new Int32Array(memory.control)
  Atomics.store(control, 0, startAt)
  Atomics.store(control, 16, startAt)
  return { memory, producer: new RingProducer(memory), consumer: new RingConsumer(memory) }
}

function put({ producer }: Ends, payload: Uint8Array, number = 0): boolean {
  const offset = producer.begin(payload.length)
  if (offset === -1) return false
  producer.words[(offset >> 2) + WORD_KIND] = 1
  producer.words[(offset >> 2) + WORD_CALL] = number
  producer.bytes.set(payload, offset + HEADER_BYTES)
  producer.commit(payload.length)
  return true
}

/** The oldest record; its memory is overwritten by the producer after `release`. */
function take({ consumer }: Ends): { readonly number: number; readonly payload: Buffer } | undefined {
  const offset = consumer.peek()
  if (offset === -1) return undefined
  const length = consumer.words[offset >> 2] as number
  const payload = Buffer.from(consumer.bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length))
  const number = consumer.words[(offset >> 2) + WORD_CALL] as number
  consumer.next(offset)
  return { number, payload }
}

function invariants({ producer, consumer }: Ends): void {
  producer.invariants()
  consumer.invariants()
}

describe('one record', () => {
  test.each([0, 1, 7, 8, 9, payloadMaxOf(KB) - 1, payloadMaxOf(KB)])(
    'of %i bytes arrives as it was written',
    (length) => {
      const ends = ring()
      const payload = new Random(length + 1).bytes(length)
      expect(put(ends, payload, 7)).toBe(true)
      invariants(ends)
      expect(take(ends)).toEqual({ number: 7, payload })
      expect(take(ends)).toBeUndefined()
      ends.consumer.release()
      invariants(ends)
      expect(ends.producer.isEmpty() && ends.consumer.isEmpty()).toBe(true)
    },
  )

  test('is invisible before commit, and forgotten by the next begin', () => {
    const ends = ring()
    expect(ends.producer.begin(100)).toBe(0)
    expect(ends.consumer.peek()).toBe(-1)
    expect(ends.producer.begin(10)).toBe(0)
    expect(ends.consumer.peek()).toBe(-1)
    expect(put(ends, Buffer.from('only me'))).toBe(true)
    expect(take(ends)?.payload.toString()).toBe('only me')
    expect(take(ends)).toBeUndefined()
  })

  test('cannot be committed twice, nor before begin', () => {
    const { producer } = ring()
    expect(() => producer.commit(0)).toThrow(/invariant broken/)
    producer.begin(0)
    producer.commit(0)
    expect(() => producer.commit(0)).toThrow(/invariant broken/)
    expect(() => producer.payloadLimit()).toThrow(/invariant broken/)
  })

  test('may be longer than begin was told, up to payloadLimit and no further than payloadMax', () => {
    const ends = ring()
    for (let round = 0; round < 50; round++) {
      const offset = ends.producer.begin(8)
      expect(offset).not.toBe(-1)
      const room = ends.producer.payloadLimit() - offset - HEADER_BYTES
      expect(room).toBeGreaterThanOrEqual(8)
      expect(room).toBeLessThanOrEqual(ends.producer.payloadMax)
      ends.producer.words[(offset >> 2) + WORD_KIND] = 1
      ends.producer.bytes.fill(round, offset + HEADER_BYTES, offset + HEADER_BYTES + room)
      ends.producer.commit(room)
      invariants(ends)
      expect(take(ends)?.payload).toEqual(Buffer.alloc(room, round))
      ends.consumer.release()
    }
  })
})

describe('a full ring', () => {
  test('of records that fit exactly is not mistaken for an empty one, and refuses one more', () => {
    const ends = ring()
    const payload = Buffer.alloc(payloadMaxOf(KB), 1)
    for (let count = 0; count < 4; count++) expect(put(ends, payload, count)).toBe(true)
    invariants(ends)
    expect(ends.producer.begin(0)).toBe(-1)
    expect(ends.consumer.isEmpty()).toBe(false)
    for (let count = 0; count < 4; count++) expect(take(ends)?.number).toBe(count)
    expect(ends.producer.begin(0)).toBe(-1)
    ends.consumer.release()
    expect(put(ends, payload)).toBe(true)
    invariants(ends)
  })

  test('of empty records holds capacity / 32 of them', () => {
    const ends = ring()
    let count = 0
    while (put(ends, new Uint8Array(0), count)) count++
    expect(count).toBe(KB / HEADER_BYTES)
    invariants(ends)
    for (let number = 0; number < count; number++) expect(take(ends)).toEqual({ number, payload: Buffer.alloc(0) })
  })

  test('keeps what was committed when a begin fails, and says so by an assertion when commit follows', () => {
    const ends = ring()
    while (put(ends, Buffer.alloc(100, 3)));
    expect(ends.producer.begin(100)).toBe(-1)
    expect(() => ends.producer.commit(100)).toThrow(/invariant broken/)
    invariants(ends)
    expect(take(ends)?.payload).toEqual(Buffer.alloc(100, 3))
  })
})

describe('the wrap', () => {
  test.each([8, 16, 24, 32, 40])('with %i bytes left before the end leaves a skip marker and starts at 0', (left) => {
    const ends = ring()
    // Three large records, then one that leaves exactly `left` bytes.
    for (let count = 0; count < 3; count++) put(ends, Buffer.alloc(payloadMaxOf(KB), count), count)
    put(ends, Buffer.alloc(KB / 4 - HEADER_BYTES - left, 3), 3)
    for (let count = 0; count < 4; count++) expect(take(ends)?.number).toBe(count)
    ends.consumer.release()
    expect(ends.producer.begin(left)).toBe(0)
    expect(put(ends, Buffer.alloc(left, 9), 9)).toBe(true)
    invariants(ends)
    expect(ends.consumer.peek()).toBe(0)
    expect(ends.consumer.peek()).toBe(0)
    expect(take(ends)).toEqual({ number: 9, payload: Buffer.alloc(left, 9) })
    ends.consumer.release()
    invariants(ends)
    expect(ends.producer.isEmpty()).toBe(true)
  })

  test('a skip marker that was never published does no harm to a smaller record in its place', () => {
    const ends = ring()
    for (let count = 0; count < 3; count++) put(ends, Buffer.alloc(payloadMaxOf(KB)))
    for (let count = 0; count < 3; count++) take(ends)
    ends.consumer.release()
    put(ends, Buffer.alloc(KB / 4 - 2 * HEADER_BYTES))
    expect(ends.producer.begin(8)).toBe(0)
    expect(put(ends, new Uint8Array(0), 5)).toBe(true)
    take(ends)
    expect(take(ends)).toEqual({ number: 5, payload: Buffer.alloc(0) })
    invariants(ends)
  })

  test.each([-8, -64, 0x7fffffc0, 0x7ffffff8])('of the 32-bit counters at %i changes nothing', (startAt) => {
    const ends = ring(KB, startAt)
    invariants(ends)
    for (let number = 0; number < 40; number++) {
      while (!put(ends, Buffer.alloc(number * 5, number), number)) expect(take(ends)).toBeDefined()
      invariants(ends)
      expect(ends.producer.isEmpty()).toBe(false)
      expect(take(ends)).toEqual({ number, payload: Buffer.alloc(number * 5, number) })
      invariants(ends)
      ends.consumer.release()
      invariants(ends)
    }
  })
})

test('an end that is made later goes on where the other one was', () => {
  const ends = ring()
  for (let number = 0; number < 3; number++) put(ends, Buffer.alloc(50), number)
  take(ends)
  ends.consumer.release()
  const later = { ...ends, consumer: new RingConsumer(ends.memory), producer: new RingProducer(ends.memory) }
  put(later, Buffer.alloc(1), 3)
  expect([take(later)?.number, take(later)?.number, take(later)?.number, take(later)]).toEqual([1, 2, 3, undefined])
})

test.each([0, 512, 1000, 1025, 2 ** 31])('a capacity of %i bytes is refused', (capacity) => {
  expect(() => ringMemory(capacity)).toThrow(/invariant broken/)
})

test('what is in the ring is always what a plain queue would hold, whatever the two ends do', async () => {
  await withSeed((random) => {
    for (const [capacity, startAt, steps] of [
      [1 << 10, 0, 250_000],
      [1 << 10, -4096, 250_000],
      [1 << 12, 0x7fffff00, 250_000],
      [1 << 16, -(1 << 20), 250_000],
    ] as const) {
      model(random, ring(capacity, startAt), steps)
    }
  })
}, 60_000)

/** One step is one method call of one end. */
function model(random: Random, ends: Ends, steps: number): void {
  const { producer, consumer } = ends
  const queue: { readonly number: number; readonly payload: Buffer }[] = []
  let number = 0
  // Runs of one end, so that the ring is full, and empty, again and again.
  let eager = 0.5
  for (let step = 0; step < steps; step++) {
    if (random.chance(0.01)) eager = random.unit()
    if (random.chance(eager)) {
      const payload = Buffer.alloc(sizeOf(random, producer.payloadMax), number)
      if (put(ends, payload, number)) queue.push({ number: number++, payload })
    } else if (random.chance(0.7)) {
      const taken = take(ends)
      const expected = queue.shift()
      if (taken?.number !== expected?.number) expect(taken).toEqual(expected)
      if (taken !== undefined && !taken.payload.equals(expected?.payload as Buffer)) expect(taken).toEqual(expected)
    } else if (random.chance(0.8)) {
      consumer.release()
    } else {
      const nothing = consumer.isEmpty()
      if (nothing !== (queue.length === 0)) throw new Error(`isEmpty() is ${nothing} with ${queue.length} records`)
    }
    invariants(ends)
  }
}

/** Mostly small, sometimes the largest there is, sometimes anything. */
function sizeOf(random: Random, payloadMax: number): number {
  if (random.chance(0.2)) return random.below(9)
  if (random.chance(0.1)) return payloadMax - random.below(9)
  return random.below(random.chance(0.5) ? Math.min(64, payloadMax) : payloadMax + 1)
}

/** The request store: neighbours lie together, and memory is used again only when nothing refers to it. */
import { expect, test } from 'vitest'
import { withSeed } from '../testing/random.ts'
import { type Chunk, RequestStore } from './request-store.ts'

interface Kept {
  readonly chunk: Chunk
  readonly offset: number
  readonly bytes: Buffer
  references: number
}

function keep(store: RequestStore, bytes: Buffer): Kept {
  const chunk = store.take(bytes.length)
  const offset = chunk.used
  chunk.used += bytes.length
  chunk.bytes.set(bytes, offset)
  return { chunk, offset, bytes, references: 1 }
}

function intact({ chunk, offset, bytes }: Kept): boolean {
  return chunk.bytes.subarray(offset, offset + bytes.length).equals(bytes)
}

test('requests that come together lie together', () => {
  const store = new RequestStore()
  const kept = Array.from({ length: 100 }, (_, index) => keep(store, Buffer.alloc(100, index)))
  expect(new Set(kept.map(({ chunk }) => chunk)).size).toBe(1)
  expect(kept.map(({ offset }) => offset)).toEqual(kept.map((_, index) => index * 100))
})

test.each([0, 1, 16_384, 16_385, 65_535, 65_536, 65_537, 1 << 20])('a request of %i bytes has room', (length) => {
  const store = new RequestStore()
  const before = keep(store, Buffer.alloc(10, 1))
  const kept = keep(store, Buffer.alloc(length, 2))
  const after = keep(store, Buffer.alloc(10, 3))
  expect(kept.offset + length).toBeLessThanOrEqual(kept.chunk.bytes.length)
  expect([before, kept, after].every(intact)).toBe(true)
  expect(length > 16_384).toBe(kept.chunk !== before.chunk)
})

test('an idle connection uses the same memory again and again', () => {
  const store = new RequestStore()
  const first = keep(store, Buffer.alloc(5_000))
  store.release(first.chunk)
  for (let count = 0; count < 1_000; count++) {
    const { chunk, offset } = keep(store, Buffer.alloc(5_000))
    expect(chunk).toBe(first.chunk)
    expect(offset).toBe(0)
    store.release(chunk)
  }
})

test('a reference too many given back is an assertion', () => {
  const store = new RequestStore()
  const { chunk } = keep(store, Buffer.alloc(10))
  store.release(chunk)
  expect(() => store.release(chunk)).toThrow(/invariant broken/)
})

test('what somebody refers to is never overwritten, whatever comes and goes', async () => {
  await withSeed((random) => {
    const store = new RequestStore()
    const kept: Kept[] = []
    for (let step = 0; step < 30_000; step++) {
      const full = kept.length > 300
      if (!full && random.chance(0.55)) {
        const length = random.chance(0.02) ? random.below(200_000) : random.below(random.pick([10, 500, 16_500]))
        kept.push(keep(store, Buffer.alloc(length, step & 255)))
      } else if (kept.length > 0) {
        const index = random.below(kept.length)
        const one = kept[index] as Kept
        if (!intact(one)) throw new Error(`a request of ${one.bytes.length} bytes was overwritten`)
        if (random.chance(0.2)) {
          // A write under way refers to it as well.
          one.chunk.references++
          one.references++
        } else {
          store.release(one.chunk)
          if (--one.references === 0) kept.splice(index, 1)
        }
      }
    }
    expect(kept.every(intact)).toBe(true)
    for (const one of kept) for (; one.references > 0; one.references--) store.release(one.chunk)
    const chunks = new Set(kept.map(({ chunk }) => chunk))
    for (const chunk of chunks) expect(chunk.references).toBe(0)
  })
})

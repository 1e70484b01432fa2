/**
 * The receive buffer against plain concatenation: nothing lost, room as promised, growth by what arrived, and smaller
 * again afterwards.
 */
import { describe, expect, test } from 'vitest'
import { type Random, withSeed } from '../testing/random.ts'
import { READ_BYTES, ReceiveBuffer } from './receive-buffer.ts'

function content(buffer: ReceiveBuffer): Buffer {
  return Buffer.from(buffer.bytes.subarray(buffer.start, buffer.end))
}

/** As a socket does: reads of at most `space().length`. */
function read(buffer: ReceiveBuffer, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const space = buffer.space()
    const part = bytes.subarray(at, at + space.length)
    space.set(part)
    buffer.filled(part.length)
    at += part.length
  }
}

test('there is always worthwhile room for the next read', async () => {
  await withSeed((random) => {
    const buffer = new ReceiveBuffer()
    for (let round = 0; round < 5_000; round++) {
      const space = buffer.space()
      expect(space.length).toBeGreaterThanOrEqual(16_384)
      buffer.filled(random.between(1, Math.min(space.length, 20_000)))
      buffer.consume(random.chance(0.4) ? buffer.length : random.below(buffer.length + 1))
      if (buffer.length > 500_000) buffer.consume(buffer.length)
    }
  })
})

test('a framer that is done with more than it was shown, and a read past its space, are assertions', () => {
  const buffer = new ReceiveBuffer()
  buffer.append(Buffer.from('abc'))
  expect(() => buffer.consume(4)).toThrow(/invariant broken/)
  expect(() => buffer.consume(-1)).toThrow(/invariant broken/)
  buffer.space()
  expect(() => buffer.filled(READ_BYTES + 1)).toThrow(/invariant broken/)
})

test('it holds what arrived and was not consumed, however it arrives', async () => {
  await withSeed((random) => {
    for (let round = 0; round < 30; round++) model(random, new ReceiveBuffer(), random.pick([100, 5_000, 150_000]))
  })
})

function model(random: Random, buffer: ReceiveBuffer, chunkBytesMax: number): void {
  let expected = Buffer.alloc(0)
  let number = 0
  for (let step = 0; step < 200; step++) {
    if (random.chance(0.5)) {
      const chunk = Buffer.alloc(random.below(chunkBytesMax), number++ & 255)
      expected = Buffer.concat([expected, chunk])
      if (random.chance(0.5)) buffer.append(chunk)
      else read(buffer, chunk)
    } else {
      const done = random.chance(0.3) ? expected.length : random.below(expected.length + 1)
      buffer.consume(done)
      expected = expected.subarray(done)
    }
    expect(buffer.length).toBe(expected.length)
    if (!content(buffer).equals(expected)) throw new Error(`other bytes than those that arrived, in step ${step}`)
  }
}

describe('its size', () => {
  test('follows what has arrived, at most doubling it', () => {
    const buffer = new ReceiveBuffer()
    let arrived = 0
    for (let count = 0; count < 300; count++) {
      const space = buffer.space()
      buffer.filled(Math.min(space.length, 60_000))
      arrived = buffer.length
      expect(buffer.bytes.length).toBeLessThanOrEqual(Math.max(2 * (arrived + READ_BYTES), READ_BYTES))
    }
  })

  test('of a 16 MB frame in small reads costs no quadratic copying', () => {
    const buffer = new ReceiveBuffer()
    let grown = 0
    let memory = buffer.bytes
    for (let arrived = 0; arrived < 16 << 20; arrived += 1_448) {
      buffer.space()
      buffer.filled(1_448)
      if (buffer.bytes !== memory) grown++
      memory = buffer.bytes
    }
    expect(grown).toBeLessThan(20)
  })

  test.each(['append', 'space'] as const)('is one read again some time after a large frame (%s)', (how) => {
    const buffer = new ReceiveBuffer()
    const give = (bytes: Buffer): void => (how === 'append' ? buffer.append(bytes) : read(buffer, bytes))
    give(Buffer.alloc(8 << 20))
    buffer.consume(buffer.length)
    for (let count = 0; count < 1_000; count++) {
      give(Buffer.alloc(100))
      buffer.consume(100)
    }
    buffer.space()
    expect(buffer.bytes.length).toBe(READ_BYTES)
  })

  test('is kept while large frames keep coming', () => {
    const buffer = new ReceiveBuffer()
    read(buffer, Buffer.alloc(4 << 20))
    buffer.consume(buffer.length)
    const memory = buffer.bytes
    for (let count = 0; count < 300; count++) {
      read(buffer, Buffer.alloc(2 << 20))
      buffer.consume(buffer.length)
    }
    expect(buffer.bytes).toBe(memory)
  })
})

/** The byte writer against plain buffers: nothing written is lost, whatever was lent and however often it spills. */
import { describe, expect, test } from 'vitest'
import { type Random, withSeed } from '../testing/random.ts'
import { ByteWriter } from './byte-writer.ts'
import { LocalError } from './errors.ts'

const POISON = 0xee

function lent(writer: ByteWriter, bytes: number): Buffer {
  const memory = Buffer.alloc(bytes + 32, POISON)
  writer.lend(memory, 16, 16 + bytes)
  return memory
}

describe('a writer', () => {
  test('never touches memory before or behind what it was lent', async () => {
    await withSeed((random) => {
      for (let round = 0; round < 2_000; round++) {
        const writer = new ByteWriter(0)
        const room = random.below(100)
        const memory = lent(writer, room)
        const expected = write(random, writer)
        expect(writer.written().equals(expected)).toBe(true)
        expect(writer.length).toBe(expected.length)
        if (!memory.subarray(0, 16).every((byte) => byte === POISON)) throw new Error('wrote before its start')
        if (!memory.subarray(16 + room).every((byte) => byte === POISON)) throw new Error('wrote behind its limit')
        if (expected.length <= room && writer.spilled) throw new Error('spilled though there was room')
        if (expected.length > room && !writer.spilled) throw new Error('did not say that it spilled')
      }
    })
  })

  test('begins again in the same memory after clear, and in other memory after lend', () => {
    const writer = new ByteWriter(8)
    writer.ascii('one')
    writer.clear()
    writer.ascii('two and more than eight')
    expect(writer.written().toString()).toBe('two and more than eight')
    const memory = lent(writer, 10)
    expect(writer.spilled).toBe(false)
    writer.ascii('three')
    expect(memory.toString('latin1', 16, 21)).toBe('three')
  })

  test('writes text as UTF-8, and says how long that is', () => {
    const writer = new ByteWriter(4)
    expect(writer.utf8('schön 💡')).toBe(11)
    expect(writer.written().toString()).toBe('schön 💡')
  })

  test('patches what it reserved, also after a spill', () => {
    const writer = new ByteWriter(0)
    lent(writer, 6)
    const length = writer.reserve(4)
    const flag = writer.reserve(1)
    writer.ascii('payload that does not fit')
    writer.patchU32be(length, 0xdeadbeef)
    writer.patchU8(flag, 7)
    expect(writer.written().toString('hex', 0, 5)).toBe('deadbeef07')
    expect(writer.written().toString('latin1', 5)).toBe('payload that does not fit')
  })

  test.each([0, 10, 1_000])(
    'refuses more than lengthMax with an error that names the limit (lent %i bytes)',
    (room) => {
      const writer = new ByteWriter(0, 100)
      lent(writer, room)
      writer.copy(Buffer.alloc(100))
      const refused = expect(() => writer.u8(1))
      refused.toThrow(LocalError)
      expect(() => writer.copy(Buffer.alloc(50))).toThrow(/requestBytesMax/)
      expect(writer.length).toBe(100)
      const again = new ByteWriter(0, 100)
      lent(again, room)
      expect(() => again.utf8('x'.repeat(101))).toThrow(
        expect.objectContaining({ code: 'REQUEST_TOO_LARGE', sent: 'no' }),
      )
    },
  )
})

/** Random writes, and what they must come to. */
function write(random: Random, writer: ByteWriter): Buffer {
  const parts: Buffer[] = []
  for (let count = random.below(12); count > 0; count--) {
    const value = random.below(2 ** 24)
    const text = 'abcdefghij'.repeat(1 + random.below(9)).slice(random.below(9))
    const [act, expected] = random.pick(steps(writer, value, text))
    act()
    parts.push(expected)
  }
  return Buffer.concat(parts)
}

function steps(writer: ByteWriter, value: number, text: string): readonly (readonly [() => unknown, Buffer])[] {
  const small = value & 65_535
  const big = BigInt(value)
  return [
    [() => writer.u8(value & 255), number(1, (part) => part.writeUInt8(value & 255))],
    [() => writer.u16be(small), number(2, (part) => part.writeUInt16BE(small))],
    [() => writer.u16le(small), number(2, (part) => part.writeUInt16LE(small))],
    [() => writer.u24le(value), number(3, (part) => part.writeUIntLE(value, 0, 3))],
    [() => writer.u32be(value), number(4, (part) => part.writeUInt32BE(value))],
    [() => writer.u32le(value), number(4, (part) => part.writeUInt32LE(value))],
    [() => writer.i64le(big), number(8, (part) => part.writeBigInt64LE(big))],
    [() => writer.f64le(value / 7), number(8, (part) => part.writeDoubleLE(value / 7))],
    [() => writer.ascii(text), Buffer.from(text)],
    [() => writer.utf8(`ä${text}`), Buffer.from(`ä${text}`)],
    [() => writer.copyRange(Buffer.from(text), 1, text.length), Buffer.from(text.slice(1))],
    [() => writer.copy(Buffer.from(text)), Buffer.from(text)],
  ]
}

function number(bytes: number, fill: (part: Buffer) => void): Buffer {
  const part = Buffer.alloc(bytes)
  fill(part)
  return part
}

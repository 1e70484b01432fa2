/** The framer's bounds: depth, lengths, memory and time. */
import type { FrameSink } from '@iokernel/core/plugin'
import { ByteWriter, RemoteProtocolError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { Reader, splits } from '../fixtures/harness.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS } from './limits.ts'

function read(framer: Framer, chunks: readonly Buffer[]): Reader {
  const reader = new Reader(framer)
  for (const chunk of chunks) reader.arrive(chunk)
  return reader
}

describe('limits', () => {
  it('gives a controlled error for 20 000 arrays in one another', () => {
    const bytes = Buffer.from('*1\r\n'.repeat(20_000))
    expect(() => read(new Framer(), [bytes])).toThrow('nested deeper than depthMax (1024)')
    expect(() => read(new Framer(), [Buffer.from('|1\r\n'.repeat(20_000))])).toThrow(RemoteProtocolError)
  })

  it('takes what is just deep enough', () => {
    const bytes = `${'*1\r\n'.repeat(1024)}:1\r\n`
    expect(read(new Framer(), [Buffer.from(bytes)]).seen).toEqual([['reply', bytes]])
  })

  it('bounds lines, elements and frames', () => {
    const small = { ...FRAMER_LIMITS, lineBytesMax: 10, elementsMax: 4, frameBytesMax: 40 }
    for (const bytes of [
      `+${'x'.repeat(20)}\r\n`,
      '*5\r\n',
      '%3\r\n',
      '$60\r\n',
      `*4\r\n${'$9\r\n123456789\r\n'.repeat(4)}`,
    ]) {
      for (const chunks of splits(Buffer.from(bytes)))
        expect(() => read(new Framer(small), chunks)).toThrow(RemoteProtocolError)
    }
  })
})

describe('large frames', () => {
  const payload = 'p'.repeat(200_000)

  it.each([
    ['a bulk string', `$200000\r\n${payload}\r\n`],
    ['a bulk string in an array', `*3\r\n:1\r\n$200000\r\n${payload}\r\n:2\r\n`],
    ['a verbatim string', `=200000\r\n${payload}\r\n`],
    ['an error', `!200000\r\n${payload}\r\n`],
    ['an array', `*20000\r\n${'$3\r\nabc\r\n'.repeat(20_000)}`],
    ['a map in a map', `%1\r\n+k\r\n%10000\r\n${'$3\r\nabc\r\n:1\r\n'.repeat(10_000)}`],
  ])('passes %s on in pieces and never keeps much of it', (_, reply) => {
    const bytes = Buffer.from(`${reply}+NEXT\r\n`)
    for (const size of [bytes.length, 65_536, 1460, 999, 7]) {
      const reader = new Reader(new Framer())
      for (let at = 0; at < bytes.length; at += size) reader.arrive(bytes.subarray(at, at + size))
      expect(reader.seen).toEqual([
        [reply.startsWith('!') ? 'error' : 'reply', reply],
        ['reply', '+NEXT\r\n'],
      ])
      expect(reader.leftLongest).toBeLessThanOrEqual(16 * 1024)
    }
  })

  it('cuts the end of a bulk string at every place', () => {
    const bytes = Buffer.from(`$20000\r\n${payload.slice(0, 20_000)}\r\n+NEXT\r\n`)
    for (let cut = 20_000; cut < bytes.length; cut++) {
      const reader = read(new Framer(), [bytes.subarray(0, cut), bytes.subarray(cut)])
      expect(reader.seen.map(([, frame]) => frame.length)).toEqual([20_010, 7])
    }
    bytes[20_008] = 0x58
    for (let cut = 20_000; cut < bytes.length; cut++) {
      expect(() => read(new Framer(), [bytes.subarray(0, cut), bytes.subarray(cut)])).toThrow(RemoteProtocolError)
    }
  })

  it('takes a push out of a reply that is already under way in pieces', () => {
    const push = `>2\r\n+x\r\n$30000\r\n${payload.slice(0, 30_000)}\r\n`
    const bytes = Buffer.from(`*3\r\n$50000\r\n${payload.slice(0, 50_000)}\r\n${push}:1\r\n:2\r\n`)
    for (const size of [bytes.length, 1000]) {
      const reader = new Reader(new Framer())
      for (let at = 0; at < bytes.length; at += size) reader.arrive(bytes.subarray(at, at + size))
      expect(reader.seen[0]).toEqual(['push', push])
      expect(reader.seen[1]?.[1].length).toBe(bytes.length - push.length)
    }
  })

  it('looks at each byte a bounded number of times', () => {
    // Arrivals of one byte. Rescanning the frame each time would look at 3 * 10^9 bytes and take many seconds.
    const lines = `+${'x'.repeat(60_000)}\r\n`
    const array = `*15000\r\n${':1\r\n'.repeat(15_000)}`
    const memory = Buffer.from(lines + array)
    const framer = new Framer()
    let frames = 0
    const sink: FrameSink = {
      frame: () => frames++,
      hint: () => 0,
      out: () => new ByteWriter(),
    }
    const touched = countReads(memory)
    let from = 0
    for (let end = 1; end <= memory.length; end++) from += framer.scan(touched.bytes, from, end, sink)
    expect(from).toBe(memory.length)
    expect(touched.reads()).toBeLessThan(20 * memory.length)
  })
})

function countReads(memory: Buffer): { bytes: Buffer; reads(): number } {
  let reads = 0
  const bytes = new Proxy(memory, {
    get(target, name) {
      if (typeof name === 'string' && name.charCodeAt(0) < 58) {
        reads++
        return target[Number(name)]
      }
      return Reflect.get(target, name, target)
    },
  })
  return { bytes, reads: () => reads }
}

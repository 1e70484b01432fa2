/** The framer against tables of bytes, read every way they can be split. */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { ENCODINGS } from '../fixtures/encodings.ts'
import { Reader, type Seen, splits } from '../fixtures/harness.ts'
import { around, bytes, failure, notification, request, result } from '../fixtures/messages.ts'
import { Framer } from './framer.ts'
import { FRAMER_LIMITS } from './limits.ts'

/** Heads in every form that a peer may choose; what they are, and the bytes. */
const MESSAGES: readonly (readonly [kind: string, name: string, bytes: Buffer])[] = [
  ['reply 0', 'the shortest response', bytes('94 01 00 c0 c0')],
  ['error 0', 'the shortest error', bytes('94 01 00 c2 c0')],
  ['reply 127', 'an id of 7 bits', bytes('94 01 7f c0 01')],
  ['reply 255', 'an id as uint8', bytes('94 01 cc ff c0 01')],
  ['reply 1', 'an id as uint16', bytes('94 01 cd 00 01 c0 01')],
  ['reply 4294967295', 'the largest id', bytes('94 01 ce ff ff ff ff c0 01')],
  ['reply 1', 'an id as uint64', bytes('94 01 cf 00 00 00 00 00 00 00 01 c0 01')],
  ['reply 127', 'an id as int8', bytes('94 01 d0 7f c0 01')],
  ['reply 258', 'an id as int16', bytes('94 01 d1 01 02 c0 01')],
  ['reply 16909060', 'an id as int32', bytes('94 01 d2 01 02 03 04 c0 01')],
  ['reply 4294967295', 'an id as int64', bytes('94 01 d3 00 00 00 00 ff ff ff ff c0 01')],
  ['reply 1', 'an array16 header', bytes('dc 00 04 01 01 c0 01')],
  ['reply 1', 'an array32 header and a type as uint64', bytes('dd 00 00 00 04 cf 00 00 00 00 00 00 00 01 01 c0 01')],
  ['request', 'a method as text', bytes('94 00 05 a1 6d 90')],
  ['request', 'a method as bytes', bytes('94 00 05 c4 01 6d 90')],
  ['request', 'an empty method', bytes('94 00 05 a0 90')],
  ['request', 'a method as str32 and params as array32', bytes('94 00 05 db 00 00 00 01 6d dd 00 00 00 01 c0')],
  ['request', 'the id 2^32 - 1', bytes('94 00 ce ff ff ff ff d9 01 6d 91 c0')],
  ['push', 'a notification', bytes('93 02 a1 6d 91 01')],
  ['push', 'a notification, array16, method as bin16', bytes('dc 00 03 02 c5 00 01 6d dc 00 00')],
  ['push', 'a notification with a type as int8', bytes('93 d0 02 da 00 01 6d 90')],
  ['error 9', "an error of Neovim's", failure(9, [0, "Vim:E117: Unknown function: 'x'"])],
  ['reply 9', 'values in one another', result(9, [[[]], { a: [{ b: {} }, 1.5, null] }, 'text', new Uint8Array(300)])],
  ['reply 9', 'a text of 70 000 bytes', result(9, 'x'.repeat(70_000))],
  ['push', 'a notification of 40 000 bytes', notification('large', 'y'.repeat(40_000))],
  ['request', 'a request of 40 000 bytes', request(3, 'large', Array(20_000).fill(1), 'y'.repeat(20_000))],
  ['error 9', 'an error of 40 000 bytes', failure(9, 'x'.repeat(40_000))],
]

/** What no peer may say, and with which bytes it is known. */
const BAD: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['nil', bytes('c0')],
  ['a number', bytes('01')],
  ['a map', bytes('84')],
  ['text', bytes('a1 6d')],
  ['HTTP', Buffer.from('HTTP/1.1 400')],
  ['the byte c1', bytes('c1')],
  ['an empty array', bytes('90')],
  ['two elements', bytes('92')],
  ['five elements', bytes('95')],
  ['65 535 elements', bytes('dc ff ff')],
  ['4 thousand million elements', bytes('dd ff ff ff ff')],
  ['the type 3', bytes('94 03')],
  ['the type 7', bytes('94 07')],
  ['a negative type', bytes('94 ff')],
  ['a type that is text', bytes('94 a1 31')],
  ['a type that is a float', bytes('94 ca')],
  ['a response of three', bytes('93 01')],
  ['a request of three', bytes('93 00')],
  ['a notification of four', bytes('94 02')],
  ['a negative id', bytes('94 01 ff')],
  ['an id of 33 bits', bytes('94 01 cf 00 00 00 01 00 00 00 00')],
  ['a negative id of 64 bits', bytes('94 01 d3 ff ff ff ff ff ff ff ff')],
  ['an id that is a float', bytes('94 01 cb')],
  ['an id that is nil', bytes('94 01 c0')],
  ['a method that is a number', bytes('94 00 01 05')],
  ['a method that is nil', bytes('93 02 c0')],
  ['a method of 4 GB', bytes('93 02 db ff ff ff ff')],
  ['params that are a map', bytes('93 02 a1 6d 80')],
  ['params that are nil', bytes('94 00 01 a1 6d c0')],
  ['c1 for an error', bytes('94 01 01 c1')],
  ['c1 for a result', bytes('94 01 01 c0 c1')],
  ['c1 in a map', bytes('94 01 01 c0 81 a1 61 c1')],
  ['a result of 4 thousand million elements', bytes('94 01 01 c0 dd ff ff ff ff')],
  ['a map of 4 thousand million pairs', bytes('94 01 01 c0 df ff ff ff ff')],
  ['bytes of 4 GB', bytes('94 01 01 c0 c6 ff ff ff ff')],
  ['an extension of 4 GB', bytes('94 01 01 c0 c9 ff ff ff ff 01')],
  ['100 000 arrays in one another', bytes('94 01 01 c0', Buffer.alloc(100_000, 0x91))],
  ['100 000 maps in one another', bytes('93 02 a1 6d 91', Buffer.from('81a161'.repeat(100_000), 'hex'))],
]

function read(chunks: readonly Buffer[], framer = new Framer()): Reader {
  const reader = new Reader(framer)
  for (const chunk of chunks) reader.arrive(chunk)
  return reader
}

describe('one message', () => {
  it.each(MESSAGES)('%s: %s', (kind, _, message) => {
    for (const chunks of splits(message)) {
      const reader = read(chunks)
      expect(reader.seen).toEqual([[kind, message.toString('hex')]])
      expect(reader.left).toBe(0)
    }
  })

  it.each(MESSAGES)('%s: %s, is not complete before its last byte', (_kind, _name, message) => {
    const reader = read([message.subarray(0, -1)])
    expect(reader.seen).toEqual([])
    reader.arrive(message.subarray(-1))
    expect(reader.seen).toHaveLength(1)
  })

  it('has 233 encodings of values to carry', () => expect(ENCODINGS).toHaveLength(233))

  it.each(ENCODINGS)('carries $name in every place, at every split', ({ bytes: value }) => {
    for (const message of around(value)) {
      for (const chunks of splits(message)) {
        const reader = read(chunks)
        expect(reader.seen.map(([, hex]) => hex)).toEqual([message.toString('hex')])
        expect(reader.left).toBe(0)
      }
    }
  })

  it('may hold an extension of no bytes', () => {
    for (const value of [bytes('c7 00 05'), bytes('c8 00 00 05'), bytes('c9 00 00 00 00 05')]) {
      for (const message of around(value)) expect(read([message]).seen).toHaveLength(1)
    }
  })
})

describe('a stream of messages', () => {
  const stream = Buffer.concat(MESSAGES.map(([, , message]) => message))
  const wanted: readonly Seen[] = MESSAGES.map(([kind, , message]) => [kind, message.toString('hex')])

  it('is the same list at every split', () => {
    for (const chunks of splits(stream, 300)) expect(read(chunks).seen).toEqual(wanted)
  })

  it('is the same list in pieces of any size', () => {
    for (const size of [2, 3, 5, 7, 64, 1000, 16_383, 16_384, 16_385]) {
      const chunks: Buffer[] = []
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size))
      expect(read(chunks).seen).toEqual(wanted)
    }
  })
})

describe('wrong bytes', () => {
  it.each(BAD)('%s: are refused at every split, as soon as they are known', (_, message) => {
    for (const chunks of splits(message, 50)) expect(() => read(chunks)).toThrow(RemoteProtocolError)
  })

  it.each(BAD)('%s: are refused behind a message too', (_, message) => {
    expect(() => read([Buffer.concat([result(1, 'good'), message])])).toThrow(RemoteProtocolError)
  })

  it('are reported after what was right', () => {
    const reader = new Reader(new Framer())
    expect(() => reader.arrive(bytes(result(1, 'good'), 'c1'))).toThrow(RemoteProtocolError)
    expect(reader.seen).toEqual([['reply 1', result(1, 'good').toString('hex')]])
  })
})

describe('limits', () => {
  it('of depth hold to the level', () => {
    const nested = (depth: number) => bytes('94 01 01 c0', Buffer.alloc(depth, 0x91), 'c0')
    const framer = () => new Framer({ ...FRAMER_LIMITS, depthMax: 20 })
    expect(read([nested(20)], framer()).seen).toHaveLength(1)
    expect(() => read([nested(21)], framer())).toThrow(/depthMax/)
    expect(read([nested(1024)]).seen).toHaveLength(1)
    expect(() => read([nested(1025)])).toThrow(/depthMax/)
  })

  it('of elements count the two of a pair', () => {
    const framer = () => new Framer({ ...FRAMER_LIMITS, elementsMax: 30 })
    expect(read([bytes('94 01 01 c0 dc 00 1e', Buffer.alloc(30))], framer()).seen).toHaveLength(1)
    expect(() => read([bytes('94 01 01 c0 dc 00 1f')], framer())).toThrow(/elementsMax/)
    expect(() => read([bytes('94 01 01 c0 de 00 10')], framer())).toThrow(/elementsMax/)
  })

  it('of bytes hold for what was passed on, and are known from a claim', () => {
    const framer = () => new Framer({ ...FRAMER_LIMITS, frameBytesMax: 50_000 })
    const message = (length: number) => result(1, 'x'.repeat(length))
    const head = message(40_000).length - 40_000
    for (const chunks of splits(message(50_000 - head), 10)) expect(read(chunks, framer()).seen).toHaveLength(1)
    for (const chunks of splits(message(50_001 - head), 10))
      expect(() => read(chunks, framer())).toThrow(/frameBytesMax/)
    expect(() => read([message(60_000).subarray(0, 20)], framer())).toThrow(/frameBytesMax/)
  })
})

describe('memory and time', () => {
  it('a long response leaves in parts; a notification and a request stay until they are whole', () => {
    const chunked = (message: Buffer) => {
      const reader = new Reader(new Framer())
      for (let at = 0; at < message.length; at += 4096) reader.arrive(message.subarray(at, at + 4096))
      return reader
    }
    const response = chunked(result(1, 'x'.repeat(1 << 20)))
    expect(response.parts).toBeGreaterThan(50)
    expect(response.leftLongest).toBeLessThan(16_384 + 4096)
    expect(chunked(notification('n', 'x'.repeat(1 << 20))).leftLongest).toBeGreaterThan(1 << 19)
    expect(chunked(request(1, 'n', 'x'.repeat(1 << 20))).parts).toBe(0)
  })

  it('the end of a connection between messages is one, and inside of one it is a fault', () => {
    const framer = new Framer()
    const reader = new Reader(framer)
    framer.closed()
    reader.arrive(result(1, 'x'))
    framer.closed()
    reader.arrive(bytes('94'))
    expect(() => framer.closed()).toThrow(RemoteProtocolError)
    const half = new Framer()
    new Reader(half).arrive(result(1, 'x'.repeat(100_000)).subarray(0, 50_000))
    expect(() => half.closed()).toThrow(RemoteProtocolError)
  })
})

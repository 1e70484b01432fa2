/** Values in both directions: exact, owned, and refused where they would be lost. */
import { decode, encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { ENCODED } from '../../fixtures/encodings.ts'
import { bytes } from '../../fixtures/messages.ts'
import { ExtData, ExtensionCodec } from '../index.ts'
import { RpcError } from './errors.ts'
import { foreignCodec, valueCodec } from './values.ts'

const codec = valueCodec()
const hex = (value: unknown, used = codec) => Buffer.from(used.encode(value)).toString('hex')
const read = (text: string, used = codec) => used.decode(bytes(text))

/** Where the kernel keeps replies: in shared memory, not at its beginning, and overwritten afterwards. */
function readShared(message: Uint8Array, used = codec): unknown {
  const memory = new Uint8Array(new SharedArrayBuffer(message.length + 16)).fill(0xc1)
  memory.set(message, 8)
  const value = used.decode(memory.subarray(8, 8 + message.length))
  memory.fill(0xc1)
  return value
}

describe('every encoding of the public suite', () => {
  it.each(ENCODED)('$group: $value', ({ kind, value, encodings }) => {
    for (const encoding of encodings) {
      const found = readShared(encoding)
      switch (kind) {
        case 'bignum':
          expect(found).toBe(exact(BigInt(value as string)))
          break
        case 'number':
          expect(found).toBe(value)
          break
        case 'binary':
          expect(found).toEqual(Uint8Array.from(Buffer.from((value as string).replaceAll('-', ''), 'hex')))
          break
        case 'ext': {
          const [type, data] = value as readonly [number, string]
          expect(found).toEqual(new ExtData(type, Uint8Array.from(Buffer.from(data.replaceAll('-', ''), 'hex'))))
          break
        }
        case 'timestamp': {
          const [seconds, nanoseconds] = value as readonly [number, number]
          // Nanoseconds are rounded, because a Date has none.
          expect(found).toEqual(new Date(seconds * 1000 + nanoseconds / 1e6))
          break
        }
        default:
          expect(found).toEqual(value)
      }
    }
  })
})

function exact(value: bigint): number | bigint {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : value
}

describe('integers', () => {
  it.each<[number | bigint, string]>([
    [0, '00'],
    [-1, 'ff'],
    [2 ** 31, 'ce80000000'],
    [2 ** 32, 'cf0000000100000000'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [Number.MIN_SAFE_INTEGER, 'd3ffe0000000000001'],
    [2n ** 53n, 'cf0020000000000000'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [-(2n ** 63n), 'd38000000000000000'],
  ])('%s is the same in both directions', (value, encoded) => {
    expect(hex(value)).toBe(encoded)
    expect(read(encoded)).toBe(value)
  })

  it('are as short beside a bigint as without one, and no floats', () => {
    const value = { big: 2n ** 60n, list: [1, -1, 300, 2 ** 40, -(2 ** 40), 1.5], small: 5n, safe: 2n ** 40n }
    expect(codec.decode(codec.encode(value))).toEqual({ ...value, small: 5, safe: 2 ** 40 })
    expect(hex([2n ** 60n, 2 ** 40])).toBe('92cf1000000000000000cf0000010000000000')
    expect(hex([5n, 1n])).toBe('920501')
  })

  it('beyond 64 bits are refused, not cut', () => {
    for (const value of [2n ** 64n, -(2n ** 63n) - 1n]) {
      expect(() => codec.encode([value])).toThrow(expect.objectContaining({ code: 'ARGUMENT', side: 'local' }))
    }
  })

  it('may all be bigints that came in 64 bits', () => {
    const bigints = valueCodec({ useBigInt64: true })
    expect(read('92 cf 0000000000000005 05', bigints)).toEqual([5n, 5])
    expect(read('81 cf 0000000000000005 d3 ffffffffffffffff', bigints)).toEqual({ 5: -1n })
  })

  it('may be keys', () => {
    expect(read('82 05 01 cf 0000000000000006 cf 0000000000000007')).toEqual({ 5: 1, 6: 7 })
  })
})

describe('what is decoded', () => {
  it('owns its bytes, and no more than those', () => {
    const value = readShared(Buffer.from(encode([new Uint8Array([1, 2, 3]), { a: new Uint8Array(0) }, 'text'])))
    expect(value).toEqual([new Uint8Array([1, 2, 3]), { a: new Uint8Array(0) }, 'text'])
    const [first] = value as [Uint8Array]
    expect(first.constructor).toBe(Uint8Array)
    expect(first.buffer.byteLength).toBe(3)
  })

  it('owns its extensions', () => {
    const value = readShared(bytes('92 d6 05 01 02 03 04 cf 00 00 00 00 00 00 00 01')) as [ExtData, number]
    expect(value).toEqual([new ExtData(5, new Uint8Array([1, 2, 3, 4])), 1])
    expect((value[0].data as Uint8Array).buffer.byteLength).toBe(4)
  })

  it.each([
    ['a stray byte', 'a1 ff'],
    ['an overlong slash', 'a2 c0 af'],
    ['half a surrogate', 'a3 ed a0 80'],
    ['a text that ends inside of a character', 'a2 61 c3'],
    ['such a key', '81 a1 ff c0'],
    ['such a long text', `d9 64 ${'61'.repeat(99)} ff`],
  ])('is UTF-8 where it is text: %s is refused', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'PROTOCOL', side: 'remote' }))
  })

  it('cannot touch what objects inherit', () => {
    expect(() => read('81 a9 5f5f70726f746f5f5f 81 a1 78 01')).toThrow(expect.objectContaining({ code: 'UNDECODABLE' }))
    expect(() => read('82 a9 5f5f70726f746f5f5f 81 a1 78 01 a1 62 c4 00')).toThrow(
      expect.objectContaining({ code: 'UNDECODABLE' }),
    )
    const value = read('81 ab 636f6e7374727563746f72 81 a9 70726f746f74797065 01') as object
    expect(Object.keys(value)).toEqual(['constructor'])
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false)
  })

  it.each(['81 c0 01', '81 c4 01 61 01', '81 90 01', '81 c3 01'])(
    'has text or numbers for keys: %s is refused',
    (text) => {
      expect(() => read(text)).toThrow(expect.objectContaining({ code: 'UNDECODABLE', side: 'remote' }))
    },
  )

  it.each(['c1', '91', '', 'c0 c0', 'd9 05 61', '81 a1 61'])('is one value: %j is refused', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ side: 'remote' }))
  })
})

describe('texts that stay bytes', () => {
  const raw = valueCodec({ rawStrings: true })

  it('are what was sent, whatever it was, and copies', () => {
    const value = readShared(bytes('93 a2 61 ff 81 a1 6b a0 cf 00 00 00 00 00 00 00 05'), raw)
    expect(value).toEqual([new Uint8Array([0x61, 0xff]), { k: new Uint8Array(0) }, 5])
    expect((value as [Uint8Array])[0].buffer.byteLength).toBe(2)
  })

  it('are the message of an error nevertheless', () => {
    const error = readShared(Buffer.from(encode([0, 'of Neovim'])), raw)
    expect(new RpcError(error).message).toBe('of Neovim')
    expect(new RpcError(new Uint8Array([0x6e, 0x6f])).message).toBe('no')
  })
})

describe('what is encoded', () => {
  it('leaves out what is undefined, unless told to say nil', () => {
    expect(hex({ a: undefined, b: 1 })).toBe('81a16201')
    expect(hex([undefined])).toBe('91c0')
    expect(hex({ a: undefined }, valueCodec({ ignoreUndefined: false }))).toBe('81a161c0')
    expect(hex({ a: undefined, b: 2n ** 60n })).toBe('81a162cf1000000000000000')
  })

  it('may be as deep as what is decoded, and no deeper', () => {
    const nested = (depth: number, inmost: unknown): unknown => {
      let value = inmost
      for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
      return value
    }
    for (const inmost of [null, 2n ** 60n, new Uint8Array([1])]) {
      const value = nested(1000, inmost)
      expect(codec.decode(codec.encode(value))).toEqual(value)
      expect(() => codec.encode(nested(1100, inmost))).toThrow(expect.objectContaining({ code: 'ARGUMENT' }))
    }
  })

  it('is read by the library as what it was', () => {
    const value = {
      text: 'ü'.repeat(300),
      list: [true, null, -5, 1.25],
      bytes: new Uint8Array(300),
      nested: { a: [{}] },
    }
    expect(decode(codec.encode(value))).toEqual(value)
  })

  it.each<[string, unknown]>([
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set([1])],
    ['a promise', Promise.resolve(1)],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an invalid Date', new Date(Number.NaN)],
  ])('is what can be: %s is refused, not made empty', (_, value) => {
    for (const around of [[value], { a: [value] }, [value, 1n]]) {
      expect(() => codec.encode(around)).toThrow(expect.objectContaining({ code: 'ARGUMENT', sent: 'no' }))
    }
  })

  it('is a Date only where a Date can hold it', () => {
    expect(read('d6 ff 00000001')).toEqual(new Date(1000))
    for (const around of ['', '91 ', '92 cf 0020000000000001 ']) {
      expect(() => read(`${around}c7 0c ff 00000000 7fffffffffffffff`)).toThrow(
        expect.objectContaining({ code: 'UNDECODABLE' }),
      )
    }
  })

  it('does not contain itself', () => {
    const list: unknown[] = [1]
    list.push(list)
    const map: Record<string, unknown> = { big: 1n }
    map['map'] = map
    for (const value of [list, map, [1n, list]]) expect(() => codec.encode(value)).toThrow(/cannot be encoded/)
    expect(hex([1])).toBe('9101')
  })
})

describe('extensions', () => {
  class Window {
    readonly id: number
    constructor(id: number) {
      this.id = id
    }
  }
  const extensionCodec = new ExtensionCodec()
  extensionCodec.register({
    type: 1,
    encode: (value) => (value instanceof Window ? encode(value.id) : null),
    decode: (data) => new Window(decode(data) as number),
  })
  const windows = valueCodec({ extensionCodec })

  it('go through the codec that is given, beside bytes and bigints as well', () => {
    expect(hex([new Window(1000)], windows)).toBe('91c70301cd03e8')
    for (const value of [[new Window(1000)], [new Window(5), 2n ** 60n, { a: new Uint8Array([1]) }]]) {
      expect(readShared(Uint8Array.from(windows.encode(value)), windows)).toEqual(value)
    }
  })

  it('are not looked into: what a codec makes is as it made it', () => {
    const cyclic: { self?: object; big: bigint } = { big: 5n }
    cyclic.self = cyclic
    const own = new ExtensionCodec()
    own.register({ type: 2, encode: () => null, decode: () => cyclic })
    expect(read('92 d4 02 00 c4 00', valueCodec({ extensionCodec: own }))).toEqual([cyclic, new Uint8Array(0)])
    expect(cyclic.big).toBe(5n)
  })

  it('that fail, fail with a code', () => {
    const own = new ExtensionCodec()
    own.register({ type: 2, encode: (value) => (value instanceof Window ? fail() : null), decode: fail })
    const failing = valueCodec({ extensionCodec: own })
    expect(() => read('d4 02 00', failing)).toThrow(expect.objectContaining({ code: 'UNDECODABLE' }))
    expect(() => failing.encode(new Window(1))).toThrow(expect.objectContaining({ code: 'ARGUMENT' }))
  })
})

describe("somebody else's codec", () => {
  it('is given memory of its own, and its errors get a code', () => {
    const seen: Uint8Array[] = []
    const foreign = foreignCodec({
      encode: (value) => (value === 'bad' ? fail() : encode(value)),
      decode: (given) => {
        seen.push(given)
        return given.length === 1 ? fail() : decode(given)
      },
    })
    expect(readShared(bytes('91 01'), foreign)).toEqual([1])
    expect(Buffer.from(seen[0] as Uint8Array).toString('hex')).toBe('9101')
    expect(hex([1], foreign)).toBe('9101')
    expect(() => foreign.encode('bad')).toThrow(expect.objectContaining({ code: 'ARGUMENT' }))
    expect(() => readShared(bytes('01'), foreign)).toThrow(expect.objectContaining({ code: 'UNDECODABLE' }))
  })

  it.each(['', '91', '01 01', 'c1', '92 01'])('that makes no value is not believed: %j', (made) => {
    const foreign = foreignCodec({ encode: () => bytes(made), decode: () => null })
    expect(() => foreign.encode(1)).toThrow(expect.objectContaining({ code: 'ARGUMENT', side: 'local' }))
  })
})

function fail(): never {
  throw new Error('no')
}

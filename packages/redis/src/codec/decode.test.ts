/** Replies as values: RESP3 by ours, RESP2 by redis-parser, and both the same where both apply. */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { withShared } from '@iokernel/core/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RedisError } from './errors.ts'
import { decodeInteger, decodeReplies, decodeReply, decodeStatus, decodeText } from './reply.ts'

const decode = (bytes: string, resp: 2 | 3 = 3, asBytes = false) =>
  withShared(bytes, (reply) => decodeReplies(reply, { resp }, asBytes))[0]

const utf8 = (text: string) => {
  const bytes = Buffer.from(text)
  return `$${bytes.length}\r\n${bytes.toString('latin1')}\r\n`
}

describe('RESP3', () => {
  it.each<[string, unknown]>([
    ['+OK\r\n', 'OK'],
    ['+\r\n', ''],
    ['$0\r\n\r\n', ''],
    [utf8('ü€𝄞'), 'ü€𝄞'],
    [utf8('\ufeffBOM'), '\ufeffBOM'],
    ['$3\r\n\x01\x00\x1f\r\n', '\x01\x00\x1f'],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['_\r\n', null],
    [':0\r\n', 0],
    [':-1\r\n', -1],
    [':-0\r\n', 0],
    [':99999999999999\r\n', 99999999999999],
    [':9007199254740991\r\n', 9007199254740991],
    [':9007199254740992\r\n', 9007199254740992n],
    [':9223372036854775807\r\n', 9223372036854775807n],
    [':-9223372036854775808\r\n', -9223372036854775808n],
    [',3.5\r\n', 3.5],
    [',10\r\n', 10],
    [',1e300\r\n', 1e300],
    [',inf\r\n', Number.POSITIVE_INFINITY],
    [',-inf\r\n', Number.NEGATIVE_INFINITY],
    [',nan\r\n', Number.NaN],
    ['#t\r\n', true],
    ['#f\r\n', false],
    ['(3492890328409238509324850943850943825024385\r\n', 3492890328409238509324850943850943825024385n],
    ['(-5\r\n', -5n],
    ['=8\r\ntxt:text\r\n', 'text'],
    ['=4\r\nmkd:\r\n', ''],
    ['*0\r\n', []],
    ['~2\r\n:1\r\n:2\r\n', [1, 2]],
    ['*3\r\n*0\r\n%0\r\n~0\r\n', [[], new Map(), []]],
    [
      '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n',
      new Map<unknown, unknown>([
        ['a', 1],
        ['b', [null]],
      ]),
    ],
    ['>2\r\n+message\r\n+x\r\n', ['message', 'x']],
    ['|1\r\n+a\r\n+b\r\n:1\r\n', 1],
    ['*2\r\n|1\r\n+a\r\n*1\r\n:9\r\n+x\r\n|0\r\n+y\r\n', ['x', 'y']],
    ['%1\r\n|1\r\n+a\r\n+b\r\n+k\r\n|1\r\n+a\r\n+b\r\n+v\r\n', new Map([['k', 'v']])],
  ])('%j', (bytes, value) => {
    expect(decode(bytes)).toEqual(value)
  })

  it('gives bytes where they are asked for, in memory of their own', () => {
    const value = decode('*3\r\n$2\r\n\xff\x00\r\n+OK\r\n:1\r\n', 3, true) as Uint8Array[]
    expect(value).toEqual([new Uint8Array([255, 0]), new Uint8Array([79, 75]), 1])
    expect(value[0]?.buffer).toBeInstanceOf(ArrayBuffer)
    expect(value[0]?.buffer.byteLength).toBe(2)
  })

  it.each<[string, string, string]>([
    ['-WRONGTYPE Operation against\r\n', 'WRONGTYPE', 'Operation against'],
    ['-NOSCRIPT\r\n', 'NOSCRIPT', ''],
    ['!21\r\nSYNTAX invalid syntax\r\n', 'SYNTAX', 'invalid syntax'],
    ['!8\r\nERR a\r\nb\r\n', 'ERR', 'a\r\nb'],
    ['-my own words\r\n', 'ERR', 'my own words'],
    ['-\r\n', 'ERR', ''],
  ])('throws %j', (bytes, code, message) => {
    const run = () => withShared(bytes, (reply) => decodeReply(reply, { resp: 3 }, false))
    expect(run).toThrow(RedisError)
    expect(run).toThrow(expect.objectContaining({ code, message, name: 'RedisError', side: 'remote' }))
  })

  it('keeps an error inside an aggregate as an element', () => {
    const [first, second] = decode('*2\r\n-ERR inner\r\n!5\r\nERR x\r\n') as RedisError[]
    expect(first).toMatchObject({ code: 'ERR', message: 'inner' })
    expect(second).toMatchObject({ code: 'ERR', message: 'x' })
  })

  it.each([
    '',
    '$5\r\nabc\r\n',
    '*2\r\n:1\r\n',
    '@\r\n',
    '$x\r\n',
    '+OK',
    '*1\r\n',
    ':1\r\n:2\r\n',
    '$\r\n\r\n',
    `${'*1\r\n'.repeat(5000)}:1\r\n`,
  ])('refuses %j', (bytes) => {
    expect(() => withShared(bytes, (reply) => decodeReply(reply, { resp: 3 }, false))).toThrow(RemoteProtocolError)
  })
})

describe('RESP2, by redis-parser', () => {
  it.each<[string, unknown]>([
    ['+OK\r\n', 'OK'],
    [utf8('ü€𝄞'), 'ü€𝄞'],
    ['$0\r\n\r\n', ''],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['*0\r\n', []],
    [':1\r\n', 1],
    [':9223372036854775807\r\n', 9223372036854775807n],
    [':-9223372036854775808\r\n', -9223372036854775808n],
    ['*3\r\n:1\r\n$1\r\n2\r\n*1\r\n$-1\r\n', [1, '2', [null]]],
  ])('%j', (bytes, value) => {
    expect(decode(bytes, 2)).toEqual(value)
  })

  it('tells an integer from its digits as text', () => {
    expect(decode('*2\r\n:12\r\n$2\r\n12\r\n', 2, true)).toEqual([12, new Uint8Array([49, 50])])
  })

  it.each(['', '$5\r\nabc\r\n', '*2\r\n:1\r\n', '_\r\n', '%0\r\n', '+OK', ':1\r\n:2\r\n'])(
    'refuses %j, and goes on',
    (bytes) => {
      expect(() => withShared(bytes, (reply) => decodeReply(reply, { resp: 2 }, false))).toThrow(RemoteProtocolError)
      expect(decode('+OK\r\n', 2)).toBe('OK')
    },
  )

  it('survives what the framer lets through at its deepest', () => {
    const bytes = `${'*1\r\n'.repeat(1024)}:1\r\n`
    expect(JSON.stringify(decode(bytes, 2))).toBe(JSON.stringify(decode(bytes, 3)))
  })
})

describe('the quick decoders', () => {
  const cases = [
    '+OK\r\n',
    '$-1\r\n',
    '$2\r\nOK\r\n',
    '$0\r\n\r\n',
    ':5\r\n',
    ':9007199254740993\r\n',
    '_\r\n',
    '*1\r\n:1\r\n',
    '=6\r\ntxt:ab\r\n',
    '|1\r\n+a\r\n+b\r\n$1\r\nx\r\n',
  ]
  it.each(cases)('agree with the general one about %j', (bytes) => {
    for (const asBytes of [false, true]) {
      const plain = withShared(bytes, (reply) => decodeReply(reply, { resp: 3 }, asBytes))
      for (const quick of [decodeText, decodeInteger]) {
        expect(withShared(bytes, (reply) => quick(reply, { resp: 3 }, asBytes))).toEqual(plain)
      }
      const status = bytes.startsWith('+OK') ? 'OK' : plain
      expect(withShared(bytes, (reply) => decodeStatus(reply, { resp: 3 }, asBytes))).toEqual(status)
    }
  })

  it('throw errors', () => {
    for (const quick of [decodeText, decodeInteger, decodeStatus]) {
      expect(() => withShared('-ERR x\r\n', (reply) => quick(reply, { resp: 3 }, false))).toThrow(RedisError)
      expect(() => withShared('-ERR x\r\n', (reply) => quick(reply, { resp: 2 }, false))).toThrow(RedisError)
    }
  })
})

describe('both', () => {
  const value: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.string({ unit: 'binary', maxLength: 60 }).map(utf8),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((integer) => `:${integer}\r\n`),
      fc.integer().map((integer) => `:${integer}\r\n`),
      fc
        .uint8Array({ maxLength: 60 })
        .map((bytes) => `$${bytes.length}\r\n${Buffer.from(bytes).toString('latin1')}\r\n`),
      fc.string({ unit: fc.constantFrom(...'abcXYZ 019\n'), maxLength: 20 }).map((text) => `+${text}\r\n`),
      fc.string({ unit: fc.constantFrom(...'ABC abc'), maxLength: 20 }).map((text) => `-${text}\r\n`),
      fc.constantFrom('$-1\r\n', '*-1\r\n'),
      fc.array(tie('value'), { maxLength: 5 }).map((items) => `*${items.length}\r\n${items.join('')}`),
    ),
  })).value

  it('give the same value for everything that RESP2 can say', () => {
    fc.assert(
      fc.property(value, fc.boolean(), (bytes, asBytes) => {
        expect(plain(decode(bytes, 2, asBytes))).toEqual(plain(decode(bytes, 3, asBytes)))
      }),
      { numRuns: 1000 },
    )
  })
})

/** Errors compared by what they say, not by where they were made. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof RedisError ? ['error', (value as RedisError).code, (value as RedisError).message] : value
}

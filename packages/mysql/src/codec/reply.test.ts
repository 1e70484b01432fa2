/** Replies become results, whole and in pieces cut anywhere; and bytes that are none become one kind of error. */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { withShared } from '@iokernel/core/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FACTS } from '../../fixtures/link.ts'
import {
  binaryRow,
  column,
  end,
  eof,
  err,
  lenenc,
  ok,
  packet,
  result,
  row,
  text,
  u16,
  u32,
} from '../../fixtures/packets.ts'
import { APP_DEFAULTS, type MysqlApp } from '../app.ts'
import { analyzer } from '../sql/analysis.ts'
import type { MysqlFacts } from './facts.ts'
import { Pieces } from './pieces.ts'
import { checked, Reply } from './reply.ts'
import { Statement } from './statement.ts'
import { Type } from './types.ts'

const analyze = analyzer([])
const statementOf = (app: Partial<MysqlApp> = {}): Statement =>
  new Statement('select 1', analyze('select 1'), { ...APP_DEFAULTS, zone: 0, ...app })

interface Reading {
  readonly facts?: Partial<MysqlFacts>
  readonly isBinary?: boolean
  readonly statement?: Statement
}

/** In one piece, in memory that is overwritten afterwards. */
function whole(latin1: string, { facts, isBinary = false, statement = statementOf() }: Reading = {}): Reply {
  const reply = new Reply(statement, true, isBinary)
  withShared(latin1, ({ bytes, start, end }) => reply.read(bytes, start, end, { ...FACTS, ...facts }))
  return reply
}

/** In pieces of its own memory, as a stream reads it. */
function pieces(cuts: readonly string[], { facts, isBinary = false, statement = statementOf() }: Reading = {}): Reply {
  const reply = new Reply(statement, true, isBinary)
  const packets = new Pieces()
  for (const cut of cuts) {
    const bytes = packets.take(Buffer.from(cut, 'latin1'))
    if (bytes !== undefined) reply.read(bytes, 0, bytes.length, { ...FACTS, ...facts })
  }
  expect(packets.isOpen).toBe(false)
  return reply
}

const told = (reply: Reply): unknown => [
  reply.results.map((rows) => [...rows, rows.affectedRows, rows.insertId, rows.warnings, rows.info]),
  reply.error?.code,
  reply.status,
  reply.isEnded,
]

/** The same however it is cut: whole, at every place, byte by byte, and with the definitions known beforehand. */
function expectResults(latin1: string, wanted: readonly unknown[], reading: Reading = {}): void {
  const first = whole(latin1, reading)
  expect(checked(first).results.map((rows) => [...rows])).toEqual(wanted)
  const statement = reading.statement ?? statementOf()
  for (const _ of [1, 2]) expect(told(whole(latin1, { ...reading, statement }))).toEqual(told(first))
  for (let at = 1; at < latin1.length; at++) {
    expect(told(pieces([latin1.slice(0, at), latin1.slice(at)], { ...reading, statement }))).toEqual(told(first))
  }
  expect(told(pieces([...latin1], reading))).toEqual(told(first))
}

const MORE = 8

describe('a reply is read alike however it is cut:', () => {
  it('an OK, with what it says', () => {
    const said = ok(1, 2, 0x1_0000, 300, text('Rows matched: 5  Changed: 2  Warnings: 1'))
    expectResults(said, [[]])
    const [rows] = whole(said).results
    expect([rows?.affectedRows, rows?.insertId, rows?.info, rows?.changedRows]).toEqual([
      65_536,
      300,
      'Rows matched: 5  Changed: 2  Warnings: 1',
      2,
    ])
  })

  it('an OK of a server that tracks nothing: its message has no length', () => {
    const reply = whole(ok(1, 2, 1, 0, 'a message'), { facts: { sessionTrack: false } })
    expect(reply.results[0]?.info).toBe('a message')
  })

  it('numbers of rows that need one, three, four and nine bytes', () => {
    for (const count of [0, 250, 251, 65_535, 65_536, 16_777_215, 16_777_216, 2 ** 53 - 1]) {
      expect(whole(ok(1, 2, count, count)).results[0]).toMatchObject({ affectedRows: count, insertId: count })
    }
    const huge = packet(1, 0, 0, `\xfe${'\xff'.repeat(8)}`, u16(2), u16(0))
    expect(whole(huge).results[0]?.insertId).toBe(2n ** 64n - 1n)
  })

  it('rows that begin with nothing and with NULL', () => {
    expectResults(
      result(
        ['a', 'b'],
        [
          ['', 'x'],
          [undefined, ''],
          [undefined, undefined],
        ],
      ),
      [
        [
          ['', 'x'],
          [null, ''],
          [null, null],
        ],
      ],
    )
    expectResults(result(['a'], [[''], [undefined], ['']]), [[[''], [null], ['']]])
  })

  it('a result without rows', () => expectResults(result(['a'], []), [[]]))

  it('a result with EOFs, as servers of old send it', () => {
    const old = [packet(1, 1), column(2, 'a'), eof(3), row(4, 'x'), row(5, undefined), eof(6)].join('')
    expectResults(old, [[['x'], [null]]], { facts: { deprecateEof: false } })
  })

  it('several results, and an error in the second', () => {
    const first = result(['a'], [['1']], 2 | MORE)
    expectResults(first + result(['b'], [['2']], 2 | MORE) + ok(1), [[['1']], [['2']], []])
    const failed = whole(first + err(1, 1146))
    expect([failed.isEnded, failed.error?.code]).toEqual([true, '1146'])
    expect(() => checked(failed)).toThrow(expect.objectContaining({ code: '1146', sqlState: '42000' }))
  })

  it('an error in the middle of rows', () => {
    const reply = whole([packet(1, 1), column(2, 'a'), row(3, 'x'), err(4, 1317)].join(''))
    expect([reply.error?.code, [...reply.takeRows()]]).toEqual(['1317', [['x']]])
  })

  it('three hundred columns, more packets than sequence numbers', () => {
    const names = Array.from({ length: 300 }, (_, index) => `c${index}`)
    const latin1 = result(names, [names, names])
    expect(whole(latin1).results.map((rows) => [...rows])).toEqual([[names, names]])
    expect(told(pieces([...latin1]))).toEqual(told(whole(latin1)))
  })

  it('a question for a file, and what comes behind it', () => {
    const reply = new Reply(statementOf(), false, false)
    const ask = Buffer.from(packet(1, 0xfb, '/etc/passwd'), 'latin1')
    reply.read(ask, 0, ask.length, FACTS)
    expect([reply.wantsFile, reply.isEnded]).toEqual([true, false])
    const done = Buffer.from(ok(4, 2, 5), 'latin1')
    reply.read(done, 0, done.length, FACTS)
    expect([reply.isEnded, reply.results[0]?.affectedRows]).toEqual([true, 5])
  })

  it('binary rows, of every type there is', () => {
    const types: readonly (readonly [type: number, bytes: string, value: unknown, flags?: number, charset?: number])[] =
      [
        [Type.Tiny, '\xff', -1],
        [Type.Tiny, '\xff', 255, 32],
        [Type.Short, '\x00\x80', -32_768],
        [Type.Short, '\x00\x80', 32_768, 32],
        [Type.Year, '\xea\x07', 2026],
        [Type.Int24, '\xff\xff\xff\xff', -1],
        [Type.Long, '\xff\xff\xff\x7f', 2_147_483_647],
        [Type.Long, '\xff\xff\xff\xff', 4_294_967_295, 32],
        [Type.LongLong, '\xff'.repeat(8), -1],
        [Type.LongLong, '\xff'.repeat(8), 2n ** 64n - 1n, 32],
        [Type.LongLong, `${'\0'.repeat(7)}\x80`, -(2n ** 63n)],
        [Type.LongLong, '\x00\x00\x00\x00\x00\x00\x20\x00', 2n ** 53n],
        [Type.LongLong, '\xff\xff\xff\xff\xff\xff\x1f\x00', 2 ** 53 - 1],
        [Type.Float, '\xcd\xcc\xcc\x3d', 0.1],
        [Type.Double, '\x9a\x99\x99\x99\x99\x99\xb9\x3f', 0.1],
        [Type.NewDecimal, text('-0.10'), '-0.10'],
        [Type.Date, '\x04\xea\x07\x0b\x15', '2026-11-21'],
        [Type.Date, '\0', '0000-00-00'],
        [Type.DateTime, '\x07\xea\x07\x0b\x15\x01\x02\x03', new Date(Date.UTC(2026, 10, 21, 1, 2, 3))],
        [
          Type.Timestamp,
          `\x0b\xea\x07\x0b\x15\x01\x02\x03${u32(456_789)}`,
          new Date(Date.UTC(2026, 10, 21, 1, 2, 3, 456)),
        ],
        [Type.DateTime, '\0', '0000-00-00 00:00:00'],
        [Type.DateTime, '\x04\xea\x07\x02\x1e', '2026-02-30 00:00:00'],
        [Type.Time, '\0', '00:00:00'],
        [Type.Time, `\x08\x01${u32(34)}\x16\x3b\x3b`, '-838:59:59'],
        [Type.VarString, text('x'), 'x'],
        [Type.VarString, text('\x00\xff'), Buffer.from([0, 255]), 0, 63],
        [Type.Blob, text(''), Buffer.alloc(0), 144, 63],
        [Type.Blob, text('ok'), 'ok', 16],
        [Type.Bit, text('\x01'), Buffer.from([1]), 32, 63],
        [Type.Json, text('{"a":[1]}'), { a: [1] }, 144, 63],
        [Type.String, text('a'), 'a', 256],
        [Type.Geometry, text('\x01\x02'), Buffer.from([1, 2]), 144, 63],
      ]
    for (const [type, bytes, value, flags = 0, charset = 45] of types) {
      const one = column(2, 'v', type, charset, flags)
      const latin1 = [packet(1, 1), one, packet(3, '\0\0', bytes), packet(4, '\0\x04'), end(5)].join('')
      expectResults(latin1, [[[value], [null]]], { isBinary: true })
    }
  })

  it('a binary row with NULLs on both sides of the eighth bit', () => {
    const names = Array.from({ length: 15 }, (_, index) => `c${index}`)
    const header = [packet(1, 15), ...names.map((name, index) => column(2 + index, name))].join('')
    // c0, c5, c6 and c14 are NULL: bits 2, 7, 8 and 16.
    const row = packet(17, 0, 0x84, 0x01, 0x01, ...names.filter((_, i) => ![0, 5, 6, 14].includes(i)).map(text))
    const wanted = names.map((name, index) => ([0, 5, 6, 14].includes(index) ? null : name))
    expectResults(header + row + end(18), [[wanted]], { isBinary: true })
  })

  it('a value of 16 MB and of one byte less, over as many packets as that takes', () => {
    for (const length of [0xff_ffff - 4, 0xff_ffff - 3, 0x100_0000, 0x100_0005]) {
      const value = 'a'.repeat(length)
      const latin1 = [packet(1, 1), column(2, 'a'), row(3, value), row(4, 'next'), end(5)].join('')
      for (const reply of [
        whole(latin1),
        pieces([latin1.slice(0, 100), latin1.slice(100, length), latin1.slice(length)]),
      ]) {
        const [rows] = checked(reply).results as unknown as [[string][]]
        expect([rows[0]?.[0].length, rows[0]?.[0] === value, rows[1]]).toEqual([length, true, ['next']])
      }
    }
  })

  it('the second answer to a statement that could not be prepared', () => {
    const reply = whole(err(1, 1054) + err(1, 1243))
    expect(reply.error?.code).toBe('1054')
  })
})

describe('what a statement was described with', () => {
  it('is used again for the same bytes only', () => {
    const statement = statementOf()
    const of = (latin1: string): unknown => {
      const [rows] = whole(latin1, { statement }).results
      return [rows?.fields.map(({ name, type }) => `${name} ${type}`), ...(rows ?? [])]
    }
    const one = (name: string, type: number = Type.VarString): string =>
      [packet(1, 1), column(2, name, type), row(3, '7'), end(4)].join('')
    expect(of(one('a'))).toEqual([['a VARCHAR'], ['7']])
    expect(of(one('a'))).toEqual([['a VARCHAR'], ['7']])
    expect(of(one('a', Type.Long))).toEqual([['a INT'], [7]])
    expect(of(one('b', Type.Long))).toEqual([['b INT'], [7]])
    expect(of(one('b'))).toEqual([['b VARCHAR'], ['7']])
  })
})

describe('bytes that are no reply', () => {
  const good = [
    result(['a', 'b'], [['x', undefined]], 2 | MORE) + ok(1, 2, 300, 7, text('info')),
    [packet(1, lenenc(2)), column(2, 'a'), column(3, 'b'), binaryRow(4, 'x', 'y'), end(5)].join(''),
    err(1, 1064),
  ]

  it('are a broken protocol and nothing else, and nothing of them is read beyond their end', () => {
    const seed = Number(process.env.SEED ?? Date.now())
    fc.assert(
      fc.property(
        fc.constantFrom(...good),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        (latin1, changes, isBinary, deprecateEof, cut) => {
          const bytes = Buffer.from(latin1, 'latin1')
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          const given = bytes.toString('latin1', 0, bytes.length - (cut % 8 === 0 ? cut % bytes.length : 0))
          try {
            checked(whole(given, { isBinary, facts: { deprecateEof } }))
          } catch (error) {
            const isExpected = error instanceof RemoteProtocolError || (error as Error).name === 'MysqlError'
            if (!isExpected) throw error
          }
        },
      ),
      { seed, numRuns: 3000, verbose: 1 },
    )
  })

  it.each([
    ['nothing at all', ''],
    // The type of the column is changed from text to BIGINT.
    ['a whole number that is none', result(['a'], [['x']]).replace('\xfd\0\0', '\x08\0\0')],
    ['an empty packet', packet(1)],
    ['no columns', packet(1, '\xfc\0\0')],
    ['more columns than a server has', packet(1, lenenc(4097))],
    ['a definition that breaks off', packet(1, 1) + packet(2, '\x03de')],
    ['a row that is too short', packet(1, 1) + column(2, 'a') + packet(3, '\x05ab')],
    ['a row that is too long', packet(1, 1) + column(2, 'a') + packet(3, '\x01abc') + end(4)],
    ['no end', packet(1, 1) + column(2, 'a') + row(3, 'x')],
    ['more behind the end', ok(1) + ok(2)],
    ['a packet that is cut', ok(1).slice(0, -1)],
  ])('are refused: %s', (_, latin1) => {
    expect(() => checked(whole(latin1))).toThrow(RemoteProtocolError)
  })
})

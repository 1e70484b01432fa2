/** Requests are the bytes that the other half and the server expect; nothing is written that means something else. */
import { ByteWriter } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { packet, text, u16, u32 } from '../../fixtures/packets.ts'
import { APP_DEFAULTS, type MysqlApp } from '../app.ts'
import { analyzer } from '../sql/analysis.ts'
import { writePrepared, writeQuery } from './encode.ts'
import { Statement } from './statement.ts'
import { Json } from './values.ts'

const analyze = analyzer([])
const statementOf = (sql: string, app: Partial<MysqlApp> = {}): Statement =>
  new Statement(sql, analyze(sql), { ...APP_DEFAULTS, zone: 0, ...app })

function prepared(sql: string, values: readonly unknown[], app: Partial<MysqlApp> = {}): string {
  const statement = statementOf(sql, app)
  /** Small memory: everything moves once. */
  const out = new ByteWriter(8)
  writePrepared(out, statement, values)
  const bytes = out.written().toString('latin1')
  const header =
    u32(statement.hash) + u32(statement.bytes.length) + u16(values.length) + statement.bytes.toString('latin1')
  expect(bytes.slice(0, header.length)).toBe(header)
  return bytes.slice(header.length)
}

function written(sql: string, values: readonly unknown[], app: Partial<MysqlApp> = {}): string {
  const out = new ByteWriter(8)
  writeQuery(out, statementOf(sql, app), values)
  const latin1 = out.written().toString('latin1')
  expect(latin1).toBe(packet(0, latin1.slice(4)))
  return out.written().toString('utf8', 5)
}

describe('the values of a prepared statement', () => {
  it('are nothing where there are none', () => expect(prepared('select 1', [])).toBe(''))

  it.each<[unknown, number, string]>([
    ['x', 0xfd, text('x')],
    ['', 0xfd, '\0'],
    ['ä', 0xfd, text('\xc3\xa4')],
    ['y'.repeat(300), 0xfd, text('y'.repeat(300))],
    [1, 8, '\x01\0\0\0\0\0\0\0'],
    [-1, 8, '\xff'.repeat(8)],
    [2 ** 53 - 1, 8, '\xff\xff\xff\xff\xff\xff\x1f\0'],
    [-(2 ** 53 - 1), 8, '\x01\0\0\0\0\0\xe0\xff'],
    [2 ** 31, 8, '\0\0\0\x80\0\0\0\0'],
    [0.5, 5, '\0\0\0\0\0\0\xe0\x3f'],
    [-0, 5, '\0\0\0\0\0\0\0\x80'],
    [-(2n ** 63n), 8, '\0\0\0\0\0\0\0\x80'],
    [true, 1, '\x01'],
    [false, 1, '\0'],
    [Buffer.from([0, 255]), 0xfc, '\x02\0\xff'],
    [new Date(Date.UTC(2026, 10, 21, 1, 2, 3)), 12, '\x07\xea\x07\x0b\x15\x01\x02\x03'],
    [new Date(Date.UTC(2026, 10, 21, 1, 2, 3, 4)), 12, `\x0b\xea\x07\x0b\x15\x01\x02\x03${u32(4000)}`],
    [new Json({ a: 1 }), 0xfd, text('{"a":1}')],
    [10n ** 20n, 0xf6, text('1'.padEnd(21, '0'))],
  ])('%o', (value, type, bytes) => {
    expect(prepared('select ?', [value])).toBe(`\0\x01${String.fromCharCode(type)}\0${bytes}`)
  })

  it('say that they are unsigned where they are', () => {
    expect(prepared('select ?', [2n ** 64n - 1n])).toBe(`\0\x01\x08\x80${'\xff'.repeat(8)}`)
  })

  it('that are NULL have a bit and no bytes', () => {
    const sql = `select ${Array.from({ length: 9 }, () => '?').join(',')}`
    const values = [null, 1n, null, null, null, null, null, null, null]
    const types = values.map((value) => (value === null ? '\x06\0' : '\x08\0')).join('')
    expect(prepared(sql, values)).toBe(`\xfd\x01\x01${types}\x01${'\0'.repeat(7)}`)
  })

  it('of a time are those of its zone', () => {
    const date = new Date(Date.UTC(2026, 10, 21, 23, 0, 0))
    expect(prepared('select ?', [date], { zone: 120 })).toBe('\0\x01\x0c\0\x07\xea\x07\x0b\x16\x01\0\0')
  })

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['an object', { password: 1 }],
    ['an array', [1]],
    ['a map', new Map()],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['no date', new Date(Number.NaN)],
    ['a date too late', new Date(8.64e15)],
  ])('are refused where they are %s, by either protocol', (_, value) => {
    const refused = expect.objectContaining({ code: 'ARGUMENT', sent: 'no' })
    expect(() => prepared('select ?', [value])).toThrow(refused)
    if (!Array.isArray(value)) expect(() => written('select ?', [value])).toThrow(refused)
    expect(() => written('select ?', [[[value, [value]]]])).toThrow(refused)
  })
})

describe('a statement as text', () => {
  it('is as it was, where it has no values', () => expect(written("select 'ä?'", [])).toBe("select 'ä?'"))

  it('has its values where its placeholders were, and nowhere else', () => {
    const sql = "select ?, \"?\", `?` /* ? */, 'it''s ?', ?? -- ?\n from ?? where a = ?"
    expect(written(sql, ["o'r", 'a`b', 'db.t', null])).toBe(
      "select 'o\\'r', \"?\", `?` /* ? */, 'it''s ?', `a``b` -- ?\n from `db`.`t` where a = NULL",
    )
  })

  it('says of a value what type it is', () => {
    const values = [
      1,
      1.5,
      -0,
      1e300,
      10n ** 20n,
      true,
      Buffer.from([1, 255]),
      new Date(0),
      new Json(["'"]),
      [1, 'x'],
      '\0\n\\',
    ]
    const sql = `select ${values.map(() => '?').join(', ')}`
    expect(written(sql, values)).toBe(
      "select 1, 1.5e0, -0e0, 1e+300, 100000000000000000000, true, X'01ff', '1970-01-01 00:00:00', " +
        "'[\\\"\\'\\\"]', 1, 'x', '\\0\\n\\\\'",
    )
  })

  it('is cut where it is longer than a packet', () => {
    const sql = `select '${'x'.repeat(0x100_0000)}'`
    const out = new ByteWriter(8)
    writeQuery(out, statementOf(sql), [])
    expect(out.written().toString('latin1') === packet(0, `\x03${sql}`)).toBe(true)
  })

  it('takes as many values as it has placeholders', () => {
    for (const values of [[], [1], [1, 2, 3]]) expect(() => written('select ?, ?', values)).toThrow('2 placeholders')
    expect(() => prepared('select ??', ['a'])).toThrow('simple()')
    expect(() => written('select ??', [''])).toThrow('name')
  })
})

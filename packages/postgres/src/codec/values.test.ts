/** Values as text: each kind in the one form that its type reads. */
import { LocalError } from '@iokernel/core/plugin'
import fc from 'fast-check'
import { arrayParser } from 'pg-types'
import { describe, expect, it } from 'vitest'
import { Json, textOf } from './values.ts'

describe('a value', () => {
  it.each<[unknown, string]>([
    ['', ''],
    ['a"b', 'a"b'],
    [0, '0'],
    [-0, '-0'],
    [1e21, '1e+21'],
    [0.1, '0.1'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [2n ** 63n, '9223372036854775808'],
    [true, 'true'],
    [false, 'false'],
    [[], '{}'],
    [[[], []], '{{},{}}'],
    [[1, null, true, 2n], '{1,NULL,true,2}'],
    [['a', 'a"b', 'a\\b', 'NULL', '', '{', ' '], '{"a","a\\"b","a\\\\b","NULL","","{"," "}'],
    [
      [
        [1, 2],
        [3, 4],
      ],
      '{{1,2},{3,4}}',
    ],
    [[new Uint8Array([1, 255])], '{"\\\\x01ff"}'],
    [[{ a: '"' }], '{"{\\"a\\":\\"\\\\\\"\\"}"}'],
    [{ a: 1 }, '{"a":1}'],
    [Object.create(null), '{}'],
    [new URL('http://a/b'), '"http://a/b"'],
    [{ toPostgres: () => 'as it says' }, 'as it says'],
    [new Json([1, '2']), '[1,"2"]'],
    [new Json('x'), '"x"'],
  ])('is what its type reads: %#', (value, expected) => expect(textOf(value)).toBe(expected))

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a Map', new Map()],
    ['a Promise', Promise.resolve()],
    ['an invalid Date', new Date(Number.NaN)],
    ['undefined in an array', [undefined]],
    ['toPostgres() without text', { toPostgres: () => 1 }],
    ['an array of seven dimensions', [[[[[[[1]]]]]]]],
  ])('is refused: %s', (_, value) => {
    expect(() => textOf(value)).toThrow(LocalError)
    expect(() => textOf(value)).toThrow(/a value is/)
  })

  it('refuses a list that holds itself, and JSON of nothing', () => {
    const list: unknown[] = []
    list.push(list)
    expect(() => textOf(list)).toThrow(LocalError)
    expect(() => new Json(undefined)).toThrow(LocalError)
  })

  it('is an array that PostgreSQL reads back as it was', () => {
    const arrays = arrayParser as unknown as { create(text: string): { parse(): unknown } }
    const text = fc.option(fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', ',', ' ', 'a', 'ü', '\n') }))
    fc.assert(
      fc.property(fc.array(text), (list) => {
        expect(arrays.create(textOf(list)).parse()).toEqual(list)
      }),
    )
  })

  it('is a Date as the clock on the wall shows it, with its distance from UTC', () => {
    const dates = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(dates, (date) => {
        const shown = textOf(date)
        const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d\.\d{3})([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(shown)
        expect(parts).not.toBeNull()
        const [, day, clock, sign, hours, minutes, seconds = '0'] = parts as unknown as string[]
        const offsetMs = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
        const utcMs = Date.parse(`${day}T${clock}Z`) - (sign === '-' ? -offsetMs : offsetMs)
        expect(utcMs).toBe(date.getTime())
      }),
    )
    expect(textOf(new Date(-62_198_755_200_000))).toMatch(/ BC$/)
    expect(textOf(new Date(253_402_300_800_000 + 86_400_000))).toMatch(/^10000-/)
  })
})

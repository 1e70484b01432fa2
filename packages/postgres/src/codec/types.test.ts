/** The quick ways of reading a value give exactly what pg-types gives. */
import fc from 'fast-check'
import { getTypeParser } from 'pg-types'
import { describe, expect, it } from 'vitest'
import { bytesIn, ColumnKind, columnReader, timeIn } from './types.ts'

/** Not at the beginning of its memory, and with something behind it. */
function placed<Result>(text: string, use: (bytes: Buffer, start: number, end: number) => Result): Result {
  const bytes = Buffer.from(`99${text}99`)
  return use(bytes, 2, bytes.length - 2)
}

const parserOf = (oid: number) => getTypeParser(oid as never, 'text') as (text: string) => unknown

describe('times', () => {
  const two = fc.integer({ min: 0, max: 59 }).map((value) => String(value).padStart(2, '0'))
  const day = fc.tuple(
    fc.integer({ min: 1, max: 12_000 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
  )
  const days = day.map(([year, month, date]) => {
    const pad = (value: number, length: number) => String(value).padStart(length, '0')
    return `${pad(year, 4)}-${pad(month, 2)}-${pad(date, 2)}`
  })
  const hours = fc.integer({ min: 0, max: 23 }).map((value) => String(value).padStart(2, '0'))
  const fraction = fc.oneof(
    fc.constant(''),
    fc.integer({ min: 0, max: 999_999 }).map((value) => `.${value}`),
  )
  const zone = fc.constantFrom('', '+00', '+02', '-11', '+05:30', '-00:44:30', '+14')
  const bc = fc.constantFrom('', '', '', ' BC')
  const times = fc
    .tuple(days, hours, two, two, fraction, zone, bc)
    .map(
      ([date, hour, minute, second, part, offset, era]) => `${date} ${hour}:${minute}:${second}${part}${offset}${era}`,
    )

  it.each([1082, 1114, 1184])('of type %i are what pg-types makes of them', (oid) => {
    const parse = parserOf(oid)
    const all = fc.oneof(
      times,
      days,
      fc.constantFrom('infinity', '-infinity', '', '2026', 'x'.repeat(19), '4714-11-24 BC'),
    )
    fc.assert(
      fc.property(all, (text) => {
        expect([text, placed(text, (bytes, start, end) => timeIn(bytes, start, end, parse))]).toEqual([
          text,
          parse(text),
        ])
      }),
      { numRuns: 2000 },
    )
  })
})

describe('bytes', () => {
  it.each(['\\x', '\\x00ff', '\\x6162', 'abc', 'a\\\\b\\001', ''])('%s', (text) => {
    const parse = parserOf(17)
    expect(placed(text, (bytes, start, end) => bytesIn(bytes, start, end, parse))).toEqual(parse(text))
  })
})

describe('a column', () => {
  it('of an unknown type is text, of others what pg-types makes of them', () => {
    for (const oid of [0, 25, 1043, 19, 2950, 1700, 99_999]) {
      expect([oid, columnReader(oid, false, undefined).kind]).toEqual([oid, ColumnKind.Text])
    }
    const json = columnReader(3802, false, undefined)
    expect(json.kind).toBe(ColumnKind.Parsed)
    expect(json.parse('{"a":[1]}')).toEqual({ a: [1] })
    expect(columnReader(701, false, undefined).parse('Infinity')).toBe(Number.POSITIVE_INFINITY)
    expect(columnReader(1007, false, undefined).parse('{1,NULL}')).toEqual([1, null])
  })

  it('of int8 is a bigint, in an array too', () => {
    expect(columnReader(20, false, undefined).parse('9223372036854775807')).toBe(9223372036854775807n)
    expect(columnReader(1016, false, undefined).parse('{{1,NULL},{-9223372036854775808,2}}')).toEqual([
      [1n, null],
      [-9223372036854775808n, 2n],
    ])
  })

  it('is read as the application says', () => {
    const byOid = columnReader(20, false, { 20: Number })
    expect([byOid.kind, byOid.parse('5')]).toEqual([ColumnKind.Parsed, 5])
    const library = { getTypeParser: (oid: number) => (text: string) => `${oid}:${text}` }
    expect(columnReader(23, false, library).parse('5')).toBe('23:5')
    expect(columnReader(23, false, { 20: Number }).kind).toBe(ColumnKind.Integer)
  })
})

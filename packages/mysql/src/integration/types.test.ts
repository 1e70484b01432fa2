/** Values out of a real server: the same from both protocols, and what they were when they went in. */
import type { MysqlClient, MysqlTarget } from '@iokernel/mysql'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inEveryMode } from '../../fixtures/world.ts'

const SEED = Number(process.env.SEED ?? Date.now())

/** One row by each protocol. */
async function both(db: MysqlClient, text: string): Promise<readonly [unknown, unknown]> {
  const binary = await db.query(text, [], { rows: 'arrays' })
  const [textual] = await db.simple(text, [], { rows: 'arrays' })
  expect(textual?.fields.map(({ name, type }) => [name, type])).toEqual(
    binary.fields.map(({ name, type }) => [name, type]),
  )
  return [binary[0], textual?.[0]]
}

/** Columns of every type, and literals for them. */
const COLUMNS: readonly (readonly [type: string, literal: fc.Arbitrary<string>])[] = [
  ['tinyint', fc.integer({ min: -128, max: 127 }).map(String)],
  ['tinyint unsigned', fc.integer({ min: 0, max: 255 }).map(String)],
  ['smallint', fc.integer({ min: -32_768, max: 32_767 }).map(String)],
  ['smallint unsigned', fc.integer({ min: 0, max: 65_535 }).map(String)],
  ['mediumint', fc.integer({ min: -8_388_608, max: 8_388_607 }).map(String)],
  ['mediumint unsigned zerofill', fc.integer({ min: 0, max: 16_777_215 }).map(String)],
  ['int', fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }).map(String)],
  ['int unsigned', fc.integer({ min: 0, max: 4_294_967_295 }).map(String)],
  ['bigint', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
  ['bigint unsigned', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)],
  ['decimal(40, 10)', fc.bigInt({ min: -(10n ** 39n), max: 10n ** 39n }).map((value) => `${value}e-10`)],
  ['double', fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }).map((value) => `'${value}'`)],
  ['float', fc.integer({ min: -999_999, max: 999_999 }).map((value) => `${value}e-3`)],
  ['year', fc.integer({ min: 1901, max: 2155 }).map(String)],
  ['date', fc.date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map(isoDate)],
  ['datetime', moments().map(({ text }) => `'${text}'`)],
  ['datetime(3)', moments().map(({ text, micros }) => `'${text}.${micros.slice(0, 3)}'`)],
  ['datetime(6)', moments().map(({ text, micros }) => `'${text}.${micros}'`)],
  ['time(6)', fc.integer({ min: -3_020_399, max: 3_020_399 }).map((value) => `sec_to_time(${value} + 0.25)`)],
  ['time', fc.integer({ min: -3_020_399, max: 3_020_399 }).map((value) => `sec_to_time(${value})`)],
  ['char(20)', fc.string({ maxLength: 20, unit: 'grapheme-ascii' }).map(textLiteral)],
  ['varchar(600)', fc.string({ maxLength: 150, unit: 'grapheme' }).map(textLiteral)],
  ['text', fc.string({ maxLength: 300, unit: 'binary' }).map(textLiteral)],
  ['varbinary(300)', fc.uint8Array({ maxLength: 300 }).map(bytesLiteral)],
  ['blob', fc.uint8Array({ maxLength: 300 }).map(bytesLiteral)],
  ['bit(13)', fc.integer({ min: 0, max: 8191 }).map((value) => `b'${value.toString(2)}'`)],
  ["enum('a', 'b', 'c€')", fc.constantFrom("'a'", "'b'", "'c€'")],
  ["set('a', 'b', 'c€')", fc.constantFrom("''", "'a'", "'a,c€'")],
  ['json', fc.json({ maxDepth: 3 }).map(textLiteral)],
]

function isoDate(date: Date): string {
  return `'${date.toISOString().slice(0, 10)}'`
}

function moments(): fc.Arbitrary<{ readonly text: string; readonly micros: string }> {
  return fc
    .tuple(
      fc.date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      fc.integer({ min: 0, max: 999_999 }),
    )
    .map(([date, micros]) => ({
      text: date.toISOString().slice(0, 19).replace('T', ' '),
      micros: String(micros).padStart(6, '0'),
    }))
}

function textLiteral(text: string): string {
  return `convert(x'${Buffer.from(text).toString('hex')}' using utf8mb4)`
}

function bytesLiteral(bytes: Uint8Array): string {
  return `x'${Buffer.from(bytes).toString('hex')}'`
}

inEveryMode('values', { databases: ['types'], configLines: ['max_allowed_packet = 64M'] }, (world) => {
  const client = (target: MysqlTarget = {}): MysqlClient =>
    world.connect({ variables: { time_zone: '+00:00' }, timezone: 'Z', ...target })

  it('are the same from the text and the binary protocol, for every type', async () => {
    const db = client()
    const strings = client({ dates: 'strings', bigints: 'always' })
    const session = await db.session()
    const list = COLUMNS.map(([type], index) => `c${index} ${type}`).join(', ')
    await session.query(`create or replace table types.every (id int primary key, ${list})`)
    let rows = 0
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(...COLUMNS.map(([, literal]) => fc.option(literal, { nil: 'null' }))),
        async (literals) => {
          await session.simple(`insert into types.every values (${rows}, ${literals.join(', ')})`)
          for (const each of [db, strings]) {
            const [binary, textual] = await both(each, `select * from types.every where id = ${rows}`)
            expect(binary).toEqual(textual)
          }
          rows++
        },
      ),
      { seed: SEED, numRuns: 60, verbose: 1 },
    )
    await session.query('drop table types.every')
    await session.close()
  })

  it('come back as they went in', async () => {
    const db = client()
    const values: readonly unknown[] = [
      'text',
      'ünïcödé 🎉',
      '',
      "quote ' and \\ backslash and \0 and \x1a",
      0,
      -1,
      2 ** 53 - 1,
      -(2 ** 53 - 1),
      9007199254740993n,
      -(2n ** 63n),
      2n ** 64n - 1n,
      1.5,
      -1e-300,
      1.7976931348623157e308,
      null,
      Buffer.from([0, 1, 2, 255]),
      Buffer.alloc(0),
    ]
    const text = `select ${values.map((_, index) => `? as v${index}`).join(', ')}`
    const [row] = await db.query(text, values, { rows: 'arrays' })
    expect(row).toEqual(values)
    const [[written]] = (await db.simple(text, values, { rows: 'arrays' })) as unknown as [[unknown[]]]
    expect(written).toEqual(values)
  })

  it('of more than 16 MB come whole, by either protocol', async () => {
    const db = world.connect({}, { replyBytesMax: 128 * 1024 * 1024 })
    const length = 2 ** 24 + 5
    const text = `select repeat('a', ${length}) as a, 'end' as b`
    for (const rows of [await db.query(text), (await db.simple(text))[0]]) {
      const row = rows?.[0] as { a: string | null; b: string }
      expect([row.a?.length ?? 0, row.b]).toEqual([length, 'end'])
      expect(row.a).toBe('a'.repeat(length))
    }
  })

  it('that are dates are exact, or text', async () => {
    const db = client()
    const text = `select cast('2026-11-21' as date) as d, cast('2026-11-21 07:08:09.123456' as datetime(6)) as t,
      cast('0000-00-00' as date) as zero, timestamp '2026-11-21 07:08:09' as s, cast('-838:59:58.5' as time(1)) as n`
    const usual = [
      '2026-11-21',
      new Date('2026-11-21T07:08:09.123Z'),
      null,
      new Date('2026-11-21T07:08:09Z'),
      '-838:59:58.5',
    ]
    const [binary, textual] = await both(db, text)
    expect((binary as unknown[])[1]).toEqual(usual[1])
    expect((binary as unknown[])[0]).toEqual(usual[0])
    expect((binary as unknown[])[4]).toEqual(usual[4])
    expect(binary).toEqual(textual)
    const strings = client({ dates: 'strings' })
    const [exact] = await both(strings, text)
    expect((exact as unknown[])[1]).toBe('2026-11-21 07:08:09.123456')
  })

  it('that are no dates are the text that the server writes', async () => {
    const db = client({ variables: { sql_mode: 'ALLOW_INVALID_DATES' } })
    const session = await db.session()
    await session.query('create temporary table odd (a date, b datetime(2), c timestamp null, d datetime)')
    await session.query("insert into odd values ('0000-00-00', '0000-00-00', null, '2026-02-31 01:02:03')")
    for (const rows of [await session.query('select * from odd'), (await session.simple('select * from odd'))[0]]) {
      expect(rows?.[0]).toEqual({ a: '0000-00-00', b: '0000-00-00 00:00:00.00', c: null, d: '2026-02-31 01:02:03' })
    }
    await session.close()
  })

  it('go to the parsers of the target, alike from both protocols', async () => {
    const db = client({
      types: {
        DECIMAL: Number,
        BIGINT: (text) => `big ${text}`,
        TINYINT: (text, { length }) => (length === 1 ? text === '1' : Number(text)),
        DATETIME: (text) => `at ${text}`,
        JSON: (text) => `json ${text}`,
        BLOB: (bytes) => bytes.length,
      },
    })
    const session = await db.session()
    await session.query(
      'create temporary table parsed (a decimal(5,2), b bigint, c tinyint(1), d datetime(3), e json, f blob)',
    )
    await session.query("insert into parsed values (1.5, 7, 1, '2026-01-02 03:04:05.678', '{}', 'abc')")
    const expected = { a: 1.5, b: 'big 7', c: true, d: 'at 2026-01-02 03:04:05.678', e: 'json {}', f: 3 }
    expect((await session.query('select * from parsed'))[0]).toEqual(expected)
    expect((await session.simple('select * from parsed'))[0]?.[0]).toEqual(expected)
    await session.close()
  })

  it('under a name that is none of an ordinary property harm nobody', async () => {
    const db = client()
    const [binary] = await db.query("select 1 as `__proto__`, 2 as `constructor`, 3 as `a'b`, 4 as `);`")
    expect(Object.entries(binary as object)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
      ["a'b", 3],
      [');', 4],
    ])
    expect(Object.getPrototypeOf(binary)).toBe(Object.prototype)
    expect(({} as { a?: unknown }).a).toBeUndefined()
    expect((await db.query('select 1 as a, 2 as a', [], { rows: 'arrays' }))[0]).toEqual([1, 2])
    expect((await db.query('select 1 as a, 2 as a'))[0]).toEqual({ a: 2 })
  })
})

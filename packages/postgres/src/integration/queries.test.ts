/** Statements, values and results against a real server. */
import { LocalError } from '@iokernel/core/plugin'
import { PostgresError } from '@iokernel/postgres'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inEveryMode } from '../../fixtures/world.ts'
import { functionKind, functionRefusal } from '../sql/functions.ts'
import { isSyntax, opensExpression } from '../sql/keywords.ts'

inEveryMode('queries', {}, (world) => {
  it('give rows with what is known of them', async () => {
    const db = world.connect()
    await db.query('create table if not exists orders (id int primary key, total numeric(10, 2), note text)')
    await db.query('truncate orders')
    const inserted = await db.query('insert into orders values ($1, $2, $3), (2, 1.50, null) returning id', [
      1,
      '12.30',
      'ü',
    ])
    expect([inserted.command, inserted.count, [...inserted]]).toEqual(['INSERT', 2, [{ id: 1 }, { id: 2 }]])
    const rows = await db.query<{ id: number; total: string }>('select * from orders where id = $1', [1])
    expect([...rows]).toEqual([{ id: 1, total: '12.30', note: 'ü' }])
    expect(rows.fields.map(({ name, columnID }) => [name, columnID])).toEqual([
      ['id', 1],
      ['total', 2],
      ['note', 3],
    ])
    expect((await db.query('update orders set note = $1', [null])).count).toBe(2)
    expect([...(await db.query('select 1 as a, 2 as a', [], { rows: 'arrays' }))]).toEqual([[1, 2]])
    expect((await db.query('')).command).toBe('')
    expect((await db.query('delete from orders')).count).toBe(2)
  })

  it('give back every value that they were given', async () => {
    const db = world.connect()
    const cases: readonly (readonly [type: string, value: unknown])[] = [
      ['int2', -32_768],
      ['int4', 2_147_483_647],
      ['int8', 9_223_372_036_854_775_807n],
      ['int8', -1n],
      ['oid', 4_294_967_295],
      ['float4', 1.5],
      ['float8', 0.1],
      ['float8', -0],
      ['float8', Number.NaN],
      ['float8', Number.POSITIVE_INFINITY],
      ['float8', 5e-324],
      ['numeric', '123456789012345678901234567890.123456789'],
      ['bool', true],
      ['bool', false],
      ['text', ''],
      ['text', 'ünï\u{1f600}\n\t"\\\''],
      ['varchar', 'x'.repeat(100_000)],
      ['bytea', Buffer.from([0, 1, 255, 92, 39])],
      ['bytea', Buffer.alloc(0)],
      ['uuid', '11111111-2222-3333-4444-555555555555'],
      ['jsonb', { a: [1, null, { b: 'ü"\\' }] }],
      ['json', { nested: { deep: true } }],
      ['timestamptz', new Date('2026-11-21T07:05:32.123Z')],
      ['timestamp', new Date(2026, 6, 1, 12, 30, 15, 5)],
      ['timestamptz', new Date('0099-01-01T00:00:00.000Z')],
      ['timestamptz', new Date('-000044-03-15T12:00:00.000Z')],
      ['date', new Date(2026, 1, 28)],
      ['int4[]', [1, null, -3]],
      [
        'int4[]',
        [
          [1, 2],
          [3, 4],
        ],
      ],
      ['int8[]', [1n, null]],
      ['text[]', ['a', '', null, 'NULL', '"', '\\', '{,}', 'ü']],
      ['bool[]', [true, false]],
      ['bytea[]', [Buffer.from([1, 92]), Buffer.alloc(0)]],
      ['timestamptz[]', [new Date('2026-11-21T07:05:32.123Z')]],
      ['jsonb[]', [{ a: '"' }, { b: [1] }]],
      ['text', null],
      ['inet', '10.0.0.1'],
    ]
    for (const [type, value] of cases) {
      const [row] = await db.query(`select $1::${type} as back`, [value])
      expect([type, row?.['back']]).toEqual([type, value])
    }
    const [interval] = await db.query("select interval '1 day 2 hours' as given")
    const [again] = await db.query('select $1::interval as back', [interval?.['given']])
    expect(again?.['back']).toEqual(interval?.['given'])
    expect([...(await db.sql`select ${db.sql.json([1, '2'])}::jsonb as list`)]).toEqual([{ list: [1, '2'] }])
  })

  it('give back any text, number and array', async () => {
    const db = world.connect()
    const text = fc.string({ unit: 'grapheme' }).filter((given) => !/\0|\p{Surrogate}/u.test(given))
    await fc.assert(
      fc.asyncProperty(text, fc.double(), fc.array(fc.option(text)), async (given, number, list) => {
        const values = [given, number, list]
        const [row] = await db.query('select $1::text, $2::float8, $3::text[]', values, { rows: 'arrays' })
        expect(row).toEqual(values)
      }),
      { numRuns: 50 },
    )
  })

  it('read what they are given by the parsers of the target', async () => {
    const db = world.connect({ types: { 20: Number, 1700: Number.parseFloat } })
    expect([...(await db.query('select 5::int8 as a, 1.5::numeric as b, 7::int4 as c'))]).toEqual([
      { a: 5, b: 1.5, c: 7 },
    ])
  })

  it('reject with what the server says, by name', async () => {
    const db = world.connect()
    await db.query('create table if not exists uniques (id int constraint one_of_a_kind primary key)')
    await db.query('insert into uniques values (1) on conflict do nothing')
    const failure = await db.query('insert into uniques values ($1)', [1]).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PostgresError)
    expect(failure).toMatchObject({ code: '23505', constraint: 'one_of_a_kind', table: 'uniques', side: 'remote' })
    const unknown = await db.query('select nothing from nowhere').catch((error: unknown) => error)
    expect(unknown).toMatchObject({ code: '42P01', position: 21 })
    await expect(db.query('select $1::int', ['x'])).rejects.toMatchObject({ code: '22P02' })
    await expect(db.query('select $1::int', [])).rejects.toMatchObject({ code: '08P01' })
    await expect(db.query('select $1::text', [undefined])).rejects.toBeInstanceOf(LocalError)
    expect([...(await db.query('select 1 as a'))]).toEqual([{ a: 1 }])
  })

  it('go on when a table behind a prepared statement changes', async () => {
    const db = world.connect()
    await db.simple('drop table if exists changing; create table changing (a int); insert into changing values (1)')
    for (let index = 0; index < 5; index++) expect([...(await db.query('select * from changing'))]).toEqual([{ a: 1 }])
    await db.simple("alter table changing add b text default 'new'; alter table changing alter a type text")
    const results = await Promise.all(Array.from({ length: 20 }, () => db.query('select * from changing')))
    for (const rows of results) expect([...rows]).toEqual([{ a: '1', b: 'new' }])
  })

  it('of many texts leave the server with a bounded number of prepared statements', async () => {
    const db = world.connect({ statementsMax: 10 }, { connectionsMax: 2 })
    for (let index = 0; index < 50; index++) {
      expect([...(await db.query(`select ${index} as a`))]).toEqual([{ a: index }])
    }
    const [row] = await db.query('select count(*)::int as count from pg_prepared_statements')
    expect(row?.['count']).toBeLessThanOrEqual(11)
    expect([...(await db.query('select 7 as a', [], { prepare: false }))]).toEqual([{ a: 7 }])
  })

  it('are answered together, without values, by simple()', async () => {
    const db = world.connect()
    const results = await db.simple('select 1 as a; ; select 2 as b where false; values (3)', { rows: 'arrays' })
    expect(results.map((rows) => [rows.command, [...rows]])).toEqual([
      ['SELECT', [[1]]],
      ['SELECT', []],
      ['SELECT', [[3]]],
    ])
    await expect(db.simple('select 1; select 1 / 0; select 3')).rejects.toMatchObject({ code: '22012' })
  })

  it('carry large values and many rows', async () => {
    const db = world.connect()
    const large = 'x'.repeat(5 << 20)
    expect((await db.query('select $1::text as back', [large], { deadlineMs: 0 }))[0]?.['back']).toBe(large)
    const rows = await db.query('select g, g::text as t from generate_series(1, 20000) g')
    expect(rows.length).toBe(20_000)
    expect(rows[19_999]).toEqual({ g: 20_000, t: '20000' })
  })

  it('end with their deadline and their signal, and the next ones have their own answers', async () => {
    const db = world.connect()
    await expect(db.query('select pg_sleep(5)', [], { deadlineMs: 50 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const controller = new AbortController()
    const aborted = db.query('select pg_sleep(5)', [], { signal: controller.signal })
    setTimeout(() => controller.abort(), 20)
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    expect([...(await db.query('select 1 as a'))]).toEqual([{ a: 1 }])
  })

  it('are judged by lists that the server agrees with', async () => {
    const db = world.connect()
    const known = await db.query<[string, boolean, boolean]>(
      `select proname, bool_or(provolatile = 'v'), bool_or(prosrc like 'pg_advisory%')
       from pg_proc where pronamespace = 'pg_catalog'::regnamespace group by 1`,
      [],
      { rows: 'arrays' },
    )
    expect(known.length).toBeGreaterThan(2000)
    const wrong = known.filter(([name, isVolatile]) => isVolatile && functionKind(name) === 'pure')
    expect(wrong.map(([name]) => name)).toEqual([])
    const locks = known.map(([name]) => name).filter((name) => name.includes('advisory') && !name.includes('xact'))
    expect(locks.filter((name) => functionRefusal(name) === undefined)).toEqual([])
    const words = await db.query<[string, string]>('select word, catcode::text from pg_get_keywords()', [], {
      rows: 'arrays',
    })
    const reserved = words.filter(([, kind]) => kind === 'R').map(([word]) => word)
    expect(reserved.filter((word) => !isSyntax(word))).toEqual([])
    const names = ['as', 'into', 'table', 'references']
    expect(reserved.filter((word) => !opensExpression(word) && !names.includes(word))).toEqual([])
    // Names that only the grammar makes calls of: types, and functions with a syntax of their own.
    const syntax = words.filter(([, kind]) => kind === 'C').map(([word]) => word)
    expect(syntax.filter((word) => !isSyntax(word))).toEqual([])
  })
})

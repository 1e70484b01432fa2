/** What one caller does must not be felt by another: everything that leaves state behind, through the real kernel. */
import type { PostgresClient, PostgresError } from '@iokernel/postgres'
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

/** More calls than there are connections, so that the one that was used before is among them. */
const CALLS = 40

/** What the callers after it see, each of them. */
async function seen(client: PostgresClient, text: string): Promise<Set<unknown>> {
  const found = new Set<unknown>()
  for (let turn = 0; turn < 2; turn++) {
    const results = await Promise.all(Array.from({ length: CALLS }, () => client.query(text, [], { rows: 'arrays' })))
    for (const rows of results) found.add((rows[0] as unknown as unknown[])[0])
  }
  return found
}

inEveryMode('sharing', {}, (world) => {
  const few = { connectionsMax: 3 }

  it('refuses what the text shows, and says what to use', async () => {
    const client = world.connect({}, few)
    const refused: readonly (readonly [text: string, instead: RegExp])[] = [
      ["set statement_timeout = '1ms'", /db\.session\(\)/],
      ['SET LOCAL work_mem = 1000', /db\.transaction\(\)/],
      ["select set_config('app.tenant', 'one', false)", /set_config.*db\.session\(\)/],
      ["select/**/pg_catalog.\"set_config\"('app.tenant', 'one', false)", /db\.session\(\)/],
      ['select pg_advisory_lock(1)', /db\.withLock\(\)/],
      ['create temp table t (a int)', /db\.session\(\)/],
      ['begin', /db\.transaction\(/],
      ['listen a', /db\.listen\(\)/],
      ['copy t from stdin', /copyFrom/],
      ['declare c cursor for select 1', /tx\.cursor\(\)/],
      ['select lastval()', /RETURNING/],
    ]
    for (const [text, instead] of refused) {
      await expect(client.query(text)).rejects.toThrow(instead)
      await expect(client.simple(`select 1; ${text}`)).rejects.toMatchObject({ side: 'local', sent: 'no' })
    }
    expect(await seen(client, 'select current_setting($$statement_timeout$$)')).toEqual(new Set(['0']))
  })

  it('is not felt when a DO block sets search_path', async () => {
    const client = world.connect({}, few)
    const [before] = await seen(client, 'show search_path')
    for (let index = 0; index < 5; index++) {
      await client.query("do $$ begin perform set_config('search_path', 'elsewhere', false); end $$")
    }
    expect(await seen(client, 'show search_path')).toEqual(new Set([before]))
    await client.query('do $$ begin set statement_timeout = 12345; end $$')
    expect(await seen(client, 'show statement_timeout')).toEqual(new Set(['0']))
  })

  it('is not felt when a function of the user sets, locks, and makes a temporary table', async () => {
    const client = world.connect({}, few)
    await client.simple(`
      create or replace function pollute() returns int language plpgsql as $$
      begin
        perform set_config('app.tenant', 'one', false);
        perform set_config('work_mem', '12MB', false);
        perform pg_advisory_lock(77);
        create temp table if not exists left_behind (a int);
        return pg_backend_pid();
      end $$`)
    const pids = new Set<unknown>()
    for (let index = 0; index < 6; index++) pids.add((await client.query('select pollute() as pid'))[0]?.['pid'])
    expect(pids.size).toBeGreaterThan(0)
    expect(await seen(client, "select coalesce(current_setting('app.tenant', true), '')")).toEqual(new Set(['']))
    expect(await seen(client, 'show work_mem')).not.toContain('12MB')
    expect(await seen(client, "select count(*) from pg_locks where locktype = 'advisory'")).toEqual(new Set([0n]))
    expect(await seen(client, "select to_regclass('left_behind')")).toEqual(new Set([null]))
  })

  it('is found when a function is vouched for and pollutes all the same, and the lane is replaced', async () => {
    const client = world.connect({ trustedFunctions: ['liar'] }, { ...few, auditIntervalMs: 50 })
    await client.simple(`create or replace function liar() returns int language sql as
      $$ select length(set_config('lock_timeout', '54321', false)) $$`)
    const found: string[] = []
    using _ = client.onPolluted((pollution) => found.push(pollution.found))
    await client.query('select liar()')
    await until(() => found.length > 0)
    expect(found[0]).toContain('lock_timeout')
    await until(async () => !(await seen(client, 'show lock_timeout')).has('54321ms'))
  })

  it('gives each of many callers their own rows while others fail', async () => {
    const client = world.connect({}, few)
    const calls = Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0
        ? client.query('select 1 / $1::int as quotient', [0]).then(
            () => 'answered',
            (error: PostgresError) => error.code,
          )
        : client.query('select $1::int as own', [index]).then((rows) => rows[0]?.['own']),
    )
    for (const [index, result] of (await Promise.all(calls)).entries()) {
      expect(result).toBe(index % 3 === 0 ? '22012' : index)
    }
  })

  it('leaves a slow statement alone on its connection', async () => {
    const client = world.connect()
    const slow = client.query('select pg_sleep(1)')
    const started = performance.now()
    for (let index = 0; index < 100; index++) await client.query('select $1::int as quick', [index])
    expect(performance.now() - started).toBeLessThan(900)
    await slow
  })

  it('gives a session back as it was', async () => {
    const client = world.connect({}, { connectionsMax: 2 })
    const [timeout] = await seen(client, 'show statement_timeout')
    for (let index = 0; index < 3; index++) {
      const session = await client.session()
      await session.query("set statement_timeout = '77s'")
      await session.query('create temp table mine (a int)')
      await session.query('begin')
      await session.lock(index)
      expect((await session.query('show statement_timeout'))[0]).toEqual({ statement_timeout: '77s' })
      await session.close()
    }
    expect(await seen(client, 'show statement_timeout')).toEqual(new Set([timeout]))
    const next = await client.session()
    expect((await next.query('show statement_timeout'))[0]).toEqual({ statement_timeout: timeout })
    expect((await next.query("select to_regclass('mine') as mine"))[0]).toEqual({ mine: null })
    expect(await next.tryLock(0)).toBe(true)
    await next.close()
  })

  it('survives a copy that was slipped through as a statement', async () => {
    const client = world.connect({}, few)
    await client.query('create table if not exists slipped (a int)')
    const session = await client.session()
    await expect(session.simple('copy slipped from stdin')).rejects.toMatchObject({ code: 'REFUSED' })
    await session.close()
    await expect(client.query('do $$ begin execute $q$copy slipped from stdin$q$; end $$')).rejects.toThrow()
    expect(await seen(client, 'select 1::int')).toEqual(new Set([1]))
  })
})

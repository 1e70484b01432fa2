/** What one caller does must not be felt by another: everything that leaves state behind, through the real kernel. */
import type { MysqlClient, MysqlError } from '@iokernel/mysql'
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

/** More calls than there are connections, so that the one that was used before is among them. */
const CALLS = 40

/** What the callers after it see, each of them. */
async function seen(client: MysqlClient, text: string): Promise<Set<unknown>> {
  const found = new Set<unknown>()
  for (let turn = 0; turn < 2; turn++) {
    const results = await Promise.all(Array.from({ length: CALLS }, () => client.query(text, [], { rows: 'arrays' })))
    for (const rows of results) found.add((rows[0] as unknown as unknown[])[0])
  }
  return found
}

inEveryMode('sharing', { databases: ['shop', 'other'] }, (world) => {
  const few = { connectionsMax: 3 }

  it('refuses what the text shows, and says what to use', async () => {
    const client = world.connect({}, few)
    const refused: readonly (readonly [text: string, instead: RegExp])[] = [
      ['set @x = 1', /db\.session\(\)/],
      ['select @x := 1', /db\.session\(\)/],
      ['set names latin1', /db\.session\(\)/],
      ['SET autocommit = 0', /db\.session\(\)/],
      ['use other', /database\.table/],
      ['start transaction', /db\.transaction\(/],
      ['lock tables t write', /db\.session\(\)/],
      ['create temporary table t (a int)', /db\.session\(\)/],
      ["select get_lock('a', 1)", /db\.withLock\(\)/],
      ['select/**/`LAST_INSERT_ID`()', /insertId/],
      ['select found_rows()', /count\(\*\)/],
      ['select row_count()', /affectedRows/],
      ['show warnings', /warnings of the result/],
      ['select @@identity', /result/],
      ['/*!50000 set @x = 1 */', /db\.session\(\)/],
      ["load data local infile 'x' into table t", /loadLocal/],
    ]
    for (const [text, instead] of refused) {
      await expect(client.query(text)).rejects.toThrow(instead)
      await expect(client.simple(text)).rejects.toThrow(instead)
      await expect(client.simple(`select 1; ${text}`)).rejects.toMatchObject({ side: 'local', sent: 'no' })
    }
    await expect(client.simple('select 1; select 2')).rejects.toMatchObject({ code: 'SESSION_ONLY', sent: 'no' })
  })

  it('is not felt when a procedure or a function of the user sets, locks, and makes temporary tables', async () => {
    const client = world.connect({}, few)
    await client.query('create table if not exists ids (id int auto_increment primary key, a int)')
    await client.query(`create or replace procedure pollute() begin
        set @tenant = 7; set sql_mode = ''; set time_zone = '+05:00'; do get_lock('mine', 0);
        create temporary table if not exists left_behind (a int);
        insert into ids (a) values (1); start transaction; insert into ids (a) values (2);
      end`)
    await client.query(`create or replace function sly() returns int begin
        set @tenant = 8; do get_lock('sly', 0); return 1;
      end`)
    await client.query(`create or replace function peek() returns varchar(100) return concat_ws('|',
        ifnull(@tenant, 'none'), last_insert_id(), @@sql_mode = '', is_used_lock('mine') is null,
        is_used_lock('sly') is null)`)
    const zone = await seen(client, 'select @@time_zone')
    const clean = 'none|0|0|1|1'
    for (let index = 0; index < 4; index++) {
      await expect(client.query('call pollute()')).rejects.toMatchObject({ code: 'TRANSACTION_LEFT_OPEN' })
      await client.query('select sly()')
      expect((await client.query('insert into ids (a) values (3)')).insertId).toBeGreaterThan(0)
      expect(await seen(client, 'select peek()')).toEqual(new Set([clean]))
    }
    expect(await seen(client, 'select @@time_zone')).toEqual(zone)
    expect(await seen(client, 'select count(*) from ids where a = 2')).toEqual(new Set([0]))
    await expect(client.query('select * from left_behind')).rejects.toMatchObject({ code: '1146' })
    expect(await seen(client, 'select is_free_lock("mine") + is_free_lock("sly")')).toEqual(new Set([2]))
  })

  it('gives a session back as it was', async () => {
    const client = world.connect({}, { connectionsMax: 2 })
    await client.query('create table if not exists kept (id int auto_increment primary key, a varchar(10))')
    for (let index = 0; index < 3; index++) {
      const session = await client.session()
      await session.query('set @secret = 1')
      await session.query('set sql_mode = "ANSI_QUOTES"')
      await session.query('use other')
      await session.query('create temporary table mine (a int)')
      await session.query('insert into shop.kept (a) values (?)', ['x'])
      await session.query('set names latin1')
      await session.query('set transaction isolation level serializable')
      await session.query("prepare s from 'select 1'")
      await session.lock('a lock')
      await session.simple('select sql_calc_found_rows seq from seq_1_to_10 limit 1')
      await session.simple('select 1 + "x"').catch(() => undefined)
      await session.query('start transaction')
      await session.query('insert into shop.kept (a) values (?)', ['open'])
      expect((await session.query('select database() as d, @secret as s'))[0]).toEqual({ d: 'other', s: 1 })
      await session.close()
    }
    const next = await client.session()
    const [row] =
      await next.query(`select database() as d, @secret as s, last_insert_id() as i, @@sql_mode = 'ANSI_QUOTES' as m,
      @@character_set_client as c, is_free_lock('a lock') as l, @@in_transaction as t, @@autocommit as a`)
    expect(row).toEqual({ d: 'shop', s: null, i: 0, m: 0, c: 'utf8mb4', l: 1, t: 0, a: 1 })
    expect(await next.query('show warnings')).toEqual([])
    await expect(next.query('select * from mine')).rejects.toMatchObject({ code: '1146' })
    await expect(next.query('execute s')).rejects.toMatchObject({ code: '1243' })
    await next.close()
    expect(await seen(client, 'select count(*) from kept where a = "open"')).toEqual(new Set([0]))
    expect(await seen(client, 'select database()')).toEqual(new Set(['shop']))
    expect(await seen(client, 'select @@character_set_client')).toEqual(new Set(['utf8mb4']))
  })

  it('is found when a function is vouched for and pollutes all the same, and the lane is replaced', async () => {
    const client = world.connect({ trustedFunctions: ['liar'] }, { ...few, auditIntervalMs: 50 })
    await client.query('create or replace function liar() returns int begin set @left = 1; return 5; end')
    const found: string[] = []
    using _ = client.onPolluted((pollution) => found.push(pollution.found))
    await client.query('select liar()')
    await until(() => found.length > 0)
    expect(found[0]).toMatch(/variable|changed/)
    expect(found[0]).not.toContain('left')
  })

  it('gives each of many callers their own rows while others fail', async () => {
    const client = world.connect({}, few)
    await client.query('create table if not exists uniq (id int primary key)')
    await client.query('insert ignore into uniq values (1)')
    const calls = Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0
        ? client.query(`select ${index} from nowhere${index % 2}`).then(
            () => 'answered',
            (error: MysqlError) => error.code,
          )
        : client.query('select ? as own', [index]).then((rows) => rows[0]?.['own']),
    )
    for (const [index, result] of (await Promise.all(calls)).entries()) {
      expect(result).toBe(index % 3 === 0 ? '1146' : index)
    }
  })

  it('gives each of many who insert at once the number of their own row', async () => {
    const client = world.connect({}, few)
    await client.query('create table if not exists numbered (id bigint unsigned auto_increment primary key, own int)')
    const made = await Promise.all(
      Array.from({ length: 200 }, async (_, own) => {
        const { insertId, affectedRows } = await client.query('insert into numbered (own) values (?)', [own])
        expect(affectedRows).toBe(1)
        return [insertId, own] as const
      }),
    )
    for (const [id, own] of made) {
      expect(await client.query('select own from numbered where id = ?', [id])).toEqual([{ own }])
    }
    await client.query('truncate numbered')
  })

  it('leaves a slow statement alone on its connection', async () => {
    const client = world.connect()
    const slow = client.query('select sleep(1)')
    const started = performance.now()
    for (let index = 0; index < 100; index++) await client.query('select ? as quick', [index])
    expect(performance.now() - started).toBeLessThan(900)
    await slow
  })

  it('does not let an application leave a transaction open on a lane, whatever its statement hides', async () => {
    const client = world.connect({ trustedFunctions: ['*'] }, few)
    await client.query('create table if not exists hidden (a int)')
    await client.query(
      'create or replace procedure opens() begin start transaction; insert into hidden values (1); end',
    )
    await client.query('call opens()').catch(() => undefined)
    expect(await seen(client, 'select @@in_transaction')).toEqual(new Set([0]))
    expect(await seen(client, 'select count(*) from hidden')).toEqual(new Set([0]))
  })
})

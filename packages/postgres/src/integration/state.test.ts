/** What a connection keeps, and what it must not: statements, settings, locks, notifications. With real servers. */

import { FrameFlag } from '@iokernel/core/plugin'
import type { Live, LiveReply } from '@iokernel/core/testing'
import { type PostgresServer, startPostgres } from '@iokernel/servers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLive } from '../../fixtures/live.ts'
import { query, u32, utf8 } from '../../fixtures/messages.ts'
import type { PostgresFacts } from '../codec/facts.ts'
import { RequestKind } from '../codec/request.ts'
import { type PostgresTarget, resolve } from '../resolve.ts'

let server: PostgresServer
const opened: Live[] = []

beforeAll(async () => {
  server = await startPostgres({ users: [{ name: 'teller', password: 'hunter2' }] })
})
afterAll(async () => {
  for (const live of opened) live.end()
  await server?.stop()
})

async function open(
  target: Partial<PostgresTarget> = {},
  purpose: 'lane' | 'session' | 'push' = 'lane',
): Promise<Live> {
  const live = await openLive(resolve({ url: server.url, sslMode: 'disable', ...target }, {}), { purpose })
  opened.push(live)
  return live
}

const plain = (live: Live, text: string): Promise<LiveReply> =>
  live.request(Buffer.from(query(utf8(text)), 'latin1'), RequestKind.Plain)
const audited = (live: Live): Promise<string | undefined> => live.run(live.connection.audit?.() as never)
const resetOf = (live: Live): Promise<void> => live.run(live.connection.reset?.() as never)

/** A `Prepared` request without values. The hash is the test's: equal ones must not matter. */
function prepared(live: Live, text: string, hash = hashOf(text)): Promise<LiveReply> {
  const statement = `${text}\0\0\0`
  const payload = Buffer.from(`${u32(hash)}${u32(statement.length)}${statement}\0\0\0\0\0\0`, 'latin1')
  return live.request(payload, RequestKind.Prepared)
}

function hashOf(text: string): number {
  return [...text].reduce((hash, char) => (hash * 31 + char.charCodeAt(0)) >>> 0, 7)
}

async function namesOf(live: Live): Promise<string[]> {
  const { bytes } = await plain(live, "SELECT string_agg(name, ',' ORDER BY name) FROM pg_prepared_statements")
  return bytes.toString('latin1').match(/iok\d+/g) ?? []
}

/** Types of messages, in order. */
function types({ bytes }: LiveReply): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt32BE(at + 1))
    text += String.fromCharCode(bytes[at] as number)
  return text
}

describe('statements', () => {
  it('are parsed once, also when a hundred are on their way', async () => {
    const live = await open()
    const replies = await Promise.all(Array.from({ length: 100 }, () => prepared(live, 'SELECT 1')))
    expect(replies.map(types)).toEqual(['12TDCZ', ...Array.from({ length: 99 }, () => '2TDCZ')])
    expect(await namesOf(live)).toEqual(['iok1'])
  })

  it('that cannot be parsed fail for all who asked, and can be asked again once they can', async () => {
    const live = await open()
    const text = 'SELECT * FROM later'
    const replies = await Promise.all(Array.from({ length: 100 }, () => prepared(live, text)))
    expect(types(replies[0] as LiveReply)).toBe('EZ')
    expect(replies[0]?.verdict).toBe('call')
    expect(replies.slice(1).every(({ verdict }) => verdict === 'stale')).toBe(true)
    // Sent again, each gets an error of its own.
    const again = await Promise.all(Array.from({ length: 99 }, () => prepared(live, text)))
    for (const reply of again) expect([reply.verdict, reply.bytes.includes('C42P01')]).toEqual(['call', true])
    await plain(live, 'CREATE TABLE later (i int)')
    expect(types(await prepared(live, text))).toBe('12TCZ')
    expect(types(await prepared(live, text))).toBe('12TCZ')
    expect(types(await prepared(live, text))).toBe('2TCZ')
  })

  it('are parsed again when the table behind them has changed', async () => {
    const live = await open()
    await plain(live, 'CREATE TABLE changing (i int)')
    const text = 'SELECT * FROM changing'
    await prepared(live, text)
    await plain(live, 'ALTER TABLE changing ADD j int')
    const stale = await prepared(live, text)
    expect([types(stale), stale.verdict]).toEqual(['EZ', 'stale'])
    expect(types(await prepared(live, text))).toBe('312TCZ')
    expect(types(await prepared(live, text))).toBe('12TCZ')
    expect(await namesOf(live)).toEqual(['iok2'])
  })

  it('are parsed again when somebody has deallocated them', async () => {
    const live = await open()
    await prepared(live, 'SELECT 2')
    await plain(live, 'DEALLOCATE iok1')
    expect((await prepared(live, 'SELECT 2')).verdict).toBe('stale')
    for (const wanted of ['12TDCZ', '12TDCZ', '2TDCZ']) expect(types(await prepared(live, 'SELECT 2'))).toBe(wanted)
    await plain(live, 'DISCARD ALL')
    expect(types(await prepared(live, 'SELECT 2'))).toBe('12TDCZ')
  })

  it('that fail after they have begun are not called stale', async () => {
    const live = await open()
    await plain(live, "CREATE PROCEDURE missing() LANGUAGE plpgsql AS 'BEGIN EXECUTE ''EXECUTE nothing''; END'")
    const reply = await prepared(live, 'CALL missing()')
    expect([reply.bytes.includes('C26000'), reply.verdict]).toEqual([true, 'call'])
  })

  it('are told apart by their bytes where their hashes are equal', async () => {
    const live = await open()
    await prepared(live, 'SELECT 1', 5)
    const other = await prepared(live, 'SELECT 22', 5)
    expect([types(other), other.bytes.includes('22')]).toEqual(['12TDCZ', true])
    expect((await prepared(live, 'SELECT 1', 5)).bytes.includes('22')).toBe(false)
  })

  it('are closed when there are too many', async () => {
    const live = await open({ statementsMax: 2 })
    for (const text of ['SELECT 1', 'SELECT 2', 'SELECT 1', 'SELECT 3']) await prepared(live, text)
    expect(await namesOf(live)).toEqual(['iok1', 'iok3'])
    expect(types(await prepared(live, 'SELECT 2'))).toBe('312TDCZ')
  })

  it('have no name where the target says so', async () => {
    const live = await open({ prepare: false })
    for (let round = 0; round < 2; round++) expect(types(await prepared(live, 'SELECT 1'))).toBe('12TDCZ')
    expect(await namesOf(live)).toEqual([])
  })
})

describe('what a call leaves behind', () => {
  const left: readonly (readonly [found: string, statement: string])[] = [
    ['settings: search_path, statement_timeout', "SET search_path = public; SET statement_timeout = '10s'"],
    ['role: changed', 'SET ROLE teller'],
    ['advisory locks: 1', 'SELECT pg_advisory_lock(1)'],
    ['temporary objects: 1', 'CREATE TEMP TABLE t (i int)'],
    ['prepared statements: 1', 'PREPARE p AS SELECT 1'],
    ['cursors: 1', 'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT'],
    ['channels: 1', 'LISTEN news'],
    ['prepared statements: 1', "DO $$ BEGIN EXECUTE 'PREPARE hidden AS SELECT 1'; END $$"],
  ]

  it.each(left)('is found and removed: %s', async (found, statement) => {
    const live = await open()
    await prepared(live, 'SELECT 1')
    await plain(live, statement)
    expect(await audited(live)).toBe(found)
    await resetOf(live)
    expect(await audited(live)).toBeUndefined()
    expect((await prepared(live, 'SELECT 1')).verdict).toBeUndefined()
  })

  it('is removed all at once, and out of a transaction that is open or has failed', async () => {
    for (const end of ['BEGIN', 'BEGIN; SELECT 1/0']) {
      const live = await open()
      for (const [, statement] of left) await plain(live, statement)
      expect((await plain(live, end)).flags).toBe(FrameFlag.Final | FrameFlag.Dirty)
      await resetOf(live)
      expect(await audited(live)).toBeUndefined()
      expect((await plain(live, 'SELECT 1')).flags).toBe(FrameFlag.Final)
    }
  })

  it('keeps prepared statements where nobody has meddled with them', async () => {
    const live = await open()
    await prepared(live, 'SELECT 1')
    await plain(live, 'CREATE TEMP TABLE t (i int)')
    await resetOf(live)
    expect(types(await prepared(live, 'SELECT 1'))).toBe('2TDCZ')
  })

  it('a setting of the application and whom it pretends to be are removed', async () => {
    const live = await open()
    await plain(live, "SELECT set_config('app.tenant', 'secret', false)")
    await plain(live, 'SET SESSION AUTHORIZATION teller')
    await resetOf(live)
    const { bytes } = await plain(live, "SELECT current_setting('app.tenant', true), current_user, session_user")
    expect(bytes.includes('secret')).toBe(false)
    expect(bytes.includes('teller')).toBe(false)
  })

  it('a setting that no audit can see does not outlive one', async () => {
    const live = await open()
    await plain(live, "SELECT set_config('app.tenant', 'secret', false)")
    expect(await audited(live)).toBeUndefined()
    const { bytes } = await plain(live, "SELECT current_setting('app.tenant', true)")
    expect(bytes.includes('secret')).toBe(false)
  })

  it('a reported setting is known at the end of the call that changed it', async () => {
    const live = await open()
    expect((await plain(live, "SET TimeZone = 'Asia/Tokyo'")).flags).toBe(FrameFlag.Final | FrameFlag.Dirty)
    expect((await plain(live, "BEGIN; SET LOCAL TimeZone = 'Europe/Berlin'; COMMIT")).flags).toBe(FrameFlag.Final)
  })
})

describe('roles', () => {
  it('a server that is made to take no writes is no longer what was asked for', async () => {
    const writer = await open({ targetSessionAttrs: 'read-write' })
    const probe = () => writer.run(writer.connection.probe?.() as never)
    expect(await probe()).toEqual({ role: 'primary' })
    const admin = await open()
    await plain(admin, 'ALTER SYSTEM SET default_transaction_read_only = on')
    await plain(admin, 'SELECT pg_reload_conf()')
    await expect(untilItFails(probe)).rejects.toMatchObject({ code: 'ROLE' })
    await expect(open({ targetSessionAttrs: 'read-write' })).rejects.toMatchObject({ code: 'ROLE' })
    const reader = await open({ targetSessionAttrs: 'read-only' })
    expect((await plain(reader, 'CREATE TABLE no (i int)')).verdict).toBe('call')
    expect((await plain(writer, 'CREATE TABLE no (i int)')).verdict).toBe('role-lost')
    await plain(admin, 'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only')
    await plain(admin, 'BEGIN READ WRITE; COMMIT')
    await plain(admin, 'SELECT pg_reload_conf()')
  })
})

describe('a replica', () => {
  it('is known as one, and is found out when it is promoted', async () => {
    const standby = await startPostgres({ standbyOf: server })
    const place = { url: standby.url }
    const replica = await open({ ...place, targetSessionAttrs: 'standby' })
    const any = await open(place)
    const role = (live: Live) => live.run(live.connection.probe?.() as never)
    expect([replica, any].map(({ facts }) => (facts as PostgresFacts).role)).toEqual(['replica', 'replica'])
    expect(await role(replica)).toEqual({ role: 'replica' })
    await expect(open({ ...place, targetSessionAttrs: 'primary' })).rejects.toMatchObject({ code: 'ROLE' })
    expect((await plain(any, 'CREATE TABLE no (i int)')).verdict).toBe('call')
    await standby.promote()
    expect(await role(any)).toEqual({ role: 'primary' })
    await expect(role(replica)).rejects.toMatchObject({ code: 'ROLE' })
    await standby.stop()
  })
})

describe('notifications', () => {
  it('go to their channel, whatever its name', async () => {
    const push = await open({}, 'push')
    const names = ['news', 'Upper "and" quotes', 'grün; DROP', 'x'.repeat(63)]
    push.write((out) => {
      for (const name of names) push.connection.subscribe?.(name, out)
    })
    await until(() => push.strays.length === names.length)
    const sender = await open()
    for (const name of names) await plain(sender, `SELECT pg_notify('${name}', 'hello')`)
    await until(() => push.pushes.length === names.length)
    const routes = push.pushes.map((bytes) => push.connection.route?.(bytes, 0, bytes.length))
    expect(routes).toEqual(names.map((key) => ({ key, kind: 'message' })))
    push.write((out) => push.connection.unsubscribe?.('news', out))
    await until(() => push.pushes.length === names.length + 1)
  })
})

async function untilItFails(probe: () => Promise<unknown>): Promise<never> {
  for (;;) await probe()
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** MySQL through the whole kernel, played from its specification: none can be had here. */
import { createKernel, type Kernel } from '@iokernel/core'
import { mysql } from '@iokernel/mysql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ScriptedMysql, type ScriptedOptions } from '../../fixtures/scripted.ts'

const PASSWORD = 'hunter2'
const OLD: ScriptedOptions = { version: '5.7.44-log', plugin: 'mysql_native_password', password: PASSWORD }
const NEW: ScriptedOptions = { version: '8.0.36', plugin: 'caching_sha2_password', password: PASSWORD }

describe.each(['worker', 'inline'] as const)('%s', (thread) => {
  let kernel: Kernel
  beforeAll(async () => {
    kernel = await createKernel({ protocols: [mysql], thread, logger: () => undefined })
  })
  afterAll(() => kernel.close({ deadlineMs: 1000 }))

  const target = (server: ScriptedMysql, more: object = {}) => ({
    host: '127.0.0.1',
    port: server.port,
    user: 'app',
    password: PASSWORD,
    database: 'shop',
    sslMode: 'disable' as const,
    ...more,
  })

  test.each([
    ['5.7, mysql_native_password', OLD, {}],
    ['5.7, sha256_password', { ...OLD, plugin: 'sha256_password' }, { allowPublicKeyRetrieval: true }],
    ['8.0, remembered', { ...NEW, remembers: true }, {}],
    ['8.4, not remembered', { ...NEW, version: '8.4.3' }, { allowPublicKeyRetrieval: true }],
    ['9.1, not remembered', { ...NEW, version: '9.1.0' }, { allowPublicKeyRetrieval: true }],
  ] as const)('%s: logins, text and prepared statements', async (_what, options, more) => {
    const server = await ScriptedMysql.start(options)
    const db = kernel.connect(mysql, target(server, more))
    expect([...(await db.query('SELECT ? + 1', ['x']))]).toEqual([{ asked: 'SELECT ? + 1' }])
    expect([...((await db.simple("SELECT 'text'"))[0] ?? [])]).toEqual([{ asked: "SELECT 'text'" }])
    await db.close()
    await server.stop()
  })

  test('a password is not sealed for whoever answers, unless the target says so', async () => {
    const server = await ScriptedMysql.start(NEW)
    const db = kernel.connect(mysql, target(server))
    await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'AUTHENTICATION' })
    await db.close()
    await server.stop()
  })

  test('one command at a time on each connection, however many ask', async () => {
    const server = await ScriptedMysql.start({ ...NEW, remembers: true })
    const db = kernel.connect(mysql, target(server), { connectionsMax: 3 })
    const asked = await Promise.all(Array.from({ length: 300 }, (_, index) => db.query(`SELECT ? + ${index % 3}`, [1])))
    expect(asked.map(([row]) => row)).toEqual(asked.map((_, index) => ({ asked: `SELECT ? + ${index % 3}` })))
    expect(server.overlaps).toBe(0)
    // The monitor is a connection of its own.
    expect(server.logins).toBeLessThanOrEqual(4)
    expect(server.prepared).toBeLessThanOrEqual(9)
    await db.close()
    await server.stop()
  })

  test('a session is reset before it is lent again, and prepares anew', async () => {
    const server = await ScriptedMysql.start({ ...NEW, remembers: true })
    const db = kernel.connect(mysql, target(server), { connectionsMax: 2 })
    for (let round = 0; round < 3; round++) {
      await using session = await db.session()
      expect([...(await session.query('SELECT ?', [round]))]).toEqual([{ asked: 'SELECT ?' }])
    }
    expect(server.prepared).toBe(3)
    expect(server.overlaps).toBe(0)
    await db.close()
    await server.stop()
  })
})

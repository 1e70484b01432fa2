/** Every way to a server, through the real kernel: encrypted, over a socket, one of several, as whoever. */
import type { PostgresTarget } from '@iokernel/postgres'
import { describe, expect, it } from 'vitest'
import { inEveryMode, type World } from '../../fixtures/world.ts'

const USER = { name: 'ada', password: 'hunter2' }
const ENCRYPTED = 'SELECT ssl, current_user AS user FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

describe.each(['system', 18] as const)('PostgreSQL %s', (version) => {
  inEveryMode('connecting', { version, tls: true, users: [USER], databases: [USER.name] }, (world) => {
    const ways: readonly (readonly [title: string, target: (world: World) => PostgresTarget, row: object])[] = [
      ['as the server likes it', () => ({}), { ssl: true, user: 'postgres' }],
      ['in the clear', () => ({ sslMode: 'disable' }), { ssl: false, user: 'postgres' }],
      ['with its certificate checked', () => ({ url: verified() }), { ssl: true, user: 'postgres' }],
      ['with a password that is bound to TLS', () => ada({ url: verified() }), { ssl: true, user: 'ada' }],
      ['over its socket', () => socket(), { ssl: false, user: 'postgres' }],
      ['as one of two', () => ({ url: both() }), { ssl: true, user: 'postgres' }],
      ['where it takes writes', () => ({ targetSessionAttrs: 'read-write' }), { ssl: true, user: 'postgres' }],
      ['in the newest version', () => ({ protocolVersion: 'latest' }), { ssl: true, user: 'postgres' }],
    ]

    it.each(ways)('%s', async (_, target, row) => {
      const client = world.connect(target(world))
      expect([...(await client.query(ENCRYPTED))]).toEqual([row])
      await client.close()
    })

    it('with TLS from the first byte, where the server can', async () => {
      const { ca } = world.server.tls as NonNullable<typeof world.server.tls>
      const target = ada({ host: 'localhost', port: world.server.port, tls: { ca, mode: 'direct' } })
      const client = world.connect(target)
      const answer = client.query(ENCRYPTED, [], { deadlineMs: 2000 })
      if (world.server.major < 17) await expect(answer).rejects.toThrow()
      else expect([...(await answer)]).toEqual([{ ssl: true, user: 'ada' }])
      await client.close()
    })

    it('is refused at once, and by name, where it will not do', async () => {
      const wrong = world.connect({ ...ada({}), password: 'wrong' })
      await expect(wrong.query('SELECT 1')).rejects.toMatchObject({ code: '28P01', sent: 'no' })
      await wrong.close()
      const nowhere = world.connect({ database: 'nowhere' })
      await expect(nowhere.query('SELECT 1')).rejects.toMatchObject({ code: '3D000', sent: 'no' })
      await nowhere.close()
      const unknown = world.connect({ url: verified().replace('localhost', '127.0.0.1'), tls: { servername: 'other' } })
      await expect(unknown.query('SELECT 1', [], { deadlineMs: 2000 })).rejects.toThrow()
      await unknown.close()
    })

    it('waits where there is no server of the role that is asked for', async () => {
      const client = world.connect({ targetSessionAttrs: 'standby' })
      await expect(client.query('SELECT 1', [], { deadlineMs: 300 })).rejects.toMatchObject({ code: 'DEADLINE' })
      await client.close()
    })

    it('cancels what a session was asked for and is not waited for any more', async () => {
      for (const sslMode of ['disable', 'require'] as const) {
        const client = world.connect({ sslMode })
        const session = await client.session()
        const giveUp = new AbortController()
        const sleeping = session.query('SELECT pg_sleep(60)', [], { signal: giveUp.signal })
        setTimeout(() => giveUp.abort(), 50)
        await expect(sleeping).rejects.toMatchObject({ code: 'ABORTED' })
        expect([...(await session.query('SELECT 5 AS five'))]).toEqual([{ five: 5 }])
        await session.close()
        await client.close()
      }
    })

    function verified(): string {
      const { tls } = world.server
      if (tls === undefined) throw new Error('the server was started with TLS')
      return tls.url.replace('127.0.0.1', 'localhost')
    }

    function socket(): PostgresTarget {
      return { host: world.server.socketFolder as string, port: world.server.port, user: 'postgres' }
    }

    function ada(target: PostgresTarget): PostgresTarget {
      return { ...target, user: USER.name, password: USER.password, database: USER.name, channelBinding: 'require' }
    }

    /** The first of them is nobody's port. */
    function both(): string {
      return `postgres://postgres@127.0.0.1:1,127.0.0.1:${world.server.port}/postgres`
    }
  })
})

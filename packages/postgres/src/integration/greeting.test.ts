/** Handshakes with real servers: every way in that a server offers, and those that are closed. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RefusedError } from '@iokernel/core/plugin'
import type { Live } from '@iokernel/core/testing'
import { type PostgresServer, type PostgresVersion, startPostgres } from '@iokernel/servers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLive } from '../../fixtures/live.ts'
import { query } from '../../fixtures/messages.ts'
import type { PostgresFacts } from '../codec/facts.ts'
import { RequestKind } from '../codec/request.ts'
import { type PostgresTarget, resolve } from '../resolve.ts'

/** SASLprep makes of it `IX pä55`: a Roman nine, a soft hyphen and a space of another width. */
const ODD = '\u2168 p\u00ad\u00e455'
const USERS = [
  { name: 'ada', password: 'hunter2' },
  { name: 'odd', password: ODD },
  { name: 'old', password: 'hunter2', encryption: 'md5' },
  { name: 'ada_clear', password: 'hunter2' },
  { name: 'ada_cert', password: 'never asked for' },
  // As the certificates of the tests call their owner.
  { name: 'iokernel test client', password: 'never asked for' },
] as const
/** In clear text, by certificate, and not at all. */
const HBA = [
  'host all ada_clear 127.0.0.1/32 password',
  'hostssl all ada_cert 127.0.0.1/32 cert',
  'hostssl all "iokernel test client" 127.0.0.1/32 cert',
  'hostnossl all nobody 127.0.0.1/32 reject',
]

describe.each(['system', 17, 18] satisfies PostgresVersion[])('PostgreSQL %s', (version) => {
  let server: PostgresServer
  const open = async (target: Partial<PostgresTarget> = {}): Promise<Live> => {
    const live = await openLive(resolve({ host: '127.0.0.1', port: server.port, user: 'postgres', ...target }, {}))
    opened.push(live)
    return live
  }
  const opened: Live[] = []

  beforeAll(async () => {
    server = await startPostgres({
      version,
      tls: true,
      databases: ['shop', ...USERS.map(({ name }) => name)],
      users: USERS,
      hbaLines: HBA,
    })
  })
  afterAll(async () => {
    for (const live of opened) live.end()
    await server?.stop()
  })

  it('lets in who is trusted, in the clear, over TLS and over its socket', async () => {
    for (const target of [{ tls: false }, {}, { host: server.socketFolder as string }]) {
      const live = await open({ database: 'shop', ...target })
      const facts = live.facts as PostgresFacts
      expect(facts).toMatchObject({ role: 'primary', protocol: '3.0' })
      expect(facts.version.startsWith(String(server.major))).toBe(true)
      expect(facts.processId).toBeGreaterThan(0)
      expect(facts.parameters['application_name']).toBe('iokernel')
      expect(await rowsOf(live, 'SELECT current_database()')).toContain('shop')
    }
  })

  it('takes a password by SCRAM, bound to TLS where there is TLS', async () => {
    for (const target of [{ tls: false }, {}, { channelBinding: 'require' }] as const) {
      const live = await open({ user: 'ada', password: 'hunter2', ...target })
      expect(await rowsOf(live, 'SELECT current_user')).toContain('ada')
    }
  })

  it('takes a password that has to be prepared', async () => {
    await open({ user: 'odd', password: ODD })
    await open({ user: 'odd', password: 'IX p\u00e455' })
  })

  it('takes a password from a function, and from the password file', async () => {
    await open({ user: 'ada', password: async () => 'hunter2' })
    await open({ user: 'postgres', database: 'ada', password: () => ({ user: 'ada', password: 'hunter2' }) })
    const folder = await mkdtemp(join(tmpdir(), 'passfile-'))
    const passfile = join(folder, 'pgpass')
    await writeFile(passfile, `127.0.0.1:*:*:ada:hunter2\n`, { mode: 0o600 })
    await open({ user: 'ada', passfile })
    await rm(folder, { recursive: true })
    await refused({ user: 'ada', passfile }, 'NO_PASSWORD')
  })

  it('takes MD5 and clear text where they are allowed', async () => {
    await open({ user: 'old', password: 'hunter2' })
    await open({ user: 'ada_clear', password: 'hunter2' })
    await open({ user: 'ada_clear', password: 'hunter2', tls: false, requireAuth: ['password'] })
    await refused({ user: 'ada_clear', password: 'hunter2', tls: false }, 'AUTHENTICATION')
    await refused({ user: 'old', password: 'hunter2', requireAuth: ['!md5'] }, 'AUTHENTICATION')
    await refused({ user: 'old', password: 'hunter2', channelBinding: 'require' }, 'CHANNEL_BINDING')
    await refused({ requireAuth: ['scram-sha-256'] }, 'AUTHENTICATION')
    await refused({ channelBinding: 'require' }, 'CHANNEL_BINDING')
  })

  it('checks the certificate of the server', async () => {
    const { ca } = server.tls as NonNullable<PostgresServer['tls']>
    await open({ tls: { ca, servername: 'localhost' } })
    await expect(open({ tls: true })).rejects.toThrow(/self.signed|unable to (verify|get)/)
  })

  it('takes a certificate for who we are', async () => {
    const { ca, clientCert, clientKey } = server.tls as NonNullable<PostgresServer['tls']>
    const live = await open({ user: 'iokernel test client', tls: { ca, cert: clientCert, key: clientKey } })
    expect((live.facts as PostgresFacts).role).toBe('primary')
    await expect(open({ user: 'ada_cert', tls: { ca, cert: clientCert, key: clientKey } })).rejects.toMatchObject({
      // The certificate is for another name: the server has read it.
      code: '28000',
    })
    await refused({ user: 'ada_cert', tls: { ca } }, '28000')
  })

  it('refuses by a code that says whose fault it is, and without a name', async () => {
    await refused({ user: 'ada', password: 'wrong' }, '28P01')
    await refused({ user: 'ada' }, 'NO_PASSWORD')
    await refused({ database: 'nowhere' }, '3D000')
    await refused({ user: 'nobody', tls: false }, '28000')
    await refused({ parameters: { no_such_parameter: 'x' } }, '42704')
    await refused({ parameters: { statement_timeout: 'soon' } }, '22023')
  })

  it('sets what the target says from the start', async () => {
    const live = await open({ parameters: { statement_timeout: '1234ms' }, options: '-c work_mem=5MB' })
    expect(await rowsOf(live, 'SHOW statement_timeout')).toContain('1234ms')
    expect(await rowsOf(live, 'SHOW work_mem')).toContain('5MB')
    expect(await live.run(live.connection.audit?.() as never)).toBeUndefined()
    await live.run(live.connection.reset?.() as never)
    expect(await rowsOf(live, 'SHOW statement_timeout')).toContain('1234ms')
  })

  it('cancels what runs on another connection', async () => {
    for (const protocolVersion of ['3.0', 'latest'] as const) {
      const live = await open({ protocolVersion })
      const sleeping = live.request(buffer('SELECT pg_sleep(60)'), RequestKind.Plain)
      const resolved = resolve({ host: '127.0.0.1', port: server.port, user: 'postgres' }, {})
      const cancels = live.connection.cancel?.()
      // A cancel that comes first finds nothing to cancel.
      while (!(await rowsOf(await open(), RUNNING)).includes('running')) {}
      const cancelling = openLive(resolved, { purpose: 'cancel', cancels })
      await expect(cancelling).rejects.toThrow('closed the connection')
      expect((await sleeping).bytes.toString('latin1')).toContain('C57014')
    }
  })

  it('speaks the newest protocol there is', async () => {
    const live = await open({ protocolVersion: 'latest' })
    expect((live.facts as PostgresFacts).protocol).toBe(server.major >= 18 ? '3.2' : '3.0')
    const token = live.connection.cancel?.() as { key: Uint8Array } | undefined
    expect(token?.key.length).toBe(server.major >= 18 ? 32 : 4)
  })

  it('begins with TLS where the server can', async () => {
    const { ca } = server.tls as NonNullable<PostgresServer['tls']>
    const opening = open({ user: 'ada', password: 'hunter2', tls: { ca, mode: 'direct' }, channelBinding: 'require' })
    if (server.major < 17) await expect(opening).rejects.toThrow()
    else expect(await rowsOf(await opening, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).toContain('t')
  })

  async function refused(target: Partial<PostgresTarget>, code: string): Promise<void> {
    const error = await open(target).then(
      () => expect.unreachable('it was let in'),
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(RefusedError)
    expect(error).toMatchObject({ code, sent: 'no' })
    for (const secret of ['hunter2', 'ada', 'nowhere', 'nobody']) expect(String(error)).not.toContain(secret)
  }
})

const RUNNING = "SELECT 'run' || 'ning' FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"

function buffer(text: string): Buffer {
  return Buffer.from(query(text), 'latin1')
}

async function rowsOf(live: Live, text: string): Promise<string> {
  return (await live.request(buffer(text), RequestKind.Plain)).bytes.toString('latin1')
}

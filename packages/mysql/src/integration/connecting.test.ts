/** Every way to a server, through the real kernel: encrypted, over a socket, one of several, as whoever. */
import type { MysqlTarget } from '@iokernel/mysql'
import { expect, it } from 'vitest'
import { inEveryMode, type World } from '../../fixtures/world.ts'

const PASSWORD = 'sécret'
const USERS = [
  { name: 'native', password: PASSWORD },
  { name: 'signer', password: PASSWORD, plugin: 'ed25519' },
  { name: 'secure', password: PASSWORD, tls: 'required' },
  { name: 'known', password: PASSWORD, tls: 'certificate' },
] as const
const WHO = "SELECT substring_index(current_user(), '@', 1) AS user"

inEveryMode('connecting', { tls: true, users: [...USERS], databases: ['shop'] }, (world) => {
  const at = (user: string, more: MysqlTarget = {}): MysqlTarget => {
    const { host, port } = world.server
    return { host, port, user, password: PASSWORD, database: 'shop', ...more }
  }
  const checked = ({ server }: World): MysqlTarget => ({
    sslMode: 'verify-full',
    host: 'localhost',
    tls: { ca: server.tls?.ca ?? '' },
  })

  const ways: readonly (readonly [title: string, target: () => MysqlTarget, user: string, encrypted: boolean])[] = [
    ['as the server likes it', () => at('native', { tls: { rejectUnauthorized: false } }), 'native', true],
    ['in the clear', () => at('native', { sslMode: 'disable' }), 'native', false],
    ['with its certificate checked, and the name in it', () => at('native', checked(world)), 'native', true],
    ['by a signature, encrypted', () => at('signer', checked(world)), 'signer', true],
    ['by a signature, in the clear', () => at('signer', { sslMode: 'disable' }), 'signer', false],
    ['where TLS is required', () => at('secure', checked(world)), 'secure', true],
    ['where a certificate is required', () => at('known', withCertificate()), 'known', true],
    ['over its socket', () => socket('native'), 'native', false],
    ['as one of two, where nobody listens at the first', () => oneOfTwo(), 'native', false],
    ['with a password that is asked for', () => at('native', { sslMode: 'disable', password: ask }), 'native', false],
  ]

  it.each(ways)('%s', async (_, target, user, encrypted) => {
    const client = world.connect(target())
    const [cipher] = await client.query("SHOW STATUS LIKE 'Ssl_cipher'")
    expect(cipher?.['Value'] !== '').toBe(encrypted)
    expect([...(await client.query(WHO))]).toEqual([{ user }])
    await client.close()
  })

  it('is refused at once, and by name, where it will not do', async () => {
    const wrong = world.connect(at('native', { sslMode: 'disable', password: 'wrong' }))
    await expect(wrong.query('SELECT 1')).rejects.toMatchObject({ code: '1045', sent: 'no' })
    await wrong.close()
    const nowhere = world.connect(at('native', { sslMode: 'disable', database: 'nowhere' }))
    await expect(nowhere.query('SELECT 1')).rejects.toMatchObject({ sent: 'no' })
    await nowhere.close()
    const plain = world.connect(at('secure', { sslMode: 'disable' }))
    await expect(plain.query('SELECT 1')).rejects.toMatchObject({ sent: 'no' })
    await plain.close()
  })

  it('trusts no certificate that it was not told to trust, nor one for another name', async () => {
    for (const tls of [{}, { ca: world.server.tls?.ca ?? '', servername: 'other' }]) {
      const client = world.connect(at('native', { sslMode: 'verify-full', host: 'localhost', tls }))
      await expect(client.query('SELECT 1', [], { deadlineMs: 500 })).rejects.toMatchObject({ sent: 'no' })
      await client.close()
    }
  })

  function withCertificate(): MysqlTarget {
    const { ca = '', clientCert = '', clientKey = '' } = world.server.tls ?? {}
    return { ...checked(world), tls: { ca, cert: clientCert, key: clientKey } }
  }

  function socket(user: string): MysqlTarget {
    return { socket: world.server.socketPath as string, user, password: PASSWORD, database: 'shop' }
  }

  function oneOfTwo(): MysqlTarget {
    const { host, port } = world.server
    // Port 1 is nobody's here: refused at once.
    const hosts = [`${host}:1`, `${host}:${port}`]
    return { hosts, user: 'native', password: PASSWORD, database: 'shop', sslMode: 'disable' }
  }

  async function ask(): Promise<string> {
    return PASSWORD
  }
})

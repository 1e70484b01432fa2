/** What is written becomes what the kernel needs, and nothing is guessed, shown or ignored. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { LocalError, type Place } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { identityOf } from './handshake.ts'
import type { Environment } from './resolve/environment.ts'
import { passwordIn } from './resolve/passfile.ts'
import { type PostgresTarget, resolve } from './resolve.ts'

const of = (target: string | PostgresTarget, environment: Environment = {}) => resolve(target, environment)
const names = (target: string | PostgresTarget, environment: Environment = {}) => {
  const { name, io } = of(target, environment)
  return [name.discovery, name.target, io.user, io.database, io.password]
}

describe('a place', () => {
  it.each<[string, unknown[]]>([
    ['postgres://app@db', ['dns', 'db:5432', 'app', 'app', undefined]],
    ['postgresql://app:pw@db:6000/shop', ['dns', 'db:6000', 'app', 'shop', 'pw']],
    ['postgres://app@10.0.0.1/shop', ['static', '10.0.0.1:5432', 'app', 'shop', undefined]],
    ['postgres://app@[::1]:5433/shop', ['static', '[::1]:5433', 'app', 'shop', undefined]],
    ['postgres://app@h1:5432,h2:5433/shop', ['dns', 'h1:5432,h2:5433', 'app', 'shop', undefined]],
    ['postgres://app@h1,h2/shop?port=6000', ['dns', 'h1:6000,h2:6000', 'app', 'shop', undefined]],
    ['postgres://a%40b:p%3Aw%2F@db/my%20shop', ['dns', 'db:5432', 'a@b', 'my shop', 'p:w/']],
    ['postgres://app:p@w@db/shop', ['dns', 'db:5432', 'app', 'shop', 'p@w']],
    ['postgres:///shop?user=app', ['dns', 'localhost:5432', 'app', 'shop', undefined]],
    [
      'postgres://app@%2Fvar%2Frun%2Fpostgresql/shop',
      ['static', '/var/run/postgresql/.s.PGSQL.5432', 'app', 'shop', undefined],
    ],
    ['postgres://app@%2Ftmp:6000/shop', ['static', '/tmp/.s.PGSQL.6000', 'app', 'shop', undefined]],
    ['postgres://app@localhost/shop?host=/tmp/', ['static', '/tmp/.s.PGSQL.5432', 'app', 'shop', undefined]],
    ['postgres+etcd://app@cluster/main?dbname=shop', ['etcd', 'cluster/main', 'app', 'shop', undefined]],
  ])('%s', (url, wanted) => {
    expect(names(url)).toEqual(wanted)
  })

  it('may be an object, which wins over its url and over the environment', () => {
    const object = {
      url: 'postgres://app:old@db/shop',
      host: '10.0.0.2',
      port: 7000,
      password: 'new',
      database: 'other',
    }
    expect(names(object, { PGHOST: 'elsewhere' })).toEqual(['static', '10.0.0.2:7000', 'app', 'other', 'new'])
    expect(names({ hosts: ['a:1', '[::1]', '/tmp'], user: 'app' }).slice(0, 2)).toEqual([
      'dns',
      'a:1,[::1]:5432,/tmp/.s.PGSQL.5432',
    ])
  })

  it('comes from the environment where nothing says it', () => {
    const environment = { PGHOST: 'h', PGPORT: '6', PGUSER: 'u', PGDATABASE: 'd', PGPASSWORD: 'p', PGSSLMODE: '' }
    expect(names({}, environment)).toEqual(['dns', 'h:6', 'u', 'd', 'p'])
    expect(names('postgres://app@db:5433/shop', environment)).toEqual(['dns', 'db:5433', 'app', 'shop', 'p'])
    const { io, tls } = of(
      {},
      { PGAPPNAME: 'a', PGOPTIONS: '-c x=1', PGTARGETSESSIONATTRS: 'standby', PGSSLMODE: 'disable' },
    )
    expect([io.parameters['application_name'], io.parameters['options']]).toEqual(['a', '-c x=1'])
    expect([io.targetSessionAttrs, io.sslMode, tls]).toEqual(['standby', 'disable', undefined])
  })

  it('is the account of the process on localhost where nobody says anything', () => {
    const { username } = userInfo()
    expect(names({})).toEqual(['dns', 'localhost:5432', username, username, undefined])
  })
})

describe('encryption', () => {
  const tls = (query: string) => of(`postgres://app@db/x?${query}`).tls
  it('follows sslmode', () => {
    expect(tls('')).toEqual({ rejectUnauthorized: false, mode: 'negotiated' })
    expect(tls('sslmode=require')).toEqual({ rejectUnauthorized: false, mode: 'negotiated' })
    expect(tls('ssl=true')).toEqual({ rejectUnauthorized: false, mode: 'negotiated' })
    expect(tls('sslmode=verify-ca')).toEqual({ rejectUnauthorized: true, verifyName: false, mode: 'negotiated' })
    expect(tls('sslmode=verify-full')).toEqual({ rejectUnauthorized: true, mode: 'negotiated' })
    expect(tls('sslrootcert=system')).toEqual({ rejectUnauthorized: true, mode: 'negotiated' })
    expect(tls('sslmode=disable')).toBeUndefined()
    expect(of('postgres://app@%2Ftmp/x?sslmode=verify-full').tls).toBeUndefined()
  })

  it('may begin at once, and then insists on its name in ALPN', () => {
    expect(tls('sslmode=verify-full&sslnegotiation=direct')).toEqual({
      rejectUnauthorized: true,
      alpnProtocols: ['postgresql'],
      alpnRequired: true,
      mode: 'direct',
    })
  })

  it('is told by an object as node:tls is', () => {
    const given = { host: 'db', user: 'app', tls: { ca: 'PEM', servername: 'other' } }
    expect(of(given).tls).toEqual({ rejectUnauthorized: true, ca: 'PEM', servername: 'other', mode: 'negotiated' })
    expect(of(given).io.sslMode).toBe('verify-full')
    expect(of({ ...given, tls: { rejectUnauthorized: false } }).io.sslMode).toBe('require')
    expect(of({ ...given, tls: { verifyName: false } }).io.sslMode).toBe('verify-ca')
    expect(of({ ...given, tls: false }).tls).toBeUndefined()
  })

  it('reads the files that are named, and makes the authority of `require` count', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'resolve-'))
    const file = join(folder, 'root.crt')
    await writeFile(file, 'PEM')
    expect(tls(`sslmode=require&sslrootcert=${encodeURIComponent(file)}`)).toEqual({
      rejectUnauthorized: true,
      verifyName: false,
      ca: 'PEM',
      mode: 'negotiated',
    })
    await rm(folder, { recursive: true })
    expect(() => tls(`sslrootcert=${encodeURIComponent(file)}`)).toThrow('ENOENT')
  })
})

it('connect_timeout is in seconds, for connecting and for the handshake; 0 says nothing', () => {
  const limits = { connectTimeoutMs: 5_000, handshakeTimeoutMs: 5_000 }
  expect(resolve('postgres://a?connect_timeout=5', {}).limits).toEqual(limits)
  expect(resolve('postgres://a', { PGCONNECT_TIMEOUT: '5' }).limits).toEqual(limits)
  expect(resolve('postgres://a?connect_timeout=0', {}).limits).toBeUndefined()
})

describe('what is refused', () => {
  it.each([
    ['postgres://a?application=x', 'application'],
    ['postgres://a?connect_timeout=soon', 'seconds'],
    ['postgres://a?search_path=x', 'options=-c%20name=value'],
    ['postgres://a?sslmode=yes', 'sslmode'],
    ['postgres://a?sslmode=prefer&sslnegotiation=direct', 'sslnegotiation'],
    ['postgres://a?sslcert=/x', 'sslkey'],
    ['postgres://a?sslsni=0', 'sslsni'],
    ['postgres://a?client_encoding=LATIN1', 'UTF8'],
    ['postgres://a?gssencmode=require', 'GSS'],
    ['postgres://a?require_auth=md5,!none', 'require_auth'],
    ['postgres://a?require_auth=magic', 'require_auth'],
    ['postgres://a?target_session_attrs=master', 'target_session_attrs'],
    ['postgres://a?max_protocol_version=2.0', 'max_protocol_version'],
    ['postgres://a:99999', 'port'],
    ['postgres://a:b', 'host'],
    ['postgres://a#b', 'fragment'],
    ['postgres://%zz', 'percent'],
    ['mysql://a', 'scheme'],
    ['a', 'URL'],
  ])('%s', (url, hint) => {
    expect(() => of(url)).toThrow(LocalError)
    expect(() => of(url)).toThrow(hint)
  })

  it.each<[object, string]>([
    [{ hots: 'a' }, 'hots'],
    [{ host: 'a', hosts: ['b'] }, 'one place'],
    [{ host: 'a', discovery: { name: 'x', target: 'y' } }, 'one place'],
    [{ discovery: { name: 'x' } }, 'target'],
    [{ port: 0 }, 'port'],
    [{ parameters: { client_encoding: 'LATIN1' } }, 'client_encoding'],
    [{ parameters: { statement_timeout: 5 } }, 'statement_timeout'],
    [{ user: 'a\0b' }, 'NUL'],
    [{ tls: { alpnProtocols: ['h2'] } }, 'alpnProtocols'],
    [{ statementsMax: 1_000_000 }, 'statementsMax'],
    [{ limits: { frameBytes: 1 } }, 'frameBytes'],
    [{ password: 5 }, 'password'],
  ])('%j', (target, hint) => {
    expect(() => of(target as PostgresTarget)).toThrow(LocalError)
    expect(() => of(target as PostgresTarget)).toThrow(hint)
  })

  it('is said without the password', () => {
    for (const url of [
      'postgres://app:hunter2@a:b',
      'postgres://app:hunter2@a?x=1',
      'postgres://app:hunter2@/x#y',
      'postgres://app:hunter2/x@a',
    ]) {
      expect(() => of(url)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hunter2') }))
    }
  })
})

describe('an upstream', () => {
  it('is shared by targets that come to the same, and by no others', () => {
    const key = (target: string | PostgresTarget) => of(target).upstreamKey
    const same = key('postgres://app:pw@db/shop')
    expect(key({ host: 'db', user: 'app', password: 'pw', database: 'shop' })).toBe(same)
    for (const other of ['postgres://app:px@db/shop', 'postgres://app:pw@db/shop?sslmode=require']) {
      expect(key(other)).not.toBe(same)
    }
    const asking = async () => 'pw'
    expect(key({ host: 'db', password: asking })).toBe(key({ host: 'db', password: asking }))
    expect(key({ host: 'db', password: asking })).not.toBe(key({ host: 'db', password: async () => 'pw' }))
    expect(same).not.toContain('pw"')
  })

  it('is named without a user', () => {
    expect(of('postgres://app:pw@h1,h2:1/shop').authority).toBe('postgres://h1:5432,h2:1/shop')
    expect(of('postgres://app:pw@%2Ftmp/shop').authority).toBe('postgres://%2Ftmp:5432/shop')
    expect(of('postgres+etcd://app:pw@cluster?dbname=shop').authority).toBe('postgres+etcd://cluster')
  })

  it('crosses the threads as it is', () => {
    for (const target of ['postgres://app@db/shop', { host: 'db', parameters: { statement_timeout: '5s' } }]) {
      const { io } = of(target)
      expect(deserialize(serialize(io))).toEqual(io)
    }
  })
})

describe('the password file', () => {
  const place = { host: 'db', port: 5432 }
  it.each([
    ['db:5432:shop:app:secret', 'secret'],
    ['# a comment\n\n*:*:*:*:any', 'any'],
    ['other:5432:shop:app:no\ndb:*:shop:app:first\ndb:*:*:*:second', 'first'],
    ['db:5432:shop:app:with:colons', 'with:colons'],
    ['db:5432:shop:app:with\\:escapes\\\\', 'with:escapes\\'],
    ['d\\b:5432:shop:app:secret', 'secret'],
    ['\\*:5432:shop:app:no', undefined],
    ['db:5433:shop:app:no', undefined],
    ['db:5432:shop', undefined],
    ['', undefined],
  ])('%j', (text, password) => {
    expect(passwordIn(text, place, 'shop', 'app')).toBe(password)
  })

  it('calls the socket of the default folder localhost', () => {
    const socket = { host: '/var/run/postgresql', port: 5432 }
    expect(passwordIn('localhost:*:*:*:secret', socket, 'shop', 'app')).toBe('secret')
    expect(passwordIn('/srv/sockets:*:*:*:secret', { ...socket, host: '/srv/sockets' }, 'shop', 'app')).toBe('secret')
  })

  it('is read anew each time, and not when others may read it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'passfile-'))
    const passfile = join(folder, 'pgpass')
    const { credentials } = of({ host: 'db', user: 'app', passfile })
    expect(await credentials?.()).toBeUndefined()
    await writeFile(passfile, 'db:*:*:*:one', { mode: 0o600 })
    expect(await credentials?.()).toEqual({ passwords: { 'db:5432': 'one', '*': 'one' } })
    await writeFile(passfile, 'db:*:*:*:two')
    expect(await credentials?.()).toEqual({ passwords: { 'db:5432': 'two', '*': 'two' } })
    await chmod(passfile, 0o644)
    expect(await credentials?.()).toBeUndefined()
    expect(of({ host: 'db', user: 'app', passfile, password: 'given' }).credentials).toBeUndefined()
    expect(of({ host: 'db', user: 'app' }, { HOME: folder }).credentials).toBeUndefined()
    await rm(folder, { recursive: true })
  })

  it('gives each host its own, and never the one of another', () => {
    const passwords = { 'a:5432': 'for a', 'b:5432': 'for b' }
    const at = (endpoint: Place['endpoint'], credentials: object = { passwords }) =>
      identityOf({ user: 'app', password: undefined }, { endpoint, credentials } as never).password
    expect(at({ id: '10.0.0.1:5432', host: '10.0.0.1', port: 5432, name: 'b' })).toBe('for b')
    expect(at({ id: '10.0.0.1:5432', host: '10.0.0.1', port: 5432, name: 'c' })).toBeUndefined()
    expect(at({ id: '10.0.0.1:5432', host: '10.0.0.1', port: 5432 })).toBeUndefined()
    expect(at({ id: '10.0.0.1:5432', host: '10.0.0.1', port: 5432 }, { passwords: { '*': 'all' } })).toBe('all')
    expect(
      at({ id: '/tmp/.s.PGSQL.1', host: '/tmp/.s.PGSQL.1', port: 0 }, { passwords: { '/tmp/.s.PGSQL.1': 's' } }),
    ).toBe('s')
  })
})

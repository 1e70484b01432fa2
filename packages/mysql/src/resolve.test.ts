/** What is written becomes what the kernel needs, and nothing is guessed, shown or ignored. */
import { userInfo } from 'node:os'
import { deserialize, serialize } from 'node:v8'
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import type { Environment } from './resolve/environment.ts'
import { type MysqlTarget, resolve } from './resolve.ts'

const of = (target: string | MysqlTarget, environment: Environment = {}) => resolve(target, environment)
const names = (target: string | MysqlTarget, environment: Environment = {}) => {
  const { name, io } = of(target, environment)
  return [name.discovery, name.target, io.user, io.database, io.password]
}

describe('a place', () => {
  it.each<[string, unknown[]]>([
    ['mysql://app@db', ['dns', 'db:3306', 'app', '', undefined]],
    ['mariadb://app:pw@db:6000/shop', ['dns', 'db:6000', 'app', 'shop', 'pw']],
    ['mysql://app@10.0.0.1/shop', ['static', '10.0.0.1:3306', 'app', 'shop', undefined]],
    ['mysql://app@[::1]:3307/shop', ['static', '[::1]:3307', 'app', 'shop', undefined]],
    ['mysql://app@h1:3306,h2:3307/shop', ['dns', 'h1:3306,h2:3307', 'app', 'shop', undefined]],
    ['mysql://a%40b:p%3Aw%2F@db/my%20shop', ['dns', 'db:3306', 'a@b', 'my shop', 'p:w/']],
    ['mysql://app:p@w@db/shop', ['dns', 'db:3306', 'app', 'shop', 'p@w']],
    ['mysql:///shop?user=app', ['dns', 'localhost:3306', 'app', 'shop', undefined]],
    ['mysql://app@%2Frun%2Fmysqld%2Fmysqld.sock/shop', ['static', '/run/mysqld/mysqld.sock', 'app', 'shop', undefined]],
    ['mysql://app@localhost/shop?socket=/tmp/my.sock', ['static', '/tmp/my.sock', 'app', 'shop', undefined]],
    ['mysql+etcd://app@cluster/main?database=shop', ['etcd', 'cluster/main', 'app', 'shop', undefined]],
  ])('%s', (url, wanted) => expect(names(url)).toEqual(wanted))

  it('may be an object, which wins over its url and over the environment', () => {
    const object = { url: 'mysql://app:old@db/shop', host: '10.0.0.2', port: 7000, password: 'new', database: 'other' }
    expect(names(object, { MYSQL_HOST: 'elsewhere' })).toEqual(['static', '10.0.0.2:7000', 'app', 'other', 'new'])
    expect(names({ hosts: ['a:1', '[::1]'], user: 'app' }).slice(0, 2)).toEqual(['dns', 'a:1,[::1]:3306'])
    expect(names({ socket: '/tmp/x', user: 'app' }).slice(0, 2)).toEqual(['static', '/tmp/x'])
  })

  it('comes from the environment where nothing says it', () => {
    const environment = { MYSQL_HOST: 'h', MYSQL_TCP_PORT: '6', MYSQL_PWD: 'p' }
    expect(names({}, environment)).toEqual(['dns', 'h:6', userInfo().username, '', 'p'])
    expect(names('mysql://app@db:3307/shop', environment)).toEqual(['dns', 'db:3307', 'app', 'shop', 'p'])
    expect(names('mysql://app@db', { MYSQL_UNIX_PORT: '/tmp/x' }).slice(0, 2)).toEqual(['dns', 'db:3306'])
    expect(names({ user: 'app' }, { MYSQL_UNIX_PORT: '/tmp/x' }).slice(0, 2)).toEqual(['static', '/tmp/x'])
    expect(names('mysql://app@db', { MYSQL_HOST: '' }).slice(0, 2)).toEqual(['dns', 'db:3306'])
  })

  it('has an authority that shows no password and no user', () => {
    expect(of('mysql://app:secret@db,h2:5/shop').authority).toBe('mysql://db:3306,h2:5/shop')
    expect(of('mysql://app:secret@%2Ftmp%2Fx/a%2Fb').authority).toBe('mysql://%2Ftmp%2Fx/a%2Fb')
  })
})

describe('encryption', () => {
  it.each<[string, string, object | undefined]>([
    ['', 'prefer', { rejectUnauthorized: false, mode: 'negotiated' }],
    ['?ssl-mode=DISABLED', 'disable', undefined],
    ['?sslmode=require', 'require', { rejectUnauthorized: false, mode: 'negotiated' }],
    ['?ssl_mode=VERIFY_CA', 'verify-ca', { rejectUnauthorized: true, verifyName: false, mode: 'negotiated' }],
    ['?sslMode=verify_identity', 'verify-full', { rejectUnauthorized: true, mode: 'negotiated' }],
    ['?sslmode=verify-full', 'verify-full', { rejectUnauthorized: true, mode: 'negotiated' }],
  ])('of %s', (options, mode, tls) => {
    const resolved = of(`mysql://app@db/x${options}`)
    expect([resolved.io.sslMode, resolved.tls]).toEqual([mode, tls])
  })

  it('of options is as strict as they are, and a unix socket needs none', () => {
    expect(of({ user: 'a', tls: true }).io.sslMode).toBe('verify-full')
    expect(of({ user: 'a', tls: { rejectUnauthorized: false } }).io.sslMode).toBe('require')
    expect(of({ user: 'a', tls: { verifyName: false } }).io.sslMode).toBe('verify-ca')
    expect(of({ user: 'a', tls: false }).tls).toBeUndefined()
    expect(of({ user: 'a', socket: '/tmp/x', tls: true }).tls).toBeUndefined()
  })
})

describe('options', () => {
  it('may be written as any client writes them', () => {
    const { io, app, limits } = of(
      'mysql://app@db?connect-timeout=5&allowPublicKeyRetrieval=true&found_rows=1&local-infile=on&charset=utf8mb4_bin' +
        '&timezone=%2B02:00&pipelining=never&target-role=primary&program_name=shop',
    )
    expect(io).toMatchObject({
      allowPublicKeyRetrieval: true,
      foundRows: true,
      localInfile: true,
      collation: 'utf8mb4_bin',
      pipelining: 'never',
      targetRole: 'primary',
      attributes: { program_name: 'shop' },
    })
    expect([app.zone, app.localInfile, limits]).toEqual([
      120,
      true,
      { connectTimeoutMs: 5000, handshakeTimeoutMs: 5000 },
    ])
    expect(of('mysql://app@db?timezone=Z').app.zone).toBe(0)
    expect(of('mysql://app@db?timezone=-03:30').app.zone).toBe(-210)
  })

  it('cross the threads as they are', () => {
    const { io } = of({ url: 'mysql://app:pw@db/shop', variables: { time_zone: '+00:00', sql_mode: '' } })
    expect(deserialize(serialize(io))).toEqual(io)
  })

  it.each<[string, string | object]>([
    ['no URL', 'db'],
    ['another scheme', 'postgres://db'],
    ['a fragment', 'mysql://app@db/x#y'],
    ['an unknown option', 'mysql://app@db?ssl=true'],
    ['an option of another client', 'mysql://app@db?multipleStatements=true'],
    ['a mode that is none', 'mysql://app@db?ssl-mode=sure'],
    ['a charset that is none of ours', 'mysql://app@db?charset=latin1'],
    ['a collation that is SQL', { collation: "utf8mb4_bin' --" }],
    ['a zone that is none', 'mysql://app@db?timezone=CET'],
    ['a port that is none', 'mysql://app@db:99999'],
    ['a host that is none', 'mysql://app@d b'],
    ['a slash that is not encoded in a password', 'mysql://app:hunter2/x@db'],
    ['two places', { host: 'a', socket: '/b' }],
    ['an unknown field', { pass: 'x' }],
    ['a field of a wrong type', { port: '3306' }],
    ['TLS at once', { tls: { mode: 'direct' } }],
    ['a type that is none', { types: { NUMBER: Number } }],
    ['a parser that is none', { types: { DECIMAL: 'Number' } }],
    ['a variable that is none', { variables: { 'a; drop': 1 } }],
    ['a variable that would undo a promise', { variables: { Autocommit: 0 } }],
    ['a certificate without its key', 'mysql://app@db?ssl-cert=/x'],
    ['a file that is not there', 'mysql://app@db?ssl-ca=/nowhere/ca.pem'],
    ['a NUL in a name', 'mysql://ap%00p@db'],
    ['too many statements', { statementsMax: 1_000_000 }],
    ['nothing for a discovery', 'mysql+etcd://'],
  ])('are refused by name: %s', (_, target) => {
    const secret =
      typeof target === 'string' ? target.replace('app@', 'app:hunter2@') : { password: 'hunter2', ...target }
    try {
      of(secret as MysqlTarget)
    } catch (error) {
      expect(error).toBeInstanceOf(LocalError)
      expect((error as LocalError).code).toBe('TARGET')
      expect(String((error as LocalError).message)).not.toContain('hunter2')
      return
    }
    throw new Error('it was taken')
  })
})

describe('an upstream', () => {
  it('is one where everything is equal, and another where anything is not', () => {
    const base: MysqlTarget = { url: 'mysql://app:pw@db/shop' }
    const key = (more: MysqlTarget = {}): string => of({ ...base, ...more }).upstreamKey
    expect(key()).toBe(key())
    const others: readonly MysqlTarget[] = [
      { host: 'other' },
      { port: 1 },
      { user: 'x' },
      { password: 'x' },
      { password: () => 'pw' },
      { database: 'x' },
      { tls: true },
      { variables: { sql_mode: '' } },
      { foundRows: true },
      { localInfile: true },
      { pipelining: 'never' },
      { targetRole: 'primary' },
    ]
    expect(new Set([key(), ...others.map(key)]).size).toBe(others.length + 1)
    expect(key()).not.toContain('pw')
    expect(key({ types: { DECIMAL: Number }, dates: 'strings', timezone: 'Z' })).toBe(key())
  })

  it('asks for a password where a function gives it', async () => {
    const { credentials } = of({ url: 'mysql://app@db', password: async () => ({ user: 'u', password: 'p' }) })
    expect(await credentials?.()).toEqual({ user: 'u', password: 'p' })
    const wrong = of({ url: 'mysql://app@db', password: (() => 5) as never })
    await expect(wrong.credentials?.()).rejects.toMatchObject({ code: 'TARGET' })
  })
})

/** What targets of every protocol have in common: URLs taken apart, places, credentials. */
import { describe, expect, it } from 'vitest'
import { LocalError } from '../plugin/errors.ts'
import type { Kind } from './options.ts'
import { must } from './options.ts'
import {
  addressOf,
  addressText,
  checkCredentials,
  checkTarget,
  directTls,
  discoveryIn,
  isSocket,
  nameTarget,
  takeAddress,
  takeHost,
  takePort,
  takeSocket,
  takeUrl,
} from './target.ts'

const LIKE = 'proto://host:1'

/** The error of a target, whose message is returned. */
function refusal(act: () => unknown): string {
  let error: unknown
  try {
    act()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(LocalError)
  expect(error).toMatchObject({ code: 'TARGET' })
  return (error as LocalError).message
}

describe('a URL', () => {
  it('is taken apart, and only the identity is decoded', () => {
    expect(takeUrl('PROTO+Zoo://u%20ser:p%40ss@a:1,%2Frun/pa%20th?x=%20', LIKE)).toEqual({
      scheme: 'proto+zoo',
      base: 'proto',
      extension: 'zoo',
      identity: { user: 'u ser', password: 'p@ss' },
      place: 'a:1,%2Frun',
      path: '/pa%20th',
      query: 'x=%20',
    })
  })

  it('may lack everything but its scheme', () => {
    expect(takeUrl('proto://', LIKE)).toEqual({
      scheme: 'proto',
      base: 'proto',
      extension: undefined,
      identity: undefined,
      place: '',
      path: '',
      query: undefined,
    })
    expect(takeUrl('proto://?', LIKE).query).toBe('')
  })

  it.each<[string, string | undefined, string | undefined]>([
    ['user@h', 'user', undefined],
    ['user:@h', 'user', ''],
    [':pw@h', undefined, 'pw'],
    ['@h', undefined, undefined],
    ['user:a:b@h', 'user', 'a:b'],
    ['user:a@b@h', 'user', 'a@b'],
    ['user:a%2Fb@h', 'user', 'a/b'],
  ])('says who: %s', (rest, user, password) => {
    const { identity, place } = takeUrl(`proto://${rest}/with@in`, LIKE)
    expect(identity).toEqual({ user, password })
    expect(place).toBe('h')
  })

  it.each<[string, RegExp]>([
    ['', /URL like proto:/],
    ['host:1', /URL like proto:/],
    ['proto:host', /URL like proto:/],
    ['1proto://host', /URL like proto:/],
    ['proto://h#x', /fragment/],
    ['proto://h?x#y', /fragment/],
    ['proto://u:hunter2%zz@h', /password is not percent-encoded/],
    ['proto://hunter2%zz:u@h', /user is not percent-encoded/],
  ])('is refused: %s', (url, reason) => {
    const message = refusal(() => takeUrl(url, LIKE))
    expect(message).toMatch(reason)
    expect(message).not.toContain('hunter2')
  })

  it('names a discovery in its scheme, and all that follows is for it', () => {
    const found = (url: string) => discoveryIn(takeUrl(url, LIKE))
    expect(found('proto://a')).toBeUndefined()
    expect(found('proto+zoo://a:1,b/c%20d')).toEqual({ name: 'zoo', target: 'a:1,b/c d' })
    expect(refusal(() => found('proto+zoo://'))).toMatch(/proto\+zoo:\/\/ needs a target/)
    expect(refusal(() => found('proto+zoo://%zz'))).toMatch(/percent-encoded/)
  })
})

describe('an address', () => {
  it.each<[string, string, number]>([
    ['a', 'a', 7],
    ['a.internal:1', 'a.internal', 1],
    ['under_score:65535', 'under_score', 65_535],
    ['10.0.0.1:1', '10.0.0.1', 1],
    ['[::1]', '::1', 7],
    ['[fe80::1]:1', 'fe80::1', 1],
  ])('%s', (text, host, port) => {
    expect(takeAddress(text, 7)).toEqual({ host, port })
  })

  it.each(['', ':1', 'a b', 'a/b', '-a', '::1', 'a:1:2', '[::1', '[::1]1', '[]', '[a]', '[g::1]', 'a:', 'a\n'])(
    'is not %j',
    (text) => {
      refusal(() => takeAddress(text, 7))
    },
  )

  it.each(['0', '65536', '123456', 'x', '1.5', '-1', ' 1', ''])('has no port %j', (port) => {
    expect(refusal(() => takePort(port))).toMatch(/no port/)
    expect(refusal(() => takeAddress(`a:${port}`, 7))).toMatch(/no port/)
  })

  it('has a port where there is no default', () => {
    expect(takeAddress('a:1')).toEqual({ host: 'a', port: 1 })
    expect(refusal(() => takeAddress('a'))).toMatch(/written host:port or/)
  })

  it('of the object form has IPv6 without brackets too, and one port', () => {
    expect(addressOf('::1', 1)).toEqual({ host: '::1', port: 1 })
    expect(addressOf('[::1]', 1)).toEqual({ host: '::1', port: 1 })
    expect(addressOf('::1', undefined, 7)).toEqual({ host: '::1', port: 7 })
    expect(addressOf('a:1', undefined, 7)).toEqual({ host: 'a', port: 1 })
    refusal(() => addressOf('a:1', 2, 7))
    refusal(() => addressOf('a', undefined))
  })

  it('never shows what was taken for it: a part of a password looks like a host', () => {
    for (const act of [takeAddress, takeHost, takePort, takeSocket]) {
      expect(refusal(() => act('app:hunter2'))).not.toContain('hunter2')
    }
  })
})

describe('a socket', () => {
  it('has a path that is absolute', () => {
    expect(takeSocket('/run/a b.sock')).toEqual({ host: '/run/a b.sock', port: 0 })
    expect(isSocket(takeSocket('/x'))).toBe(true)
    expect(isSocket(takeAddress('x:1'))).toBe(false)
  })

  it.each<[string, RegExp]>([
    ['', /absolute/],
    ['/', /absolute/],
    ['run/a.sock', /absolute/],
    ['/a,/b', /comma/],
    ['/a\0b', /NUL/],
  ])('is not %j', (path, reason) => {
    expect(refusal(() => takeSocket(path))).toMatch(reason)
  })
})

describe('what is watched', () => {
  it.each<[readonly string[], string, string]>([
    [['a:1'], 'dns', 'a:1'],
    [['10.0.0.1:1', '[::1]:2'], 'static', '10.0.0.1:1,[::1]:2'],
    [['10.0.0.1:1', 'b'], 'dns', '10.0.0.1:1,b:7'],
  ])('%j', (texts, discovery, target) => {
    const addresses = texts.map((text) => takeAddress(text, 7))
    expect(nameTarget(addresses, 7)).toEqual({ discovery, target, portDefault: 7 })
  })

  it('is nothing where there is a socket', () => {
    expect(nameTarget([takeSocket('/run/x')], 7)).toEqual({ discovery: 'static', target: '/run/x', portDefault: 7 })
    expect(addressText(takeSocket('/run/x'))).toBe('/run/x')
  })
})

describe('TLS', () => {
  const host = nameTarget([takeAddress('a:1')], 1)

  it('is wanted by the target, or else by the scheme', () => {
    expect(directTls(undefined, false, host)).toBeUndefined()
    expect(directTls(false, true, host)).toBeUndefined()
    expect(directTls(undefined, true, host)).toEqual({ mode: 'direct' })
    expect(directTls(true, false, host)).toEqual({ mode: 'direct' })
    expect(directTls({ servername: 'x' }, false, host)).toEqual({ mode: 'direct', servername: 'x' })
  })

  it('has no business on a socket; what a discovery looks for may begin with a slash', () => {
    expect(refusal(() => directTls(true, false, nameTarget([takeSocket('/x')], 1)))).toMatch(/unix socket/)
    expect(directTls(true, false, { discovery: 'zoo', target: '/x', portDefault: 1 })).toEqual({ mode: 'direct' })
  })
})

describe('credentials', () => {
  it('are a password, or who and a password, and nothing else', () => {
    expect(checkCredentials('pw', 'user')).toBe('pw')
    expect(checkCredentials({ user: 'a', password: 'b', more: 1 }, 'user')).toEqual({ user: 'a', password: 'b' })
    expect(checkCredentials({ password: 'b' }, 'username')).toEqual({ username: undefined, password: 'b' })
    class Token {
      get password(): string {
        return 'made'
      }
    }
    expect(checkCredentials(new Token(), 'user')).toEqual({ user: undefined, password: 'made' })
  })

  it.each<unknown>([undefined, null, 5, {}, { user: 'a' }, { password: 5 }, { user: 5, password: 'b' }, ['a']])(
    'are not %j',
    (given) => {
      expect(refusal(() => checkCredentials(given, 'user'))).toContain('{ user, password }')
    },
  )
})

describe('the object form', () => {
  const kind: Kind<{ readonly url?: string }> = {
    title: 'field of a target',
    checks: { url: must((value) => typeof value === 'string', 'a string') },
  }

  it('is judged by its fields', () => {
    expect(() => checkTarget({ url: 'x' }, kind, LIKE)).not.toThrow()
    expect(refusal(() => checkTarget({ uri: 'x' } as never, kind, LIKE))).toMatch(/'uri' is no field of a target/)
    expect(refusal(() => checkTarget({ url: 5 } as never, kind, LIKE))).toMatch(/url is a string/)
    expect(refusal(() => checkTarget(null as never, kind, LIKE))).toMatch(/URL like proto:/)
  })
})

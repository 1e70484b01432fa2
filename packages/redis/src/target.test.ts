/** Targets: what is understood, what is refused, and what makes two of them one. */
import { readFileSync } from 'node:fs'
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { LIBRARY_VERSION, type RedisTarget, resolve } from './resolve.ts'

describe('where', () => {
  it.each<[string, string, string, string]>([
    ['redis://cache.internal', 'dns', 'cache.internal:6379', 'redis://cache.internal:6379/0'],
    ['redis://', 'dns', 'localhost:6379', 'redis://localhost:6379/0'],
    ['redis:///3', 'dns', 'localhost:6379', 'redis://localhost:6379/3'],
    ['redis://a:7000,b,c:7002/2', 'dns', 'a:7000,b:6379,c:7002', 'redis://a:7000,b:6379,c:7002/2'],
    [
      'redis://10.0.0.1:7000,10.0.0.2',
      'static',
      '10.0.0.1:7000,10.0.0.2:6379',
      'redis://10.0.0.1:7000,10.0.0.2:6379/0',
    ],
    ['redis://10.0.0.1,b', 'dns', '10.0.0.1:6379,b:6379', 'redis://10.0.0.1:6379,b:6379/0'],
    ['redis://[::1]:7000/1', 'static', '[::1]:7000', 'redis://[::1]:7000/1'],
    ['redis://[fe80::1]', 'static', '[fe80::1]:6379', 'redis://[fe80::1]:6379/0'],
    ['REDIS://under_score', 'dns', 'under_score:6379', 'redis://under_score:6379/0'],
    ['rediss://cache', 'dns', 'cache:6379', 'rediss://cache:6379/0'],
    ['unix:///run/redis.sock', 'static', '/run/redis.sock', 'unix:///run/redis.sock'],
    ['unix://:pw@/run/a%20b.sock?db=2', 'static', '/run/a b.sock', 'unix:///run/a b.sock?database=2'],
    ['redis+unix:///run/redis.sock', 'static', '/run/redis.sock', 'unix:///run/redis.sock'],
    [
      'redis+zookeeper://zk1:2181,zk2:2181/services/cache',
      'zookeeper',
      'zk1:2181,zk2:2181/services/cache',
      'redis+zookeeper://zk1:2181,zk2:2181/services/cache',
    ],
    ['rediss+srv://_redis._tcp.x?database=1', 'srv', '_redis._tcp.x', 'rediss+srv://_redis._tcp.x?database=1'],
  ])('%s', (url, discovery, target, authority) => {
    const resolved = resolve(url)
    expect(resolved.name).toEqual({ discovery, target, portDefault: 6379 })
    expect(resolved.authority).toBe(authority)
    expect(resolved.tls?.mode).toBe(url.startsWith('rediss') ? 'direct' : undefined)
  })

  it.each<[RedisTarget, string, string]>([
    [{}, 'dns', 'localhost:6379'],
    [{ host: 'a', port: 1 }, 'dns', 'a:1'],
    [{ host: '::1', port: 1 }, 'static', '[::1]:1'],
    [{ host: '::1' }, 'static', '[::1]:6379'],
    [{ hosts: ['a', '[::1]:5'] }, 'dns', 'a:6379,[::1]:5'],
    [{ path: '/tmp/x.sock' }, 'static', '/tmp/x.sock'],
    [{ discovery: { name: 'file', target: '/etc/x' } }, 'file', '/etc/x'],
  ])('%j', (given, discovery, target) => {
    expect(resolve(given).name).toMatchObject({ discovery, target })
  })
})

describe('as whom', () => {
  it.each<[string, string | undefined, string | undefined]>([
    ['redis://h', undefined, undefined],
    ['redis://:pw@h', undefined, 'pw'],
    ['redis://app:pw@h', 'app', 'pw'],
    ['redis://app:p%40s%2Fs%3A%25@h', 'app', 'p@s/s:%'],
    ['redis://app:a:b@h', 'app', 'a:b'],
    ['redis://app:a@b@h', 'app', 'a@b'],
    ['redis://%C3%BC:%F0%9D%84%9E@h', 'ü', '𝄞'],
    ['redis://app:@h', 'app', ''],
  ])('%s', (url, username, password) => {
    expect(resolve(url).io).toMatchObject({ username, password })
    expect(resolve(url).authority).toBe('redis://h:6379/0')
  })

  it('asks a callback, and checks what it answers', async () => {
    const ask = async (answer: unknown) =>
      resolve({ host: 'h', username: 'app', credentials: () => answer as string }).credentials?.()
    expect(await ask('token')).toBe('token')
    expect(await ask({ username: 'a', password: 'b', more: 1 })).toEqual({ username: 'a', password: 'b' })
    await expect(ask(undefined)).rejects.toThrow(LocalError)
    await expect(ask({ username: 'a' })).rejects.toThrow(LocalError)
  })
})

describe('how', () => {
  it('takes options from the URL and the object, whose fields win', () => {
    const { io } = resolve({ url: 'redis://h/1?protocol=2&clientName=a', clientName: 'b', limits: { depthMax: 10 } })
    expect(io).toMatchObject({
      database: 1,
      protocolVersion: 2,
      clientName: 'b',
      limits: { depthMax: 10, lineBytesMax: 65536 },
    })
  })

  it('takes TLS from either', () => {
    expect(resolve('rediss://h').tls).toEqual({ mode: 'direct' })
    expect(resolve({ host: 'h', tls: true }).tls).toEqual({ mode: 'direct' })
    expect(resolve({ url: 'rediss://h', tls: { ca: 'x', servername: 'y' } }).tls).toEqual({
      mode: 'direct',
      ca: 'x',
      servername: 'y',
    })
    expect(resolve('redis://h').tls).toBeUndefined()
  })

  it('crosses the threads', () => {
    const { io } = resolve({ url: 'redis://a:b@h/1', credentials: () => 'x' })
    expect(structuredClone(io)).toEqual(io)
  })

  it('says the version that the package has', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(LIBRARY_VERSION).toBe(version)
  })
})

describe('what is refused', () => {
  it.each([
    '',
    'cache.internal',
    'http://h',
    'valkey+redis://h',
    'redis://h:0',
    'redis://h:65536',
    'redis://h:x',
    'redis://a,,b',
    'redis://a b',
    'redis://[::1',
    'redis://::1',
    'redis://h/x',
    'redis://h/-1',
    'redis://h/1/2',
    'redis://h/1?db=2',
    'redis://h?protocol=4',
    'redis://h?timeout=1',
    'redis://h#x',
    'redis://user@h',
    'redis://a:%zz@h',
    'redis+zookeeper://',
    'unix://relative/path',
    'unix://',
    'redis://h?clientName=a%20b',
    'rediss+unix:///x',
  ])('%s', (url) => {
    expect(() => resolve(url)).toThrow(LocalError)
    expect(() => resolve(url)).toThrow(expect.objectContaining({ code: 'TARGET' }))
  })

  it.each<unknown>([
    { url: 'redis://h', host: 'g' },
    { port: 1 },
    { path: 'relative' },
    { path: '/a,/b' },
    { path: '/a', tls: true },
    { hots: 'h' },
    { host: 'h', database: -1 },
    { host: 'h', database: 1.5 },
    { host: 'h', protocolVersion: 4 },
    { host: 'h', credentials: 'x' },
    { host: 'h', username: 'x' },
    { host: 'h', clientName: 'ü' },
    { host: 'h', limits: { depthMax: 2000 } },
    { host: 'h', limits: { depthMax: 0 } },
    { host: 'h', limits: { elementsMax: 2 ** 31 } },
    { host: 'h', limits: { nope: 1 } },
    { host: 'h', limits: { toString: 1 } },
    { host: 'h', limits: 5 },
    { host: 5 },
    { host: 'h', port: 'x' },
    { host: 'h', port: 1.5 },
    { hosts: 'a,b' },
    { hosts: [] },
    { hosts: [5] },
    { path: 5 },
    { url: 5 },
    { discovery: 'x' },
    { discovery: { name: 'x' } },
    { discovery: { name: 'x', target: 'y', more: 1 } },
    { host: 'h', password: 5 },
    { host: 'h', username: {}, password: 'x' },
    { host: 'h', database: '3' },
    { host: 'h', tls: 'yes' },
    { host: 'h', tls: null },
    { host: 'h', tls: { bogus: 1 } },
    { host: 'h', tls: { ca: 5 } },
    { host: 'h', tls: { rejectUnauthorized: 'false' } },
    { host: 'h', tls: { minVersion: 'TLSv1.1' } },
    { host: 'h', tls: { mode: 'negotiated' } },
    { toString: 1 },
    [['redis://h']],
    null,
    42,
  ])('%j', (given) => {
    expect(() => resolve(given as never)).toThrow(LocalError)
    expect(() => resolve(given as never)).toThrow(expect.objectContaining({ code: 'TARGET' }))
  })

  it('without saying the password', () => {
    for (const url of [
      'redis://app:hunter2@h:0',
      // The slash makes a host of what is before it.
      'redis://app:hunter2/x@h',
      'redis://app:hunter2@a b',
      'http://app:hunter2@h',
      'redis://app:hunter2@h?x=1',
    ]) {
      expect(() => resolve(url)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hunter2') }))
    }
  })
})

describe('two targets', () => {
  const key = (target: string | RedisTarget) => resolve(target).upstreamKey
  it('are one upstream where nothing differs', () => {
    expect(key('redis://h')).toBe(key({ host: 'h', port: 6379 }))
    const credentials = () => 'x'
    expect(key({ host: 'h', credentials })).toBe(key({ host: 'h', credentials }))
  })

  it('are two where anything does, and the key holds no secret', () => {
    const keys = [
      'redis://h',
      'redis://g',
      'rediss://h',
      'redis://h/1',
      'redis://:hunter2@h',
      'redis://:other@h',
      'redis://h?protocol=2',
      'redis://h?clientName=x',
      { host: 'h', tls: { ca: 'a' } },
      { host: 'h', tls: { ca: Buffer.from('b') } },
      { host: 'h', tls: { ca: Buffer.from('c') } },
      { host: 'h', credentials: () => 'x' },
      { host: 'h', credentials: () => 'x' },
      { host: 'h', limits: { depthMax: 5 } },
    ].map(key)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys.join()).not.toContain('hunter2')
  })
})

/**
 * What the system says about names, as tables: hosts(5), resolv.conf(5), the search list; and addresses written down.
 */
import { describe, expect, test } from 'vitest'
import { LocalError } from '../plugin/errors.ts'
import { formatAddress, isAddress, parseAddress } from '../shared/address.ts'
import { staticDiscovery, staticEndpoints } from './static.ts'
import { candidateNames, hostsAddresses, readSystemFile, searchRules } from './system-files.ts'

const HOSTS = `
127.0.0.1	localhost
::1     localhost ip6-localhost   # loopback
10.0.0.7 Cache.Internal cache
#10.0.0.8 cache
10.0.0.9   cache.internal # spare
   10.0.0.10\tdb
0.0.0.0 cached
malformed
`

test.each([
  ['localhost', ['127.0.0.1', '::1']],
  ['cache', ['10.0.0.7']],
  ['CACHE', ['10.0.0.7']],
  ['cache.internal', ['10.0.0.7', '10.0.0.9']],
  ['cache.internal.', ['10.0.0.7', '10.0.0.9']],
  ['db', ['10.0.0.10']],
  ['loopback', []],
  ['10.0.0.7', []],
  ['malformed', []],
  ['', []],
])('hosts(5): %s', (name, addresses) => {
  expect(hostsAddresses(HOSTS, name)).toEqual(addresses)
  expect(hostsAddresses(HOSTS.replaceAll('\n', '\r\n'), name)).toEqual(addresses)
})

test.each([
  ['', { search: [], ndots: 1 }],
  ['nameserver 10.0.0.1\nsearch a.test b.test', { search: ['a.test', 'b.test'], ndots: 1 }],
  ['search a.test\nsearch c.test', { search: ['c.test'], ndots: 1 }],
  ['search a.test\ndomain d.test', { search: ['d.test'], ndots: 1 }],
  ['options timeout:1 ndots:5 rotate', { search: [], ndots: 5 }],
  ['options ndots:99', { search: [], ndots: 15 }],
  ['options ndots:0', { search: [], ndots: 0 }],
  ['options ndots:x\n; search no.test\n# search no.test', { search: [], ndots: 1 }],
  ['search\ta.test  b.test   # c.test', { search: ['a.test', 'b.test'], ndots: 1 }],
  [
    'search ns.svc.cluster.local svc.cluster.local\noptions ndots:5',
    { search: ['ns.svc.cluster.local', 'svc.cluster.local'], ndots: 5 },
  ],
])('resolv.conf(5): %j', (text, rules) => {
  expect(searchRules(text)).toEqual(rules)
})

const CLUSTER = { search: ['ns.svc.local', 'svc.local.'], ndots: 5 }

test.each([
  ['cache', CLUSTER, ['cache.ns.svc.local', 'cache.svc.local', 'cache']],
  ['cache.other', CLUSTER, ['cache.other.ns.svc.local', 'cache.other.svc.local', 'cache.other']],
  ['a.b.c.d.e.f', CLUSTER, ['a.b.c.d.e.f', 'a.b.c.d.e.f.ns.svc.local', 'a.b.c.d.e.f.svc.local']],
  ['cache.', CLUSTER, ['cache']],
  ['cache', { search: [], ndots: 1 }, ['cache']],
  ['a.b', { search: ['x.test'], ndots: 1 }, ['a.b', 'a.b.x.test']],
])('the search list: %s', (name, rules, names) => {
  expect(candidateNames(name, rules)).toEqual(names)
})

test('a file that is not there has nothing to say', async () => {
  expect(await readSystemFile('/nonexistent/hosts')).toBe('')
  expect(await readSystemFile('/')).toBe('')
})

describe('addresses', () => {
  test.each([
    ['10.0.0.7', true],
    ['255.255.255.255', true],
    ['::1', true],
    ['fe80::1', true],
    ['256.0.0.1', false],
    ['10.0.0', false],
    ['10.0.0.7.', false],
    ['1.2.3.4.5', false],
    ['cache.internal', false],
    ['10', false],
    ['', false],
  ])('%j is one: %s', (host, is) => {
    expect(isAddress(host)).toBe(is)
  })

  test.each([
    ['10.0.0.7', { host: '10.0.0.7', port: 5 }],
    ['10.0.0.7:6379', { host: '10.0.0.7', port: 6379 }],
    ['cache', { host: 'cache', port: 5 }],
    ['[::1]', { host: '::1', port: 5 }],
    ['[::1]:6379', { host: '::1', port: 6379 }],
    ['fe80::1', { host: 'fe80::1', port: 5 }],
    ['/run/redis.sock', { host: '/run/redis.sock', port: 0 }],
    ['/run/a:b', { host: '/run/a:b', port: 0 }],
    ['cache:0', undefined],
    ['cache:65536', undefined],
    ['cache:', undefined],
    ['cache:x', undefined],
    [':6379', undefined],
    ['[::1', undefined],
    ['[::1]:x', undefined],
    ['', undefined],
  ])('%j is read as %j, and written as it was read', (text, address) => {
    expect(parseAddress(text, 5)).toEqual(address)
    if (address === undefined) return
    expect(parseAddress(formatAddress(address.host, address.port), 5)).toEqual(address)
  })
})

describe('static names', () => {
  test('are what is written, once', async () => {
    const { signal } = new AbortController()
    const sets = []
    for await (const set of staticDiscovery.watch('10.0.0.1:1, [::1]:2,/run/x', undefined, { signal, portDefault: 9 }))
      sets.push(set)
    expect(sets).toEqual([
      [
        { id: '10.0.0.1:1', host: '10.0.0.1', port: 1 },
        { id: '[::1]:2', host: '::1', port: 2 },
        { id: '/run/x', host: '/run/x', port: 0 },
      ],
    ])
    expect(staticEndpoints('10.0.0.1', 9)).toEqual([{ id: '10.0.0.1:9', host: '10.0.0.1', port: 9 }])
  })

  test.each(['', 'a,,b', 'x:y', 'x:70000'])('%j is refused with an error that says how to write it', (target) => {
    expect(() => staticEndpoints(target, 9)).toThrow(LocalError)
    expect(() => staticEndpoints(target, 9)).toThrow(/host:port/)
  })
})

/** Targets: what is understood, what is refused, and which of them are one upstream. */
import { LocalError } from '@iokernel/core/plugin'
import { ExtensionCodec } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { type RpcTarget, resolve } from './resolve.ts'

describe('a target', () => {
  it.each<[string | RpcTarget, string, string, string]>([
    ['msgpack-rpc://127.0.0.1:6666', 'static', '127.0.0.1:6666', 'msgpack-rpc://127.0.0.1:6666'],
    ['msgpack-rpc://127.0.0.1:6666/', 'static', '127.0.0.1:6666', 'msgpack-rpc://127.0.0.1:6666'],
    ['MSGPACK-RPC://host:1', 'dns', 'host:1', 'msgpack-rpc://host:1'],
    ['msgpack-rpc://[::1]:9,10.0.0.1:9', 'static', '[::1]:9,10.0.0.1:9', 'msgpack-rpc://[::1]:9,10.0.0.1:9'],
    ['msgpack-rpcs://a.internal:7', 'dns', 'a.internal:7', 'msgpack-rpcs://a.internal:7'],
    ['msgpack-rpc:///run/user/nvim.sock', 'static', '/run/user/nvim.sock', 'msgpack-rpc:///run/user/nvim.sock'],
    ['msgpack-rpc:///run/my%20nvim.sock', 'static', '/run/my nvim.sock', 'msgpack-rpc:///run/my nvim.sock'],
    ['msgpack-rpc+zk://cluster/service', 'zk', 'cluster/service', 'msgpack-rpc+zk://cluster/service'],
    ['msgpack-rpcs+zk://service', 'zk', 'service', 'msgpack-rpcs+zk://service'],
    [{ host: '::1', port: 5 }, 'static', '[::1]:5', 'msgpack-rpc://[::1]:5'],
    [{ host: 'a', port: 5, tls: true }, 'dns', 'a:5', 'msgpack-rpcs://a:5'],
    [{ hosts: ['a:1', '10.0.0.1:2'] }, 'dns', 'a:1,10.0.0.1:2', 'msgpack-rpc://a:1,10.0.0.1:2'],
    [{ path: '/tmp/x.sock' }, 'static', '/tmp/x.sock', 'msgpack-rpc:///tmp/x.sock'],
    [{ discovery: { name: 'zk', target: 'x' } }, 'zk', 'x', 'msgpack-rpc+zk://x'],
    [{ url: 'msgpack-rpcs://a:1', tls: false }, 'dns', 'a:1', 'msgpack-rpc://a:1'],
  ])('%j', (target, discovery, name, authority) => {
    expect(resolve(target)).toMatchObject({ name: { discovery, target: name }, authority })
  })

  it.each<[unknown, RegExp]>([
    ['msgpack-rpc://host', /host:port/],
    ['msgpack-rpc://', /host:port/],
    ['msgpack-rpc://a:1,', /host:port/],
    ['msgpack-rpc://a:99999', /no port/],
    ['msgpack-rpc://a:1/path', /path/],
    ['msgpack-rpc://user:hunter2@a:1', /greeting/],
    ['msgpack-rpc://a:1?x=1', /object form/],
    ['msgpack-rpcs:///run/x.sock', /TLS over a unix socket/],
    ['msgpack-rpc+zk://', /needs a target/],
    ['msgpack-rpc+zk://%zz', /percent-encoded/],
    ['redis://a:1', /scheme/],
    ['nonsense', /URL like/],
    [5, /URL like/],
    [null, /URL like/],
    [{}, /one place/],
    [{ host: 'a' }, /go together/],
    [{ port: 1, path: '/x' }, /go together/],
    [{ host: 'a', port: 0 }, /port is/],
    [{ url: 'msgpack-rpc://a:1', path: '/x' }, /one place/],
    [{ path: 'relative' }, /absolute/],
    [{ path: '/a,b' }, /comma/],
    [{ path: '/x', tls: true }, /TLS over a unix socket/],
    [{ host: 'a', port: 1, tls: { mode: 'negotiated' } }, /negotiates nothing/],
    [{ host: 'a', port: 1, password: 'hunter2' }, /'password' is no field/],
    [{ host: 'a', port: 1, codec: { nothing: true } }, /'nothing' is no option of a codec/],
    [{ host: 'a', port: 1, codec: { extensionCodec: {} } }, /ExtensionCodec/],
    [{ host: 'a', port: 1, limits: { depthMax: 5000 } }, /depthMax is at most/],
    [{ host: 'a', port: 1, limits: { depth: 5 } }, /'depth' is no limit/],
    [{ host: 'a', port: 1, greeting: {} }, /greeting lacks its method/],
    [{ host: 'a', port: 1, greeting: { method: 'x', params: { a: 1 } } }, /params is an array/],
    [{ host: 'a', port: 1, probe: 'ping' }, /no object/],
  ])('is refused: %j', (target, reason) => {
    let error: unknown
    try {
      resolve(target as string)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(LocalError)
    expect((error as Error).message).toMatch(reason)
    expect((error as Error).message).not.toContain('hunter2')
  })
})

describe('an upstream', () => {
  const key = (target: Partial<RpcTarget>) => resolve({ host: 'a', port: 1, ...target }).upstreamKey

  it('is shared by clients that differ in their codec alone', () => {
    expect(key({ codec: { useBigInt64: true } })).toBe(key({}))
    expect(key({ codec: { extensionCodec: new ExtensionCodec() } })).toBe(key({}))
  })

  it('is another one for another greeting, and does not show it', () => {
    const keys = ['a', 'b'].map((token) => key({ greeting: { method: 'login', params: [token] } }))
    expect(new Set([...keys, key({})]).size).toBe(3)
    expect(key({ greeting: { method: 'login', params: ['hunter2'] } })).not.toContain('hunter2')
  })

  it('is another one for other limits, another probe and other certificates', () => {
    const keys = [
      key({}),
      key({ limits: { depthMax: 5 } }),
      key({ probe: { method: 'ping' } }),
      key({ tls: true }),
      key({ tls: { ca: 'x' } }),
      key({ tls: { ca: 'y' } }),
    ]
    expect(new Set(keys).size).toBe(keys.length)
  })
})

describe('calls of its own', () => {
  it('are made by the codec of the target', () => {
    const codec = { encode: () => Uint8Array.of(0x91, 0x2a), decode: () => null }
    const { io } = resolve({ host: 'a', port: 1, codec, greeting: { method: 'hi', params: ['whatever'] } })
    expect(Buffer.from(io.greeting as Uint8Array).toString('hex')).toBe('9400ce00000000a26869912a')
  })
})

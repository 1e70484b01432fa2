/** What targets mean, and what is no target. */
import { describe, expect, it } from 'vitest'
import { type HttpTarget, resolve } from './resolve.ts'

describe('a target', () => {
  it.each<[target: string | HttpTarget, where: string, host: string, authority: string]>([
    ['http://api.test', 'dns api.test:80', 'api.test', 'http://api.test'],
    ['HTTP://Api.Test:8080/', 'dns api.test:8080', 'api.test:8080', 'http://api.test:8080'],
    ['http://api.test:80', 'dns api.test:80', 'api.test', 'http://api.test'],
    ['https://api.test', 'dns api.test:443', 'api.test', 'https://api.test'],
    ['http://127.0.0.1:1', 'static 127.0.0.1:1', '127.0.0.1:1', 'http://127.0.0.1:1'],
    ['http://[::1]:8080', 'static [::1]:8080', '[::1]:8080', 'http://[::1]:8080'],
    ['http://bücher.test', 'dns xn--bcher-kva.test:80', 'xn--bcher-kva.test', 'http://xn--bcher-kva.test'],
    ['http+unix:///run/app.sock', 'static /run/app.sock', 'localhost', 'http+unix:///run/app.sock'],
    ['http+zoo://shop/web', 'zoo shop/web', 'shop', 'http+zoo://shop/web'],
    [{ origin: 'http://api.test', socketPath: '/run/app.sock' }, 'static /run/app.sock', 'api.test', 'http://api.test'],
    [
      { origin: 'http://api.test', addresses: ['10.0.0.1:8080', '10.0.0.2'] },
      'static 10.0.0.1:8080,10.0.0.2:80',
      'api.test',
      'http://api.test',
    ],
    [
      { origin: 'https://api.test', discovery: { name: 'zoo', target: '/web' } },
      'zoo /web',
      'api.test',
      'https://api.test',
    ],
    [
      { origin: 'http://api.test', proxy: 'http://proxy.test:3128' },
      'dns proxy.test:3128',
      'api.test',
      'http://api.test by proxy.test:3128',
    ],
  ])('%j', (target, where, host, authority) => {
    const { name, app, authority: shown } = resolve(target, {})
    expect([`${name.discovery} ${name.target}`, app.host, shown]).toEqual([where, host, authority])
  })

  it('checks the certificate of its origin, wherever the connection leads', () => {
    const proxied = resolve({ origin: 'https://api.test', proxy: 'http://u:p@proxy.test' }, {})
    expect(proxied.tls).toEqual({ servername: 'api.test', alpnProtocols: ['http/1.1'], mode: 'negotiated' })
    expect(proxied.io.proxy).toEqual({ tunnelTo: 'api.test:443', authorization: 'Basic dTpw' })
    expect(proxied.app).toMatchObject({ origin: '', proxyAuthorization: undefined })
    expect(resolve({ origin: 'https://api.test', addresses: ['10.0.0.1'] }, {}).tls).toMatchObject({
      servername: 'api.test',
      mode: 'direct',
    })
    expect(resolve('https://[::1]', {}).tls?.servername).toBe('::1')
  })

  it('gives a proxy of plain requests what it needs in each of them', () => {
    const { io, app, tls } = resolve({ origin: 'http://api.test:81', proxy: 'https://u:p@proxy.test' }, {})
    expect(io.proxy).toEqual({ tunnelTo: undefined, authorization: undefined })
    expect(app).toMatchObject({ origin: 'http://api.test:81', proxyAuthorization: 'Basic dTpw' })
    expect(tls).toMatchObject({ servername: 'proxy.test', mode: 'direct' })
  })

  it('takes a proxy from the environment where it says so', () => {
    const environment = { http_proxy: 'proxy.test:1', HTTPS_PROXY: 'http://proxy.test:2', no_proxy: 'a.test, .b.test' }
    const targetOf = (origin: string): string =>
      resolve({ origin, proxyFromEnvironment: true }, environment).name.target
    expect(targetOf('http://c.test')).toBe('proxy.test:1')
    expect(targetOf('https://c.test')).toBe('proxy.test:2')
    expect(['http://a.test', 'https://x.a.test', 'http://b.test', 'http://x.b.test'].map(targetOf)).toEqual([
      'a.test:80',
      'x.a.test:443',
      'b.test:80',
      'x.b.test:80',
    ])
    expect(targetOf('http://notb.test')).toBe('proxy.test:1')
    expect(resolve('http://c.test', environment).name.target).toBe('c.test:80')
    const everywhere = { ...environment, no_proxy: '*' }
    expect(resolve({ origin: 'http://c.test', proxyFromEnvironment: true }, everywhere).name.target).toBe('c.test:80')
    const cgi = { HTTP_PROXY: 'evil.test:1', REQUEST_METHOD: 'GET' }
    expect(resolve({ origin: 'http://c.test', proxyFromEnvironment: true }, cgi).name.target).toBe('c.test:80')
  })

  it('is another upstream where anything makes it differ, and the same where nothing does', () => {
    const key = (target: Partial<HttpTarget>): string =>
      resolve({ origin: 'https://api.test', ...target }, {}).upstreamKey
    const different: Partial<HttpTarget>[] = [
      {},
      { origin: 'https://other.test' },
      { origin: 'http://api.test' },
      { tls: { rejectUnauthorized: false } },
      { addresses: ['10.0.0.1'] },
      { pipelining: 2 },
      { limits: { fieldsMax: 5 } },
      { proxy: 'http://proxy.test' },
      { proxy: 'http://u:p@proxy.test' },
    ]
    expect(new Set(different.map(key)).size).toBe(different.length)
    expect(key({ headers: { a: 'b' } })).toBe(key({}))
    expect(key({ proxy: 'http://u:secret@proxy.test' })).not.toContain('secret')
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 1],
    ['no URL', 'api.test'],
    ['another scheme', 'ftp://api.test'],
    ['a path', 'http://api.test/v1'],
    ['a query', 'http://api.test?x'],
    ['a fragment', 'http://api.test#x'],
    ['credentials', 'http://user:secret@api.test'],
    ['a line', 'http://api.test\r\nx: y'],
    ['a line within a host', 'http://api\r\n.test'],
    ['a host of several', 'http://a.test,b.test'],
    ['a port that is none', 'http://api.test:0'],
    ['a port beyond', 'http://api.test:70000'],
    ['TLS over a socket', 'https+unix:///run/app.sock'],
    ['a socket that is relative', { origin: 'http://api.test', socketPath: 'app.sock' }],
    ['nothing to discover', 'http+zoo://'],
    ['no origin', {}],
    ['two places', { origin: 'http://api.test', socketPath: '/a', addresses: ['b'] }],
    ['a field that there is not', { origin: 'http://api.test', prxy: 'x' }],
    ['tls without https', { origin: 'http://api.test', tls: {} }],
    ['TLS within TLS', { origin: 'https://api.test', proxy: 'https://proxy.test' }],
    ['a proxy of another kind', { origin: 'http://api.test', proxy: 'socks5://proxy.test' }],
    ['a proxy with a path', { origin: 'http://api.test', proxy: 'http://u:secret@proxy.test/x' }],
    ['a proxy and a socket', { origin: 'http://api.test', proxy: 'http://proxy.test', socketPath: '/a' }],
    ['ALPN', { origin: 'https://api.test', tls: { alpnProtocols: ['h2'] } }],
    ['pipelining without end', { origin: 'http://api.test', pipelining: Number.POSITIVE_INFINITY }],
    ['heads without end', { origin: 'http://api.test', limits: { headBytesMax: 2 ** 30 } }],
  ])('%s is none', (_, target) => {
    let error: unknown
    try {
      resolve(target as never, {})
    } catch (caught) {
      error = caught
    }
    expect(error).toMatchObject({ name: 'LocalError', code: 'TARGET' })
    expect((error as Error).message).not.toContain('secret')
  })

  it('has headers that are right', () => {
    expect(() => resolve({ origin: 'http://api.test', headers: { a: 'b\r\nc' } }, {})).toThrow(/header 'a'/)
  })
})

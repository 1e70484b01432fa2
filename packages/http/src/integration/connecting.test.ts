/** Every way to a server: plain, encrypted, over a socket, by one of several addresses, through proxies. */
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NginxServer, startNginx } from '@iokernel/servers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startProxy } from '../../fixtures/proxy.ts'
import { inEveryMode, until } from '../../fixtures/world.ts'

const JSON_FILE = JSON.stringify({ name: 'small', list: [1, 2, 3] })
const LARGE_FILE = Buffer.alloc(3 << 20, 'abcdefghij')

let nginx: NginxServer | undefined
beforeAll(async () => {
  nginx = await startNginx({
    tls: true,
    files: { 'small.json': JSON_FILE, 'large.bin': LARGE_FILE },
    serverLines: ['location /empty { return 204; }', 'location /moved { return 301 /small.json; }'],
    keepalive: { requests: 10 },
  })
})
afterAll(async () => {
  await nginx?.stop()
})

function server(): NginxServer {
  return nginx as NginxServer
}

function tls(): { readonly origin: string; readonly ca: string } {
  const { port, ca } = server().tls as NonNullable<NginxServer['tls']>
  return { origin: `https://localhost:${port}`, ca }
}

inEveryMode('connecting', (world) => {
  it('to nginx, which ends each connection after ten requests', async () => {
    const api = world.connect(server().url, { lanesMax: 4 })
    const answers = await Promise.all(
      Array.from({ length: 200 }, async () => (await api.get('/small.json')).body.text()),
    )
    expect(new Set(answers)).toEqual(new Set([JSON_FILE]))
    const large = await api.get('/large.bin')
    expect([large.body.isWhole, (await large.body.bytes()).equals(LARGE_FILE)]).toEqual([false, true])
    const { etag } = (await api.head('/small.json')).headers.toJSON()
    const same = await api.get('/small.json', { headers: { 'if-none-match': etag as string } })
    expect([same.status, (await same.body.bytes()).length]).toEqual([304, 0])
    expect((await api.get('/empty')).status).toBe(204)
    expect((await api.get('/moved')).headers.get('location')).toMatch(/small\.json$/)
    expect((await api.get('/nothing')).status).toBe(404)
    const part = await api.get('/large.bin', { headers: { range: 'bytes=5-14' } })
    expect([part.status, await part.body.text()]).toEqual([206, 'fghijabcde'])
  })

  it('over TLS, with its certificate checked, by HTTP/1.1 as agreed', async () => {
    const { origin, ca } = tls()
    const api = world.connect({ origin, tls: { ca } })
    expect(await (await api.get('/small.json')).body.text()).toBe(JSON_FILE)
    expect((await (await api.get('/large.bin')).body.bytes()).equals(LARGE_FILE)).toBe(true)
  })

  it('not to one whose certificate is nobody’s, or somebody else’s', async () => {
    const { origin, ca } = tls()
    const unknown = world.connect(origin)
    await expect(unknown.get('/small.json', { deadlineMs: 500 })).rejects.toMatchObject({ sent: 'no' })
    const other = world.connect({
      origin: origin.replace('localhost', 'other.test'),
      addresses: [`127.0.0.1:${new URL(origin).port}`],
      tls: { ca },
    })
    await expect(other.get('/small.json', { deadlineMs: 500 })).rejects.toMatchObject({ sent: 'no' })
  })

  it('over a unix socket', async () => {
    const path = join(tmpdir(), `iokernel-http-${process.pid}-${Math.floor(performance.now() * 1000)}.sock`)
    await world.serve((request, response) => response.end(request.headers.host), { at: path })
    try {
      expect(await (await world.connect(`http+unix://${path}`).get('/')).body.text()).toBe('localhost')
      const named = world.connect({ origin: 'http://docker', socketPath: path })
      expect(await (await named.get('/')).body.text()).toBe('docker')
    } finally {
      await rm(path, { force: true })
    }
  })

  it('over IPv6', async () => {
    const { url, port } = await world.serve((request, response) => response.end(request.headers.host), { at: '::1' })
    expect(await (await world.connect(url).get('/')).body.text()).toBe(`[::1]:${port}`)
  })

  it('by several addresses, under the name of the origin', async () => {
    const seen: string[] = []
    const peers = await Promise.all(
      [1, 2].map((number) =>
        world.serve((request, response) => {
          seen.push(`${number} ${request.headers.host}`)
          setTimeout(() => response.end(), 10)
        }),
      ),
    )
    const api = world.connect({ origin: 'http://api.test', addresses: peers.map(({ port }) => `127.0.0.1:${port}`) })
    await Promise.all(Array.from({ length: 20 }, () => api.get('/')))
    expect(new Set(seen)).toEqual(new Set(['1 api.test', '2 api.test']))
  })

  it('through a proxy, which is given whole URLs', async () => {
    const { port } = await world.serve((request, response) => {
      response.setHeader('x-authorization', String(request.headers['proxy-authorization']))
      response.end(`${request.headers.host} ${request.url}`)
    })
    const proxy = await startProxy(port)
    try {
      const api = world.connect({ origin: 'http://api.test:81', proxy: proxy.url.replace('//', '//me:pass@') })
      expect(await (await api.get('/a?b')).body.text()).toBe('api.test:81 /a?b')
      expect(await (await api.post('/c', { body: 'x' })).body.text()).toBe('api.test:81 /c')
      expect(proxy.asked).toEqual(['GET http://api.test:81/a?b', 'POST http://api.test:81/c'])
      expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${Buffer.from('me:pass').toString('base64')}`]))
    } finally {
      await proxy.close()
    }
  })

  it('through a proxy’s tunnel, with the server’s own certificate', async () => {
    const { ca } = tls()
    const proxy = await startProxy((server().tls as NonNullable<NginxServer['tls']>).port)
    try {
      const target = { origin: 'https://localhost', proxy: proxy.url.replace('//', '//me:pass@'), tls: { ca } }
      const api = world.connect(target)
      expect(await (await api.get('/small.json')).body.text()).toBe(JSON_FILE)
      expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT localhost:443']))
      expect(proxy.authorizations[0]).toBe(`Basic ${Buffer.from('me:pass').toString('base64')}`)
    } finally {
      await proxy.close()
    }
  })

  it('not through a proxy that refuses, which says so at once', async () => {
    const { ca } = tls()
    const proxy = await startProxy(1, 407)
    try {
      const api = world.connect({
        origin: 'https://localhost',
        proxy: proxy.url.replace('//', '//me:secret@'),
        tls: { ca },
      })
      const refused = await api.get('/').catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'PROXY_407', sent: 'no', fields: { status: 407 } })
      expect(String(refused)).not.toMatch(/secret|c2VjcmV0/)
    } finally {
      await proxy.close()
    }
  })

  it('by a tunnel of one’s own', async () => {
    const { port } = await world.serve((_, response) => response.end('inside'))
    const proxy = await startProxy(port)
    try {
      const duplex = await world.connect(proxy.url).tunnel('db.test:5432')
      await duplex.write('GET / HTTP/1.0\r\n\r\n')
      let text = ''
      for await (const bytes of duplex) text += bytes
      expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*inside$/)
      expect(proxy.asked).toEqual(['CONNECT db.test:5432'])
    } finally {
      await proxy.close()
    }
  })

  it('to a server of Node’s by TLS, with a large upload', async () => {
    const { files, ca } = server().tls as NonNullable<NginxServer['tls']>
    const [key, cert] = await Promise.all([readFile(files.serverKey, 'utf8'), readFile(files.serverCert, 'utf8')])
    const { url } = await world.serve((request, response) => request.pipe(response), { secure: { key, cert } })
    const response = await world.connect({ origin: url, tls: { ca } }).post('/', { body: LARGE_FILE })
    expect((await response.body.bytes()).equals(LARGE_FILE)).toBe(true)
  })

  it('lazily: a server that ends what idles is no trouble', async () => {
    const peer = await world.serve((_, response) => response.setHeader('connection', 'close').end('x'))
    const api = world.connect(peer.url)
    for (let round = 0; round < 3; round++) expect(await (await api.get('/')).body.text()).toBe('x')
    await until(() => api.state.status !== 'connecting')
    expect(api.state.status).toBe('ready')
  })
})

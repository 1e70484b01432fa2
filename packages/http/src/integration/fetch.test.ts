/** `fetch` through the real kernel: what the standard says, and how it ends when something does not go well. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { createFetch, type Fetch } from '@iokernel/http'
import { afterEach, expect, it } from 'vitest'
import { startProxy } from '../../fixtures/proxy.ts'
import { inEveryMode, until, type World } from '../../fixtures/world.ts'

const TEXT = 'the text of it, '.repeat(5000)

inEveryMode('fetch', (world) => {
  const closing: { close(): Promise<void> }[] = []
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((one) => one.close()))
  })

  function fetchOf(kernel: World['kernel'], options?: Parameters<typeof createFetch>[1]): Fetch {
    const fetch = createFetch(kernel, options)
    closing.push(fetch)
    return fetch
  }

  it('answers with the platform’s Response', async () => {
    const { url } = await world.serve((request, response) => {
      response.writeHead(201, 'Made', [
        'X-Seen',
        String(request.headers['x-a']),
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
      ])
      response.end(`${request.method} ${request.url}`)
    })
    const response = await fetchOf(world.kernel)(`${url}/a?b=c#d`, { method: 'PUT', headers: { 'X-A': '1' } })
    expect(response).toBeInstanceOf(Response)
    expect([response.status, response.statusText, response.ok]).toEqual([201, 'Made', true])
    expect([response.url, response.redirected, response.type]).toEqual([`${url}/a?b=c`, false, 'basic'])
    expect([response.headers.get('x-seen'), response.headers.getSetCookie()]).toEqual(['1', ['a=1', 'b=2']])
    const copy = response.clone()
    expect([copy.url, await copy.text(), await response.text()]).toEqual([response.url, 'PUT /a?b=c', 'PUT /a?b=c'])
    const request = new Request(`${url}/r`, { method: 'POST', body: 'x' })
    expect(await (await fetchOf(world.kernel)(request)).text()).toBe('POST /r')
  })

  it('fails at once where nobody listens, and works again when somebody does', async () => {
    const first = createServer()
    await once(first.listen(0, '127.0.0.1'), 'listening')
    const { port } = first.address() as AddressInfo
    await once(first.close(), 'close')
    const fetch = fetchOf(world.kernel)
    const url = `http://127.0.0.1:${port}/`
    const error = await fetch(url).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ cause: { code: 'UPSTREAM_DOWN', sent: 'no' } })
    const second = createServer((_request, response) => response.end('here'))
    await once(second.listen(port, '127.0.0.1'), 'listening')
    await expect.poll(async () => (await fetch(url).catch(() => undefined))?.text()).toBe('here')
    second.close().closeAllConnections()
  })

  it.each<[coding: string, encode: (text: string) => Buffer]>([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['gzip, br', (text) => brotliCompressSync(gzipSync(text))],
    ['identity', (text) => Buffer.from(text)],
    ['none-that-is-known', (text) => Buffer.from(text)],
  ])('takes %s off', async (coding, encode) => {
    const { url } = await world.serve((request, response) => {
      expect(request.headers['accept-encoding']).toBe('gzip, deflate, br')
      response.setHeader('content-encoding', coding)
      const bytes = encode(TEXT)
      for (let at = 0; at < bytes.length; at += 1000) response.write(bytes.subarray(at, at + 1000))
      response.end()
    })
    const response = await fetchOf(world.kernel)(url)
    expect((await response.text()) === TEXT).toBe(true)
    expect(response.headers.get('content-encoding')).toBe(coding)
  })

  it('leaves a body that is coded wrongly, or cut, with an error', async () => {
    const { url } = await world.serve((request, response) => {
      response.setHeader('content-encoding', 'gzip')
      const bytes = gzipSync(TEXT)
      if (request.url === '/empty') response.end()
      else response.end(request.url === '/cut' ? bytes.subarray(0, -20) : 'not gzip at all')
    })
    const fetch = fetchOf(world.kernel)
    await expect(fetch(`${url}/wrong`).then((response) => response.text())).rejects.toThrow(TypeError)
    await expect(fetch(`${url}/cut`).then((response) => response.text())).rejects.toThrow(TypeError)
    expect(await (await fetch(`${url}/empty`)).text()).toBe('')
  })

  it('inflates a bomb only as far as it is read', async () => {
    const bomb = gzipSync(Buffer.alloc(256 << 20))
    const { url } = await world.serve((_, response) => response.setHeader('content-encoding', 'gzip').end(bomb))
    const response = await fetchOf(world.kernel)(url)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const before = process.memoryUsage().rss
    expect((await reader.read()).value?.length).toBeGreaterThan(0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20)
    await reader.cancel()
  })

  it.each<[status: number, method: string, then: string]>([
    [301, 'GET', 'GET'],
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [302, 'PUT', 'PUT'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [307, 'POST', 'POST'],
    [308, 'PUT', 'PUT'],
  ])('%i after %s goes on as %s', async (status, method, then) => {
    const seen: string[] = []
    const { url } = await world.serve((request, response) => {
      if (request.url === '/from') return void response.writeHead(status, { location: '/to#there' }).end('away')
      let body = ''
      request.on('data', (bytes) => {
        body += bytes
      })
      request.on('end', () => {
        seen.push(`${request.method} ${request.headers['content-type'] ?? '-'} ${body}`)
        response.end()
      })
    })
    const hasBody = method === 'POST' || method === 'PUT'
    const response = await fetchOf(world.kernel)(`${url}/from`, { method, ...(hasBody ? { body: 'body' } : {}) })
    expect([response.url, response.redirected]).toEqual([`${url}/to`, true])
    const isKept = hasBody && then !== 'GET'
    expect(seen).toEqual([isKept ? `${then} text/plain;charset=UTF-8 body` : `${then} - `])
  })

  it('says to another origin nothing that was meant for the first', async () => {
    const other = await world.serve((request, response) => response.end(JSON.stringify(request.headers)))
    const { url } = await world.serve((request, response) => {
      const location = request.url === '/away' ? `${other.url}/` : '/headers'
      if (request.url === '/headers') response.end(JSON.stringify(request.headers))
      else response.writeHead(302, { location }).end()
    })
    const headers = { authorization: 'secret', cookie: 'a=secret', 'x-own': 'kept' }
    const fetch = fetchOf(world.kernel)
    const same = (await (await fetch(`${url}/here`, { headers })).json()) as Record<string, string>
    expect([same['authorization'], same['cookie']]).toEqual(['secret', 'a=secret'])
    const away = (await (await fetch(`${url}/away`, { headers })).json()) as Record<string, string>
    expect([away['authorization'], away['cookie'], away['x-own']]).toEqual([undefined, undefined, 'kept'])
    expect(away['host']).toBe(`127.0.0.1:${other.port}`)
  })

  it('stops at redirects where it is told to, or where they lead nowhere', async () => {
    let count = 0
    const { url, port } = await world.serve((request, response) => {
      count++
      const locations: { readonly [path: string]: string } = {
        '/loop': '/loop',
        '/file': 'file:///etc/hostname',
        '/data': 'data:,x',
        '/user': `http://user:secret@127.0.0.1:${port}/`,
        '/wrong': 'http://[',
      }
      const location = locations[request.url as string]
      response.writeHead(302, location === undefined ? {} : { location }).end('a page')
    })
    const fetch = fetchOf(world.kernel)
    const manual = await fetch(`${url}/loop`, { redirect: 'manual' })
    expect([manual.status, manual.headers.get('location'), await manual.text()]).toEqual([302, '/loop', 'a page'])
    const nowhere = await fetch(`${url}/none`)
    expect([nowhere.status, nowhere.redirected]).toEqual([302, false])
    await expect(fetch(`${url}/loop`, { redirect: 'error' })).rejects.toThrow(TypeError)
    count = 0
    await expect(fetch(`${url}/loop`)).rejects.toThrow(/20 redirects/)
    expect(count).toBe(21)
    for (const path of ['/file', '/data', '/user', '/wrong']) {
      await expect(fetch(url + path)).rejects.toMatchObject({ name: 'TypeError', cause: { code: 'PROTOCOL' } })
    }
    const stream = new Blob(['x']).stream()
    const streamed = fetch(`${url}/loop`.replace('loop', 'keep'), { method: 'POST', body: stream, duplex: 'half' })
    expect((await streamed).status).toBe(302)
  })

  it('does not send a stream twice, and everything else as often as it has to', async () => {
    const { url } = await world.serve((request, response) => {
      if (request.url !== '/to')
        return void request.resume().on('end', () => response.writeHead(307, { location: '/to' }).end())
      request.pipe(response)
    })
    const fetch = fetchOf(world.kernel)
    const once = fetch(url, { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' })
    await expect(once).rejects.toMatchObject({ name: 'TypeError' })
    const form = new FormData()
    form.set('a', 'b')
    for (const [body, text] of [
      ['text', 'text'],
      [Buffer.from('bytes'), 'bytes'],
      [new Blob(['blob']), 'blob'],
      [new URLSearchParams({ a: 'b' }), 'a=b'],
      [form, /name="a"\r\n\r\nb/],
    ] as const) {
      expect(await (await fetch(url, { method: 'POST', body })).text()).toMatch(text)
    }
  })

  it('has no body where there is none', async () => {
    const { url } = await world.serve((request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end()
    })
    for (const status of [204, 205, 304]) {
      const response = await fetchOf(world.kernel)(`${url}/${status}`)
      expect([response.status, response.body]).toEqual([status, null])
    }
    const head = await fetchOf(world.kernel)(`${url}/200`, { method: 'HEAD' })
    expect([head.status, head.body, await head.text()]).toEqual([200, null, ''])
  })

  it('streams up and down, each at its reader’s pace', async () => {
    const { url } = await world.serve((request, response) => request.pipe(response))
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('hello '))
        controller.enqueue(new TextEncoder().encode('world'))
        controller.close()
      },
    })
    const response = await fetchOf(world.kernel)(url, { method: 'POST', body, duplex: 'half' })
    let text = ''
    for await (const bytes of response.body as ReadableStream<Uint8Array>) text += Buffer.from(bytes).toString()
    expect(text).toBe('hello world')
  })

  it('reads into memory of the reader’s', async () => {
    const { url } = await world.serve((_, response) => response.end('abcdef'))
    const response = await fetchOf(world.kernel)(url)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader({ mode: 'byob' })
    const pieces: string[] = []
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(4))
      if (value !== undefined && value.length > 0) pieces.push(Buffer.from(value).toString())
      if (done) break
    }
    expect(pieces).toEqual(['abcd', 'ef'])
  })

  it('ends with its signal’s reason though the body has come whole', async () => {
    const { url } = await world.serve((_, response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync('a')),
    )
    const fetch = fetchOf(world.kernel)
    const reason = new Error('enough')
    const controller = new AbortController()
    const response = await fetch(url, { signal: controller.signal })
    controller.abort(reason)
    await expect(response.text()).rejects.toBe(reason)
    expect(await (await fetch(url, null as never)).text()).toBe('a')
  })

  it('ends with its signal’s reason: before, in the head, in the body', async () => {
    const { url } = await world.serve((request, response) => {
      if (request.url === '/body') response.write('begin')
    })
    const fetch = fetchOf(world.kernel)
    const reason = new Error('enough')
    await expect(fetch(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    for (const path of ['/head', '/body']) {
      const controller = new AbortController()
      const answer = fetch(url + path, { signal: controller.signal }).then((response) => response.text())
      setTimeout(() => controller.abort(reason), 40)
      await expect(answer).rejects.toBe(reason)
    }
  })

  it('gives a body up that is cancelled, and its connection with it', async () => {
    let isGone = false
    const { url } = await world.serve((request, response) => {
      request.socket.on('close', () => {
        isGone = true
      })
      response.write('begin')
    })
    const response = await fetchOf(world.kernel)(url)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    const waiting = reader.read()
    await reader.cancel()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await until(() => isGone)
  })

  it.each<[title: string, input: string, init?: RequestInit]>([
    ['data:', 'data:,x'],
    ['about:', 'about:blank'],
    ['file:', 'file:///etc/hostname'],
    ['credentials', 'http://user:secret@127.0.0.1:1/'],
    ['no URL', '/relative'],
    ['CONNECT', 'http://127.0.0.1:1/', { method: 'CONNECT' }],
    ['GET with a body', 'http://127.0.0.1:1/', { body: 'x' }],
    ['a line in a header', 'http://127.0.0.1:1/', { headers: { a: 'b\r\nc: d' } }],
    ['an upgrade', 'http://127.0.0.1:1/', { headers: { upgrade: 'websocket' } }],
    ['another connection', 'http://127.0.0.1:1/', { headers: { connection: 'upgrade' } }],
    ['integrity', 'http://127.0.0.1:1/', { integrity: 'sha256-x' }],
    ['a cache', 'http://127.0.0.1:1/', { cache: 'only-if-cached', mode: 'same-origin' } as RequestInit],
    ['a stream without duplex', 'http://127.0.0.1:1/', { method: 'POST', body: new Blob(['x']).stream() }],
  ])('refuses %s', async (_, input, init) => {
    const refused = await fetchOf(world.kernel)(input, init).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(TypeError)
    expect(String(refused)).not.toContain('secret')
  })

  it('fails with a TypeError whose cause says why', async () => {
    const peer = await world.serveRaw((socket) => {
      socket.destroy()
    })
    await expect(fetchOf(world.kernel)(peer.url, { method: 'POST' })).rejects.toMatchObject({
      name: 'TypeError',
      cause: { side: 'remote', sent: 'maybe' },
    })
  })

  it('keeps no more origins than it may, and the least used goes first', async () => {
    const peers = await Promise.all(
      [1, 2, 3].map((number) => world.serve((_, response) => response.end(String(number)))),
    )
    const fetch = fetchOf(world.kernel, { originsMax: 2 })
    for (const index of [0, 1, 2, 0, 1]) {
      expect(await (await fetch((peers[index] as { readonly url: string }).url)).text()).toBe(String(index + 1))
    }
    const held = await world.serve((_, response) => response.write('begin'))
    const busy = await Promise.all([fetch(`${held.url}/`), fetch(`${(peers[0] as { url: string }).url}/`)])
    await (busy[1] as Response).text()
    expect((await fetch((peers[1] as { url: string }).url)).status).toBe(200)
    await (busy[0] as Response).body?.cancel()
  })

  it('goes through a proxy', async () => {
    const { port } = await world.serve((request, response) => response.end(request.headers.host))
    const proxy = await startProxy(port)
    try {
      const fetch = fetchOf(world.kernel, { proxy: proxy.url })
      expect(await (await fetch('http://a.test/x')).text()).toBe('a.test')
      expect(proxy.asked).toEqual(['GET http://a.test/x'])
    } finally {
      await proxy.close()
    }
  })
})

/** Requests and replies of every form through the real kernel, against node:http and against scripted bytes. */
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

function textReply(text: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
}

/** How many requests without a body are whole in what was received. */
function requestsIn(received: string): number {
  return received.split('\r\n\r\n').length - 1
}

inEveryMode('requests', (world) => {
  it.each([0, 1, 1000, 16_383, 16_384, 16_385, 100_000, 5_000_000])('bring %i bytes back', async (bytes) => {
    const data = Buffer.alloc(bytes, 'abcdefghij')
    const { url } = await world.serve((request, response) => {
      if (request.url === '/chunked') response.write(data.subarray(0, bytes / 2))
      else response.setHeader('content-length', bytes)
      response.end(request.url === '/chunked' ? data.subarray(bytes / 2) : data)
    })
    const api = world.connect(url)
    for (const path of ['/', '/chunked']) {
      const gathered = await api.get(path)
      expect((await gathered.body.bytes()).equals(data)).toBe(true)
      const looped: Buffer[] = []
      for await (const piece of (await api.get(path)).body) looped.push(piece)
      expect(Buffer.concat(looped).equals(data)).toBe(true)
      const { status, body, headers } = await api.head(path)
      expect([status, (await body.bytes()).length, headers.has('date')]).toEqual([200, 0, true])
    }
  })

  it('get each its own answer, many at once', async () => {
    const { url } = await world.serve((request, response) => {
      setImmediate(() => response.end(request.url))
    })
    const api = world.connect(url)
    const answers = await Promise.all(
      Array.from({ length: 500 }, async (_, number) => (await api.get(`/${number}`)).body.text()),
    )
    expect(answers).toEqual(Array.from({ length: 500 }, (_, number) => `/${number}`))
  })

  it('send bodies of every kind', async () => {
    const { url } = await world.serve((request, response) => {
      response.setHeader('x-type', request.headers['content-type'] ?? '')
      response.setHeader('x-length', request.headers['content-length'] ?? 'chunked')
      request.pipe(response)
    })
    const api = world.connect(url)
    const large = 'ü'.repeat(400_000)
    const form = new FormData()
    form.set('a', 'b')
    const bodies: readonly (readonly [body: never, text: string | RegExp, length: string | RegExp])[] = [
      ['text' as never, 'text', '4'],
      [Buffer.from('bytes') as never, 'bytes', '5'],
      [Uint8Array.from(Buffer.from('array')).buffer as never, 'array', '5'],
      [large as never, large, '800000'],
      [new Blob([large]) as never, large, '800000'],
      [new URLSearchParams({ a: 'b' }) as never, 'a=b', '3'],
      [form as never, /name="a"\r\n\r\nb\r\n/, 'chunked'],
      [[large, 'end'] as never, `${large}end`, 'chunked'],
      [new Blob([large]).stream() as never, large, 'chunked'],
    ]
    for (const [body, text, length] of bodies) {
      const response = await api.put('/', { body })
      const echoed = await response.body.text()
      if (typeof text === 'string') expect(echoed === text).toBe(true)
      else expect(echoed).toMatch(text)
      expect(response.headers.get('x-length')).toBe(length)
    }
  })

  it('send and read trailers', async () => {
    const { url } = await world.serve((request, response) => {
      request.resume().on('end', () => {
        response.write('a')
        response.addTrailers({ 'x-got': String(request.trailers['x-sum']) })
        response.end()
      })
    })
    const { body, trailers } = await world.connect(url).post('/', { body: ['a'], trailers: { 'x-sum': '7' } })
    expect([await body.text(), trailers.get('x-got')]).toEqual(['a', '7'])
  })

  it('HEAD with a length, then GET, over one connection', async () => {
    const peer = await world.serve((request, response) => {
      if (request.method === 'HEAD') response.setHeader('content-length', 1000).end()
      else response.end('got')
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    const [head, got] = await Promise.all([api.head('/'), api.get('/')])
    expect([head.headers.get('content-length'), await got.body.text(), peer.connections]).toEqual(['1000', 'got', 1])
  })

  it('304 with a length and no body, then 200, over one connection', async () => {
    const peer = await world.serveRaw((socket, received) => {
      const count = requestsIn(received)
      socket.write(count === 1 ? 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n' : textReply('right'))
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    const first = await api.get('/')
    const second = await api.get('/')
    expect([first.status, await second.body.text(), peer.connections]).toEqual([304, 'right', 1])
  })

  it('304 with a body that must not be there never gives it to the next one', async () => {
    const peer = await world.serveRaw((socket, _, connection) => {
      if (connection === 1) socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello')
      else socket.write(textReply('right'))
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    const answers = await Promise.all([api.get('/1'), api.get('/2')])
    expect(answers.map(({ status }) => status)).toEqual([304, 200])
    expect(await answers[1].body.text()).toBe('right')
  })

  it('never take what nobody asked for', async () => {
    const peer = await world.serveRaw((socket, _, connection) => {
      socket.write(textReply('right'))
      if (connection === 1) setTimeout(() => socket.write(textReply('poison')), 20)
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    expect(await (await api.get('/')).body.text()).toBe('right')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await (await api.get('/')).body.text()).toBe('right')
    expect(peer.connections).toBe(2)
  })

  it('skip 1xx, and show them as they come', async () => {
    const peer = await world.serveRaw((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n')
      setTimeout(() => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${textReply('right')}`), 30)
    })
    const api = world.connect(peer.url)
    expect(await (await api.get('/')).body.text()).toBe('right')
    const seen: unknown[] = []
    const response = api.get('/', { onInformation: ({ status, headers }) => seen.push(status, headers.get('link')) })
    await until(() => seen.length > 0)
    expect(seen).toEqual([103, '</a.css>'])
    expect(await (await response).body.text()).toBe('right')
    expect(seen).toEqual([103, '</a.css>', 100, undefined])
  })

  it('go out again over another connection where theirs had gone stale, unless twice is not once', async () => {
    const peer = await world.serveRaw((socket, received) => {
      if (requestsIn(received) === 1) socket.write(textReply('right'))
      else socket.destroy()
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    const texts: string[] = []
    for (let round = 0; round < 3; round++) texts.push(await (await api.get('/')).body.text())
    expect(texts).toEqual(['right', 'right', 'right'])
    const posts = await Promise.allSettled([1, 2].map(() => api.post('/')))
    const failures = posts.filter((post) => post.status === 'rejected').map(({ reason }) => reason)
    expect(failures.length).toBeGreaterThan(0)
    for (const failure of failures) expect(failure).toMatchObject({ side: 'remote', sent: 'maybe' })
  })

  it('tell a body that ends from one that was cut', async () => {
    const replies: { readonly [path: string]: string } = {
      '/close': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall',
      '/old': 'HTTP/1.0 200 OK\r\n\r\nall',
      '/coded': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nall',
      '/short': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nall',
      '/chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall',
      '/last': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n',
      '/head': 'HTTP/1.1 200 OK\r\nContent-Le',
    }
    const peer = await world.serveRaw((socket, received) => {
      socket.end(replies[received.split(' ')[1] as string] as string)
    })
    const api = world.connect(peer.url)
    const textOf = async (path: string): Promise<string> =>
      (await api.get(path, { idempotent: false, deadlineMs: 5000 })).body.text()
    for (const path of ['/close', '/old', '/coded']) expect(await textOf(path)).toBe('all')
    for (const path of ['/short', '/chunk', '/last', '/head']) {
      await expect(textOf(path)).rejects.toMatchObject({ side: 'remote' })
    }
  })

  it('stand behind each other by option, and go elsewhere, once, where the server wants no more', async () => {
    const served: string[] = []
    let deepest = 0
    const peer = await world.serveRaw((socket, received, connection) => {
      const paths = received.split('\r\n\r\n').flatMap((request) => request.split(' ')[1] ?? [])
      const latest = paths.at(-1) as string
      if (connection === 1 && paths.length > 1) {
        deepest = Math.max(deepest, paths.length)
        if (paths.length < 4) return
        served.push(paths[1] as string)
        socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n${paths[1]}`)
        return
      }
      served.push(latest)
      socket.write(textReply(latest))
    })
    const api = world.connect({ origin: peer.url, pipelining: 8 }, { lanesMax: 1 })
    // The first shows that the server speaks 1.1.
    await api.get('/0')
    const answers = await Promise.all(['/1', '/2', '/3'].map(async (path) => (await api.get(path)).body.text()))
    expect([answers, deepest]).toEqual([['/1', '/2', '/3'], 4])
    expect(served).toEqual(['/0', '/1', '/2', '/3'])
  })

  it('never stand behind a POST', async () => {
    const open: string[] = []
    const beside: string[] = []
    const { url } = await world.serve((request, response) => {
      open.push(request.method as string)
      if (open.includes('POST') && open.length > 1) beside.push(open.join(' '))
      setTimeout(() => {
        open.shift()
        response.end('x')
      }, 5)
    })
    const api = world.connect({ origin: url, pipelining: 8 }, { lanesMax: 1 })
    await api.get('/')
    await Promise.all([api.post('/'), api.get('/'), api.post('/'), api.get('/'), api.get('/')])
    expect(beside).toEqual([])
  })

  it('give up at their deadline, or by their signal: before, in the head, in the body', async () => {
    const { url } = await world.serve((request, response) => {
      if (request.url === '/body') response.write('begin')
    })
    const api = world.connect(url)
    await expect(api.get('/', { deadlineMs: 30 })).rejects.toMatchObject({ code: 'DEADLINE' })
    await expect(api.get('/', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED', sent: 'no' })
    await expect(api.get('/', { signal: AbortSignal.timeout(30) })).rejects.toMatchObject({ code: 'ABORTED' })
    const { body } = await api.get('/body', { signal: AbortSignal.timeout(50) })
    await expect(body.bytes()).rejects.toMatchObject({ code: 'ABORTED' })
    const silent = await api.get('/body', { deadlineMs: 50 })
    await expect(silent.body.bytes()).rejects.toMatchObject({ code: 'DEADLINE' })
  })

  it('answer an empty reply too', async () => {
    const peer = await world.serveRaw((socket) => {
      socket.write(EMPTY)
    })
    const { status, body } = await world.connect(peer.url).get('/')
    expect([status, (await body.bytes()).length]).toEqual([200, 0])
  })
})

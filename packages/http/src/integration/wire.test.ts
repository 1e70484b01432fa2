/** What only bytes can show: peers that break the rules, or use their corners, through the kernel in both modes. */
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

const LATE = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
const reply = (text: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${text.length}\r\n\r\n${text}`

inEveryMode('on the wire', (world) => {
  it('a server that waited in vain is asked again over another connection, where twice is once', async () => {
    const peer = await world.serveRaw((socket, _, connection) => {
      socket.end(connection === 1 ? LATE : reply('second'))
    })
    const answered = await world.connect(peer.url).get('/')
    expect([answered.status, await answered.body.text()]).toEqual([200, 'second'])
    const other = await world.serveRaw((socket) => socket.end(LATE))
    expect((await world.connect(other.url).post('/', { body: 'x' })).status).toBe(408)
  })

  it('a 408 on a connection that idles is nobody’s answer', async () => {
    const peer = await world.serveRaw((socket, received) => {
      if (received.includes('/first')) socket.write(reply('first'), () => setImmediate(() => socket.end(LATE)))
      else socket.end(reply('second', 'Connection: close\r\n'))
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    expect(await (await api.get('/first')).body.text()).toBe('first')
    await until(() => peer.connections === 1)
    expect(await (await api.get('/second')).body.text()).toBe('second')
  })

  it.each([
    ['a space before a colon', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['a line feed by itself', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['a chunk with an underscore', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0_2\r\nok\r\n0\r\n\r\n'],
    ['101 that nobody asked for', 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
    ['HTTP/2', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('%s fails the call, and the next one has another connection', async (_what, bytes) => {
    const peer = await world.serveRaw((socket, _received, connection) => {
      socket.write(Buffer.from(connection === 1 ? bytes : reply('right'), 'latin1'))
    })
    const api = world.connect(peer.url, { retryPercent: 0, retriesPerSecond: 0 })
    await expect(api.post('/')).rejects.toMatchObject({ code: 'PROTOCOL', side: 'remote', sent: 'maybe' })
    expect(await (await api.get('/')).body.text()).toBe('right')
    expect(peer.connections).toBe(2)
  })

  it('a head of 100 KB, and 20 000 fields, are refused by the limit’s name', async () => {
    const peer = await world.serveRaw((socket, received) => {
      const fields = received.includes('/many') ? 'A:\r\n'.repeat(20_000) : `A: ${'x'.repeat(100_000)}\r\n`
      socket.end(`HTTP/1.1 200 OK\r\n${fields}\r\n`)
    })
    const api = world.connect(peer.url)
    await expect(api.post('/long')).rejects.toThrow(/headBytesMax/)
    await expect(api.post('/many')).rejects.toThrow(/fieldsMax/)
    const patient = world.connect({ origin: peer.url, limits: { headBytesMax: 200_000, fieldsMax: 30_000 } })
    expect((await patient.post('/long')).headers.get('a')).toHaveLength(100_000)
    expect((await patient.post('/many')).headers.getAll('a')).toHaveLength(20_000)
  })

  it('chunks and length in one reply: the chunks count, and the connection is not used again', async () => {
    const peer = await world.serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')
    })
    const api = world.connect(peer.url, { lanesMax: 1 })
    for (let round = 0; round < 2; round++) expect(await (await api.get('/')).body.text()).toBe('ok')
    expect(peer.connections).toBe(2)
  })

  it('a stream of events comes event by event', async () => {
    let send = (_event: string): void => undefined
    const peer = await world.serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
      send = (event) => socket.write(`${event.length.toString(16)}\r\n${event}\r\n`)
    })
    const { body } = await world.connect(peer.url).get('/')
    const events = body[Symbol.asyncIterator]()
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      send(event)
      expect(String((await events.next()).value)).toBe(event)
    }
    send('')
  })

  it('the monitor asks the path that the target names, and notices a server that went silent', async () => {
    const asked: string[] = []
    let isSilent = false
    const peer = await world.serveRaw((socket, received) => {
      if (received.startsWith('HEAD')) asked.push(received)
      if (isSilent) return
      socket.end(received.startsWith('HEAD') ? 'HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n' : reply('x'))
    })
    const limits = { probeIntervalMs: 20, probeTimeoutMs: 100, laneSilenceMs: 50, lanesMin: 1 }
    const api = world.connect({ origin: peer.url, probe: '/healthz' }, limits)
    expect(await (await api.get('/')).body.text()).toBe('x')
    await until(() => asked.length > 1)
    expect(asked[0]).toBe(`HEAD /healthz HTTP/1.1\r\nhost: ${peer.url.slice(7)}\r\nconnection: close\r\n\r\n`)
    isSilent = true
    await expect(api.post('/', { deadlineMs: 10_000 })).rejects.toMatchObject({ side: 'remote', sent: 'maybe' })
  })
})

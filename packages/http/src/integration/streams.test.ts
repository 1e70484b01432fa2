/** Bodies that flow, both ways, at the pace of the slower side; uploads that end early; connections handed over. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

const MEGABYTE = 1 << 20
/** What may be on its way: the kernel's credit, the ring, and the sockets of both sides. */
const ON_ITS_WAY_BYTES = 24 * MEGABYTE

inEveryMode('streams', (world) => {
  it('hold the server back while nobody reads', async () => {
    let written = 0
    const total = 200 * MEGABYTE
    const { url } = await world.serve((_, response) => {
      const piece = Buffer.alloc(MEGABYTE)
      const fill = (): void => {
        while (written < total) {
          written += piece.length
          if (!response.write(piece)) return void response.once('drain', fill)
        }
        response.end()
      }
      fill()
    })
    const { body } = await world.connect(url).get('/')
    let last = -1
    await until(() => {
      const isStill = written === last
      last = written
      return isStill
    })
    expect(written).toBeLessThan(ON_ITS_WAY_BYTES)
    let read = 0
    for await (const piece of body) read += piece.length
    expect(read).toBe(total)
  })

  it('are not taken for whole where somebody else gave them up', async () => {
    const { url } = await world.serve((_, response) => response.write('begin'))
    const { body } = await world.connect(url).get('/')
    const pieces = body[Symbol.asyncIterator]()
    expect(String((await pieces.next()).value)).toBe('begin')
    const waiting = pieces.next()
    await body.close()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('give their connection back where nobody can read them any more', async () => {
    let isGone = false
    const { url } = await world.serve((request, response) => {
      request.socket.on('close', () => {
        isGone = true
      })
      response.write('begin')
    })
    await (async () => {
      const response = await world.connect(url).get('/')
      expect(response.body.isWhole).toBe(false)
    })()
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    await until(() => {
      collect()
      return isGone
    })
  })

  it('hold the source back while the server does not read', async () => {
    let go: () => void = () => undefined
    const { url } = await world.serve((request, response) => {
      go = () => request.resume().on('end', () => response.end('done'))
    })
    let given = 0
    const body = (async function* () {
      for (; given < 100; given++) yield Buffer.alloc(MEGABYTE)
    })()
    const response = world.connect(url).put('/', { body })
    let last = -1
    await until(() => {
      const isStill = given > 0 && given === last
      last = given
      return isStill
    })
    expect(given * MEGABYTE).toBeLessThan(ON_ITS_WAY_BYTES)
    go()
    expect(await (await response).body.text()).toBe('done')
    expect(given).toBe(100)
  })

  it('end an upload that was answered before its end', async () => {
    const { url } = await world.serve((_, response) => {
      response.writeHead(413, { connection: 'close' }).end('too large')
    })
    let isEnded = false
    const body = (async function* () {
      try {
        for (;;) yield Buffer.alloc(MEGABYTE)
      } finally {
        isEnded = true
      }
    })()
    const response = await world.connect(url).post('/', { body })
    expect([response.status, await response.body.text()]).toEqual([413, 'too large'])
    await until(() => isEnded)
  })

  it('flow both ways at once', async () => {
    const { url } = await world.serve((request, response) => {
      response.flushHeaders()
      request.on('data', (bytes) => response.write(`<${bytes}>`)).on('end', () => response.end())
    })
    let next: (text: string | undefined) => void = () => undefined
    const body = (async function* () {
      for (;;) {
        const text = await new Promise<string | undefined>((resolve) => {
          next = resolve
        })
        if (text === undefined) return
        yield text
      }
    })()
    const response = await world.connect(url).post('/', { body })
    const pieces = response.body[Symbol.asyncIterator]()
    for (const text of ['one', 'two', 'three']) {
      next(text)
      expect(String((await pieces.next()).value)).toBe(`<${text}>`)
    }
    next(undefined)
    expect((await pieces.next()).done).toBe(true)
  })

  it('send a body once the server has said 100', async () => {
    const began: string[] = []
    const { url, server } = await world.serve((request, response) => {
      request.on('data', () => began.push('data')).on('end', () => response.end('done'))
    })
    server.on('checkContinue', (request, response) => {
      began.push('asked')
      setTimeout(() => {
        began.push('continue')
        response.writeContinue()
        server.emit('request', request, response)
      }, 30)
    })
    const response = await world.connect(url).post('/', { body: 'abc', expectContinue: true })
    expect(await response.body.text()).toBe('done')
    expect(began).toEqual(['asked', 'continue', 'data'])
  })

  it('use a connection again after an upload that went well', async () => {
    const peer = await world.serve((request, response) => {
      request.resume().on('end', () => response.end('done'))
    })
    const api = world.connect(peer.url)
    for (let round = 0; round < 5; round++) {
      for (const body of [['chunked'], new Blob(['known'])]) {
        expect(await (await api.post('/', { body })).body.text()).toBe('done')
      }
    }
    // A lane that was opened at once, and the session's.
    expect(peer.connections).toBeLessThanOrEqual(2)
  })

  it('fail with the connection, not for ever', async () => {
    const { url } = await world.serve((request) => {
      request.once('data', () => request.socket.destroy())
    })
    const body = (async function* () {
      for (;;) {
        yield Buffer.alloc(1000)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    await expect(world.connect(url).post('/', { body })).rejects.toMatchObject({ side: 'remote', sent: 'maybe' })
  })

  it('hand a connection over, with what came behind the head', async () => {
    const { url, server } = await world.serve((_, response) => response.end())
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello')
      socket.pipe(socket)
    })
    const duplex = await world.connect(url).upgrade('/', { protocol: 'echo' })
    const pieces = duplex[Symbol.asyncIterator]()
    expect(String((await pieces.next()).value)).toBe('hello')
    const large = Buffer.alloc(3 * MEGABYTE, 'x')
    const writing = duplex.write(large)
    let back = 0
    while (back < large.length) back += ((await pieces.next()).value as Buffer).length
    await writing
    await duplex.close()
  })

  it('end a connection that was handed over when the server does', async () => {
    const { url, server } = await world.serve((_, response) => response.end())
    server.on('upgrade', (_, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nbye')
    })
    const duplex = await world.connect(url).upgrade('/', { protocol: 'echo' })
    let text = ''
    for await (const bytes of duplex) text += bytes
    expect(text).toBe('bye')
  })

  it('are refused an upgrade by name', async () => {
    const { url } = await world.serve((_, response) => response.writeHead(426).end('no'))
    await expect(world.connect(url).upgrade('/', { protocol: 'echo' })).rejects.toMatchObject({
      code: 'UPGRADE_REFUSED',
      fields: { status: 426 },
    })
  })
})

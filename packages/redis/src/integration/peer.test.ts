/** What no real server can be made to say: bad, strange and late bytes from a scripted peer. */
import { RemoteProtocolError } from '@iokernel/core'
import { afterEach, expect, it } from 'vitest'
import { type Answer, type Peer, type PeerOptions, startPeer } from '../../fixtures/peer.ts'
import { inEveryMode, until } from '../../fixtures/world.ts'

const PUSH = '>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n'

inEveryMode('a peer', {}, (world) => {
  const peers: Peer[] = []
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.close()))
  })
  const meet = async (answer: Answer, options?: PeerOptions) => {
    const peer = await startPeer(answer, options)
    peers.push(peer)
    return { peer, client: world.connect({ host: peer.host, port: peer.port }) }
  }

  it.each([Number.POSITIVE_INFINITY, 1, 7])(
    'may send pushes inside EXEC (Redis before 7.2), in writes of %d bytes',
    async (chunkBytes) => {
      const { client } = await meet(
        (words) =>
          ({
            MULTI: '+OK\r\n',
            ECHO: '+QUEUED\r\n',
            EXEC: `*3\r\n+one\r\n${PUSH}:1\r\n|1\r\n+a\r\n+b\r\n+three\r\n`,
            GET: `${PUSH}$1\r\nv\r\n`,
          })[words[0] as string],
        { chunkBytes },
      )
      const [batch, value] = await Promise.all([client.multi().echo('1').echo('2').echo('3').exec(), client.get('k')])
      expect(batch).toEqual(['one', 1, 'three'])
      expect(value).toBe('v')
      await client.close()
    },
  )

  it.each([
    ['20 000 arrays in one another', '*1\r\n'.repeat(20_000)],
    ['a length that is none', '$abc\r\n'],
    ['a length that is negative', '$-2\r\n'],
    ['a bulk string of another length', '$2\r\nhiXX'],
    ['4 thousand million elements', '*4294967295\r\n'],
    ['a bulk string of 10 TB', '$9999999999999\r\n'],
    ['an integer that ends in LF', ':1\n'],
    ['CR in a simple string', '+a\rb\r\n'],
    ['a streamed string', '$?\r\n;4\r\nhell\r\n'],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ])('is not believed when it sends %s: those calls fail, the connection is replaced', async (_, bytes) => {
    let bad = 1
    const { peer, client } = await meet((words) => {
      if (words[0] !== 'GET') return undefined
      return bad-- > 0 ? bytes : '$4\r\ngood\r\n'
    })
    const other = world.connect()
    await client.ready()
    const before = peer.connections
    const results = await Promise.allSettled([
      client.call('INCR', 'k'),
      client.get('k', { idempotent: false }),
      other.set('k', 'v'),
    ])
    expect(results[0]).toMatchObject({ status: 'fulfilled' })
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'PROTOCOL', sent: 'maybe' } })
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(RemoteProtocolError)
    expect(results[2]).toMatchObject({ value: 'OK' })
    expect(await client.get('k')).toBe('good')
    expect(peer.connections).toBeGreaterThan(before)
    await client.close()
  })

  it('that speaks while nothing was asked loses its connection, and nobody gets its words', async () => {
    let talk: (() => void) | undefined
    const { peer, client } = await meet((words, socket) => {
      if (words[0] === 'SET') talk = () => socket.write('$6\r\npoison\r\n')
      return words[0] === 'GET' ? '$4\r\nmine\r\n' : undefined
    })
    await client.set('k', 'v')
    const before = peer.connections
    talk?.()
    await until(() => peer.connections > before)
    expect(await client.get('k')).toBe('mine')
    await client.close()
  })

  it('that is loading its data is asked again', async () => {
    let loading = 3
    const { client } = await meet((words) =>
      words[0] === 'PING' && loading-- > 0 ? '-LOADING Redis is loading\r\n' : undefined,
    )
    expect(await client.set('k', 'v')).toBe('OK')
    await client.close()
  })

  it('that says it did nothing is asked again, within the deadline', async () => {
    let busy = 2
    const { client } = await meet((words) => (words[0] === 'GET' && busy-- > 0 ? '-TRYAGAIN later\r\n' : undefined))
    expect(await client.get('k')).toBe('OK')
    await client.close()
  })

  it('that says so of a write is believed by the caller alone: a script may have made it up', async () => {
    let asked = 0
    const { client } = await meet((words) => {
      if (words[0] !== 'EVAL') return undefined
      asked++
      return '-TRYAGAIN made up\r\n'
    })
    await expect(client.eval('return 1', 0)).rejects.toMatchObject({ code: 'TRYAGAIN' })
    expect(asked).toBe(1)
    await client.close()
  })

  it('that has become a replica keeps its connection where there is no other, and the call has its error', async () => {
    const { peer, client } = await meet((words) => (words[0] === 'SET' ? '-READONLY You cannot write\r\n' : undefined))
    await client.ready()
    for (let time = 0; time < 5; time++) {
      await expect(client.set('k', 'v')).rejects.toMatchObject({ code: 'READONLY' })
      expect(await client.ping()).toBe('PONG')
    }
    expect(peer.connections).toBe(1)
    await client.close()
  })

  it('that knows no HELLO is spoken to in RESP2', async () => {
    const { client } = await meet((words) => {
      if (words[0] === 'HELLO') return "-ERR unknown command 'HELLO'\r\n"
      return words[0] === 'HGETALL' ? '*2\r\n$1\r\nf\r\n$1\r\nv\r\n' : undefined
    })
    expect({ ...(await client.hgetall('k')) }).toEqual({ f: 'v' })
    await client.close()
  })

  it('that has no RESET gets its sessions closed, not reused', async () => {
    let connection = 0
    const { client } = await meet((words, socket) => {
      if (words[0] === 'HELLO') Object.assign(socket, { number: ++connection })
      if (words[0] === 'RESET') return "-ERR unknown command 'RESET'\r\n"
      return words[0] === 'GET' ? `:${(socket as unknown as { number: number }).number}\r\n` : undefined
    })
    const first = await client.session((session) => session.call('GET', 'k'))
    const second = await client.session((session) => session.call('GET', 'k'))
    expect(second).not.toBe(first)
    await client.close()
  })
})

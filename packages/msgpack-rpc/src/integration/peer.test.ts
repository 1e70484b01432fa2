/** What no real peer can be made to say: answers out of order, strange, late, twice, and to nobody. */
import { RemoteProtocolError } from '@iokernel/core'
import { RpcError } from '@iokernel/msgpack-rpc'
import { afterEach, expect, it } from 'vitest'
import { bytes, failure, notification, request, result } from '../../fixtures/messages.ts'
import { type Message, type Peer, type PeerOptions, type Say, startPeer } from '../../fixtures/peer.ts'
import { inEveryMode, until } from '../../fixtures/world.ts'

inEveryMode('a peer', (world) => {
  const peers: Peer[] = []
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.close()))
  })
  const meet = async (answer: (message: Message, say: Say) => void, options?: PeerOptions) => {
    const peer = await startPeer(answer, options)
    peers.push(peer)
    return { peer, client: world.connect({ host: peer.host, port: peer.port }) }
  }
  const echo = ([type, id, , params]: Message, say: Say) => {
    if (type === 0) say(result(id as number, params))
  }

  it.each([Number.POSITIVE_INFINITY, 1, 3])('may answer out of order, in writes of %d bytes', async (chunkBytes) => {
    const held: (() => void)[] = []
    const { client } = await meet(
      ([, id, method, params], say) => {
        held.push(() => say(method === 'fail' ? failure(id as number, params) : result(id as number, params)))
        if (held.length === 8) for (const answer of held.splice(0).reverse()) answer()
      },
      { chunkBytes },
    )
    const calls = Array.from({ length: 8 }, (_, index) =>
      client.call(index === 5 ? 'fail' : 'echo', [index, 'x'.repeat(index)]),
    )
    const results = await Promise.allSettled(calls)
    for (const [index, settled] of results.entries()) {
      const params = [index, 'x'.repeat(index)]
      if (index !== 5) expect(settled).toEqual({ status: 'fulfilled', value: params })
      else {
        expect(settled).toMatchObject({ status: 'rejected', reason: { code: 'CALL_FAILED', error: params } })
        expect((settled as PromiseRejectedResult).reason).toBeInstanceOf(RpcError)
      }
    }
    await client.close()
  })

  it('may answer in any encoding, and in long parts', async () => {
    const { client } = await meet(([, id, method], say) => {
      const wide = Buffer.alloc(8)
      wide.writeBigUInt64BE(BigInt(id as number))
      if (method === 'wide') say(bytes('dc 00 04 cc 01 cf', wide, 'c0 2a'))
      else say(result(id as number, ['x'.repeat(300_000), 7]))
    })
    const [wide, long, again] = await Promise.all([client.call('wide'), client.call('long'), client.call('wide')])
    expect([wide, again]).toEqual([42, 42])
    expect(long).toEqual(['x'.repeat(300_000), 7])
    await client.close()
  })

  it('may answer late, twice, and calls that never were: nobody is disturbed', async () => {
    const late: number[] = []
    const { peer, client } = await meet(([, id, method], say) => {
      if (method === 'late') late.push(id as number)
      else if (method === 'twice') say(result(id as number, 'first'), result(id as number, 'second'))
      else if (method === 'strange')
        say(result(0xffff_fff0, 'nobody'), failure(0x7fff_ffff, 'nobody'), result(id as number, 'mine'))
      else if (method === 'flush') say(...late.map((each) => result(each, 'late')), result(id as number, 'mine'))
    })
    await expect(client.call('late', [], { deadlineMs: 30 })).rejects.toMatchObject({ code: 'DEADLINE', sent: 'maybe' })
    expect(await Promise.all(['twice', 'flush', 'strange', 'twice'].map((method) => client.call(method)))).toEqual([
      'first',
      'mine',
      'mine',
      'first',
    ])
    expect(late).toHaveLength(1)
    expect(peer.connections).toBe(1)
    // Two that were never made are told of once; late and second answers are no news.
    expect(world.log.filter((line) => line.includes(`:${peer.port}`))).toEqual([
      expect.stringContaining('answers calls that nobody made'),
    ])
    await client.close()
  })

  it.each([
    ['type 7', bytes('94 07 01 c0 c0')],
    ['what is no array', bytes('c0')],
    ['c1', bytes('c1')],
    ['a response of three', bytes('93 01 01 c0')],
    ['4 thousand million elements', bytes('94 01 01 c0 dd ff ff ff ff')],
    ['100 000 arrays in one another', bytes('94 01 01 c0', Buffer.alloc(100_000, 0x91))],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('is not believed when it sends %s: that call fails, the connection is replaced', async (_, bad) => {
    let left = 1
    const { peer, client } = await meet(([, id], say) => (left-- > 0 ? say(bad) : say(result(id as number, 'good'))))
    const failed = client.call('first')
    await expect(failed).rejects.toBeInstanceOf(RemoteProtocolError)
    await expect(failed).rejects.toMatchObject({ code: 'PROTOCOL', sent: 'maybe' })
    expect(await client.call('second')).toBe('good')
    expect(peer.connections).toBe(2)
    await client.close()
  })

  it('that sends text which is no UTF-8 fails that call alone', async () => {
    const { peer, client } = await meet(([, id, method], say) =>
      say(method === 'bad' ? bytes('94 01', idBytes(id as number), 'c0 a1 ff') : result(id as number, 'good')),
    )
    const [bad, good] = await Promise.allSettled([client.call('bad'), client.call('good')])
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'PROTOCOL' } })
    expect(good).toMatchObject({ value: 'good' })
    expect(peer.connections).toBe(1)
    await client.close()
  })

  it('may notify at any time, before an answer and in the middle of calls', async () => {
    const { peer, client } = await meet(([, id], say) =>
      say(notification('news', 1), notification('other', 0), result(id as number, 'mine'), notification('news', 2)),
    )
    const news = client.on('news')
    const bin = client.on('größe')
    await Promise.all([news.ready(), bin.ready()])
    expect(await client.call('any')).toBe('mine')
    expect((await news.next()).value).toEqual({ type: 'notification', method: 'news', params: [1] })
    expect((await news.next()).value).toEqual({ type: 'notification', method: 'news', params: [2] })
    peer.say(bytes('93 02 c4 07', Buffer.from('größe'), '91 81 a1 61 ff'))
    expect((await bin.next()).value).toEqual({ type: 'notification', method: 'größe', params: [{ a: -1 }] })
    peer.say(bytes('93 02 a4 6e657773 91 a1 ff'))
    expect((await news.next()).value).toMatchObject({ type: 'unreadable', method: 'news', error: { code: 'PROTOCOL' } })
    await Promise.all([news.close(), bin.close()])
    await client.close()
  })

  it('hears notifications in the order of the calls around them', async () => {
    const { peer, client } = await meet(echo)
    const sent = [client.notify('a', [1]), client.call('b', [2]), client.notify('c'), client.call('d', [4])]
    await Promise.all(sent)
    expect(peer.heard.map((message) => (message[0] === 2 ? message : [message[0], ...message.slice(2)]))).toEqual([
      [2, 'a', [1]],
      [0, 'b', [2]],
      [2, 'c', []],
      [0, 'd', [4]],
    ])
    await client.close()
  })

  it('asks, and is answered over the same connection: values, promises, errors of every kind', async () => {
    const { peer, client } = await meet(echo)
    await client.ready()
    const handlers = [
      client.handle('add', ([left, right]) => (left as number) + (right as number)),
      client.handle('later', async ([value]) => {
        await client.call('echo', [value])
        return { value }
      }),
      client.handle('nothing', () => undefined),
      client.handle('fail', () => {
        throw new Error('it went wrong')
      }),
      client.handle('fail with', ([value]) => Promise.reject(value)),
      client.handle('fail with its own', () => {
        throw new RpcError([0, 'Neovim speaks so'])
      }),
      client.handle('lost', () => new Map()),
    ]
    await Promise.all(handlers.map((handler) => handler.ready()))
    const asked = [
      [1, 'add', [1, 2]],
      [0, 'later', ['x']],
      [0xffff_ffff, 'nothing', []],
      [300, 'fail', []],
      [4, 'fail with', [{ code: 5 }]],
      [5, 'fail with', [null]],
      [6, 'fail with its own', []],
      [70_000, 'lost', []],
      [8, 'unheard of', []],
    ] as const
    peer.say(...asked.map(([id, method, params]) => request(id, method, ...params)))
    await until(() => peer.heard.filter(([type]) => type === 1).length === asked.length)
    const answers = new Map(peer.heard.filter(([type]) => type === 1).map(([, id, ...rest]) => [id, rest]))
    expect(answers.get(1)).toEqual([null, 3])
    expect(answers.get(0)).toEqual([null, { value: 'x' }])
    expect(answers.get(0xffff_ffff)).toEqual([null, null])
    expect(answers.get(300)).toEqual(['it went wrong', null])
    expect(answers.get(4)).toEqual([{ code: 5 }, null])
    expect(answers.get(5)).toEqual([expect.stringContaining('did not say why'), null])
    expect(answers.get(6)).toEqual([[0, 'Neovim speaks so'], null])
    expect(answers.get(70_000)).toEqual([expect.stringContaining('cannot be encoded'), null])
    expect(answers.get(8)).toEqual([expect.stringContaining('no such method'), null])
    expect(peer.connections).toBe(1)
    await Promise.all(handlers.map((handler) => handler.close()))
    // Behind the news that nobody handles it any more.
    await client.call('echo')
    peer.say(request(9, 'add', 1, 2))
    await until(() => peer.heard.some(([type, id]) => type === 1 && id === 9))
    expect(peer.heard.at(-1)).toEqual([1, 9, expect.stringContaining('no such method'), null])
    await client.close()
  })

  it('may call back during a call, and again during that', async () => {
    const waiting = new Map<number, number>()
    const { client } = await meet(([type, id, ...rest], say) => {
      if (type === 1) {
        const [error, value] = rest
        expect(error).toBe(null)
        say(result(waiting.get(id as number) as number, value))
        return
      }
      const [, [depth]] = rest as [string, [number]]
      if (depth === 0) return say(result(id as number, 'bottom'))
      waiting.set(1000 + depth, id as number)
      say(request(1000 + depth, 'down', depth - 1))
    })
    const handler = client.handle('down', async ([depth]) => `${await client.call('down', [depth])}!`)
    await handler.ready()
    expect(await client.call('down', [20])).toBe(`bottom${'!'.repeat(20)}`)
    await handler.close()
    await client.close()
  })

  it('is told when more is asked than is handled at once', async () => {
    const { peer, client } = await meet(echo)
    let release: (() => void) | undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const handler = client.handle('slow', () => held, { runningMax: 2 })
    await handler.ready()
    peer.say(...[1, 2, 3].map((id) => request(id, 'slow')))
    await until(() => peer.heard.length === 1)
    expect(peer.heard[0]).toEqual([1, 3, expect.stringContaining('too many requests'), null])
    release?.()
    await until(() => peer.heard.length === 3)
    peer.say(request(4, 'slow'))
    await until(() => peer.heard.length === 4)
    expect(peer.heard.slice(1).map(([, id, error]) => [id, error])).toEqual([
      [1, null],
      [2, null],
      [4, null],
    ])
    await handler.close()
    await client.close()
  })

  it('that goes takes its calls along, and comes back with a gap', async () => {
    const { peer, client } = await meet(([, id, method], say) => {
      if (method !== 'hang') say(notification('news', method), result(id as number, 'ok'))
    })
    const news = client.on('news')
    expect(await client.call('before')).toBe('ok')
    const lost = client.call('hang')
    await until(() => peer.heard.length === 2)
    peer.hangUp()
    await expect(lost).rejects.toMatchObject({ sent: 'maybe' })
    expect(await client.call('after')).toBe('ok')
    const events = [await news.next(), await news.next(), await news.next()].map(({ value }) => value)
    expect(events).toMatchObject([
      { params: ['before'] },
      { type: 'gap', reason: 'reconnected' },
      { params: ['after'] },
    ])
    await news.close()
    await client.close()
  })

  it('is asked over a connection of its own for each session', async () => {
    const { peer, client } = await meet(echo)
    await client.ready()
    await client.session(async (session) => {
      expect(await session.call('echo', ['mine'])).toEqual(['mine'])
      await session.notify('note')
      expect(peer.connections).toBe(2)
      const handler = client.handle('over the session', () => 'answered')
      await handler.ready()
      peer.say(request(5, 'over the session'))
      await until(() => peer.heard.some(([type]) => type === 1))
      expect(peer.heard.at(-1)).toEqual([1, 5, null, 'answered'])
      await handler.close()
      expect(session.lost).toBe(false)
    })
    expect(await client.call('echo', ['shared'])).toEqual(['shared'])
    await client.session((session) => session.call('echo'))
    expect(peer.connections).toBe(3)
    await client.close()
  })

  it('shows where the time of a call went', async () => {
    const { client } = await meet(echo)
    const timings: object[] = []
    const priority = 'high'
    await client.call('echo', [1], { onTiming: (timing) => timings.push(timing), priority, deadlineMs: 5_000 })
    await client.notify('echo', [1], { onTiming: (timing) => timings.push(timing) })
    expect(timings).toHaveLength(2)
    expect(timings[0]).toMatchObject({ queuedMs: expect.any(Number), upstreamMs: expect.any(Number) })
    const controller = new AbortController()
    controller.abort()
    await expect(client.call('echo', [], { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await client.close()
  })
})

function idBytes(id: number): Buffer {
  return Buffer.from([0xcd, id >>> 8, id & 255])
}

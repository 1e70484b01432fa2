/** Getting there: TLS, sockets, greetings; and what a peer that is not there means to those who wait. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { type Certificate, makeCertificate } from '../../fixtures/certificate.ts'
import { failure, notification, request, result } from '../../fixtures/messages.ts'
import { type Message, type Peer, type Say, startPeer } from '../../fixtures/peer.ts'
import { inEveryMode, until } from '../../fixtures/world.ts'

inEveryMode('a connection', (world) => {
  const peers: Peer[] = []
  let certificate: Certificate
  beforeAll(async () => {
    certificate = await makeCertificate()
  })
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.close()))
  })
  const start = async (...given: Parameters<typeof startPeer>) => {
    const peer = await startPeer(...given)
    peers.push(peer)
    return peer
  }
  const echo = ([type, id, , params]: Message, say: Say) => {
    if (type === 0) say(result(id as number, params))
  }

  it('is TLS, with the certificate checked', async () => {
    const peer = await start(echo, { tls: certificate })
    const url = `msgpack-rpcs://127.0.0.1:${peer.port}`
    const client = world.connect({ url, tls: { ca: certificate.cert } })
    expect(await client.call('echo', ['x'.repeat(100_000)])).toEqual(['x'.repeat(100_000)])
    const news = client.on('news')
    const handler = client.handle('ask', ([value]) => value)
    await Promise.all([news.ready(), handler.ready()])
    peer.say(notification('news', 'over TLS'), request(7, 'ask', 'x'.repeat(50_000)))
    expect((await news.next()).value).toMatchObject({ params: ['over TLS'] })
    await until(() => peer.heard.some(([type]) => type === 1))
    expect(peer.heard.at(-1)).toEqual([1, 7, null, 'x'.repeat(50_000)])
    await Promise.all([news.close(), handler.close()])
    await client.close()
    const doubtful = world.connect(url)
    await expect(doubtful.call('echo', [], { deadlineMs: 300 })).rejects.toMatchObject({ sent: 'no' })
    await doubtful.close({ deadlineMs: 100 })
  })

  it('is a unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'iokernel-rpc-'))
    const path = join(folder, 'my peer.sock')
    const peer = await start(echo, { path })
    for (const target of [{ path }, `msgpack-rpc://${encodeURI(path)}`]) {
      const client = world.connect(target)
      expect(await client.call('echo', [path])).toEqual([path])
      await client.close()
    }
    await peer.close()
    await rm(folder, { recursive: true })
  })

  it('is one for clients of different codecs', async () => {
    const peer = await start(echo)
    const target = { host: peer.host, port: peer.port }
    const plain = world.connect(target)
    const bigints = world.connect({ ...target, codec: { useBigInt64: true } })
    expect(await plain.call('echo', [2 ** 40])).toEqual([2 ** 40])
    expect(await bigints.call('echo', [2 ** 40])).toEqual([2n ** 40n])
    expect(peer.connections).toBe(1)
    await Promise.all([plain.close(), bigints.close()])
  })

  it('is greeted before all else, each time; what comes meanwhile is heard', async () => {
    const peer = await start(([, id, method, params], say) => {
      if (method === 'login') say(notification('news', params), result(id as number, 'welcome'))
      else say(result(id as number, method))
    })
    const greeting = { method: 'login', params: ['token'] }
    const client = world.connect({ host: peer.host, port: peer.port, greeting })
    expect(await Promise.all([client.call('a'), client.call('b')])).toEqual(['a', 'b'])
    const methods = () => peer.heard.map(([, , method]) => method)
    expect(methods()).toEqual(['login', 'a', 'b'])
    peer.hangUp()
    await until(() => peer.connections === 2)
    expect(await client.call('c')).toBe('c')
    expect(methods()).toEqual(['login', 'a', 'b', 'login', 'c'])
    await client.close()
  })

  it('that is refused rejects what waits with the reason, and shows no token', async () => {
    const peer = await start(([, id, , params], say) => say(failure(id as number, params)))
    const greeting = { method: 'login', params: ['hunter2'] }
    const client = world.connect({ host: peer.host, port: peer.port, greeting })
    const results = await Promise.allSettled([client.call('a'), client.notify('b'), client.session()])
    for (const settled of results) {
      const { reason } = settled as PromiseRejectedResult
      expect(reason).toMatchObject({ code: 'GREETING_REFUSED', side: 'remote', sent: 'no' })
      expect(reason.message).not.toContain('hunter2')
    }
    expect(peer.heard.every(([, , method]) => method === 'login')).toBe(true)
    await client.close({ deadlineMs: 100 })
  })

  it('that nobody takes is waited for, and calls say that they were not sent', async () => {
    const peer = await start(echo)
    const { host, port } = peer
    await peer.close()
    const client = world.connect({ host, port })
    const handler = client.handle('ask', () => 1, { deadlineMs: 50 })
    const news = client.on('news', { deadlineMs: 50 })
    const results = await Promise.allSettled([
      client.call('a', [], { deadlineMs: 50 }),
      client.notify('b', [], { deadlineMs: 50 }),
      handler.ready(),
      news.ready(),
    ])
    for (const settled of results) {
      expect(settled).toMatchObject({ status: 'rejected', reason: { code: 'DEADLINE', sent: 'no' } })
    }
    await Promise.all([handler.close(), news.close()])
    await client.close({ deadlineMs: 100 })
  })

  it('that is given up leaves nobody waiting', async () => {
    const peer = await start(() => undefined)
    const client = world.connect({ host: peer.host, port: peer.port })
    await client.ready()
    const handler = client.handle('ask', () => 1)
    const news = client.on('news')
    await Promise.all([handler.ready(), news.ready()])
    const next = news.next()
    const hanging = client.call('hang')
    await until(() => peer.heard.length === 1)
    await Promise.all([
      expect(hanging).rejects.toMatchObject({ side: 'local' }),
      expect(next).rejects.toMatchObject({ side: 'local' }),
      client.close({ deadlineMs: 20 }),
    ])
    await Promise.all([handler.close(), news.close()])
    await expect(client.call('late')).rejects.toMatchObject({ sent: 'no' })
  })
})

/** Subscriptions and invalidations against a link whose other end is the test. */
import { LocalError, RemoteError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { FakeLink } from '../../fixtures/link.ts'
import { redisClient } from '../client.ts'
import { RedisError } from '../codec/errors.ts'

const push = (...words: string[]) =>
  `>${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
const array = (...words: string[]) => push(...words).replace('>', '*')

/** What behaves as an AbortSignal and is none of Node's. */
function polyfill(): { signal: AbortSignal; abort: () => void; listeners: Set<() => void> } {
  const listeners = new Set<() => void>()
  const signal = {
    aborted: false,
    reason: undefined,
    addEventListener: (_: string, listener: () => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
  }
  const abort = () => {
    signal.aborted = true
    for (const listener of listeners) listener()
  }
  return { signal: signal as unknown as AbortSignal, abort, listeners }
}

describe('subscribe', () => {
  it('iterates over messages and gaps, in both protocol versions', async () => {
    for (const resp of [2, 3] as const) {
      const link = new FakeLink([], resp)
      const frame = resp === 3 ? push : array
      const subscription = redisClient(link).subscribe('news', 'sport')
      await subscription.ready()
      expect([...link.interests.keys()]).toEqual(['s:news', 's:sport'])
      link.push('s:news', frame('message', 'news', 'one'))
      link.interests.get('s:news')?.gap('reconnected')
      link.interests.get('s:sport')?.gap('reconnected')
      link.push('s:sport', frame('message', 'sport', 'two'))
      const events: unknown[] = []
      for await (const event of subscription) {
        events.push(event)
        if (events.length === 3) break
      }
      expect(events).toEqual([
        { type: 'message', channel: 'news', message: 'one' },
        { type: 'gap', reason: 'reconnected' },
        { type: 'message', channel: 'sport', message: 'two' },
      ])
      expect(link.ended).toEqual(['s:news', 's:sport'])
    }
  })

  it('knows patterns, shard channels and bytes', async () => {
    const link = new FakeLink()
    const client = redisClient(link)
    const pattern = client.psubscribe('n*')
    const shard = client.ssubscribe('s')
    const bytes = client.bytes.subscribe(new Uint8Array([255, 0]))
    await Promise.all([pattern.ready(), shard.ready(), bytes.ready()])
    link.push('p:n*', push('pmessage', 'n*', 'news', 'x'))
    link.push('h:s', push('smessage', 's', 'y'))
    link.push('s:\xff\x00', push('message', '\xff\x00', '\xfe'))
    expect((await pattern.next()).value).toEqual({ type: 'message', pattern: 'n*', channel: 'news', message: 'x' })
    expect((await shard.next()).value).toEqual({ type: 'message', channel: 's', message: 'y' })
    expect((await bytes.next()).value).toEqual({
      type: 'message',
      channel: new Uint8Array([255, 0]),
      message: new Uint8Array([254]),
    })
  })

  it('is bounded, and says where it lost something', async () => {
    const link = new FakeLink()
    const subscription = redisClient(link).subscribe('a', { eventsMax: 2 })
    await subscription.ready()
    for (const message of ['1', '2', '3', '4']) link.push('s:a', push('message', 'a', message))
    await subscription.close()
    const events: unknown[] = []
    for await (const event of subscription) events.push(event)
    expect(events).toMatchObject([{ message: '1' }, { message: '2' }, { type: 'gap', reason: 'overflow' }])
  })

  it('fails as a whole, and gives back what was registered', async () => {
    const link = new FakeLink()
    link.refuse = (key) => (key === 's:b' ? new RedisError('NOPERM', 'no') : undefined)
    const subscription = redisClient(link).subscribe('a', 'b')
    await expect(subscription.ready()).rejects.toMatchObject({ code: 'NOPERM' })
    await expect(subscription.next()).rejects.toMatchObject({ code: 'NOPERM' })
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
    expect(link.ended).toEqual(['s:a'])
    await subscription.close()
  })

  it('makes the server’s error of the frame that refused', async () => {
    const link = new FakeLink()
    const said = Buffer.from('-NOPERM no channel\r\n')
    link.refuse = (_key, handler) => handler.refused?.({ bytes: said, start: 0, end: said.length })
    await expect(redisClient(link).subscribe('a').ready()).rejects.toMatchObject({ name: 'RedisError', code: 'NOPERM' })
    await expect(redisClient(link).invalidations().ready()).rejects.toThrow(/RESP3/)
    link.refuse = () => new RemoteError('CONNECTION_LOST', 'gone')
    await expect(redisClient(link).invalidations().ready()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('gives up waiting for a server that is away when it is closed', async () => {
    const link = new FakeLink()
    link.silent = true
    const subscription = redisClient(link).subscribe('a')
    const ready = expect(subscription.ready()).rejects.toMatchObject({ code: 'ABORTED' })
    await subscription.close()
    await ready
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
  })

  it('gives up with its signal, which may be a polyfill’s', async () => {
    const link = new FakeLink()
    link.silent = true
    const { signal, abort } = polyfill()
    const ready = redisClient(link).subscribe('a', { signal, deadlineMs: 5000, eventsMax: 5 }).ready()
    abort()
    await expect(ready).rejects.toMatchObject({ code: 'ABORTED' })
    const already = redisClient(link).subscribe('a', { signal: AbortSignal.abort() })
    await expect(already.ready()).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('forgets its signal once it is registered', async () => {
    const link = new FakeLink()
    const { signal, abort, listeners } = polyfill()
    const subscription = redisClient(link).subscribe('a', { signal })
    await subscription.ready()
    expect(listeners.size).toBe(0)
    abort()
    link.push('s:a', push('message', 'a', 'x'))
    expect((await subscription.next()).value).toMatchObject({ message: 'x' })
  })

  it('passes absent options on, and refuses arguments that it does not use', async () => {
    const link = new FakeLink()
    const subscription = redisClient(link).subscribe('a', undefined as never)
    await subscription.ready()
    expect([...link.interests.keys()]).toEqual(['s:a'])
    const ready = subscription.ready as (...given: unknown[]) => Promise<void>
    await expect(ready.call(subscription, { deadlineMs: 5 })).rejects.toMatchObject({ code: 'ARGUMENT' })
  })

  it('ends with the error when the server ends it', async () => {
    const link = new FakeLink()
    const subscription = redisClient(link).subscribe('a')
    await subscription.ready()
    const next = subscription.next()
    link.interests.get('s:a')?.failed(new RedisError('ERR', 'gone'))
    await expect(next).rejects.toThrow('gone')
  })

  it('refuses to subscribe to nothing, and wrong options', () => {
    const client = redisClient(new FakeLink())
    const subscribe = client.subscribe as (...given: unknown[]) => unknown
    expect(() => subscribe.call(client)).toThrow(LocalError)
    expect(() => subscribe.call(client, {})).toThrow(LocalError)
    expect(() => subscribe.call(client, 5)).toThrow(LocalError)
    expect(() => client.subscribe('a', { eventsMax: 0 })).toThrow(LocalError)
  })

  it('asks once for a channel that is named twice', async () => {
    const link = new FakeLink()
    await redisClient(link).subscribe('a', 'a').ready()
    expect(link.interests.size).toBe(1)
  })
})

describe('invalidations', () => {
  const invalidate = (...keys: string[]) =>
    `>2\r\n$10\r\ninvalidate\r\n*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`

  /** The kernel shows a push to every tracking interest. */
  const toAll = (link: FakeLink, frame: string) => {
    for (const key of link.interests.keys()) link.push(key, frame)
  }

  it('are filtered by prefix, each key once', async () => {
    const link = new FakeLink()
    const feed = redisClient(link).invalidations({ prefixes: ['user:', 'cart:', 'user:7'] })
    await feed.ready()
    expect([...link.interests.keys()]).toEqual(['t:cart:', 't:user:'])
    toAll(link, invalidate('user:77', 'other'))
    toAll(link, invalidate('other'))
    toAll(link, '>2\r\n$10\r\ninvalidate\r\n_\r\n')
    await feed.close()
    const events: unknown[] = []
    for await (const event of feed) events.push(event)
    expect(events).toEqual([
      { type: 'invalidate', keys: ['user:77'] },
      { type: 'invalidate', keys: null },
    ])
  })

  it('are about every key by default, and of bytes in the view of bytes', async () => {
    const link = new FakeLink()
    const feed = redisClient(link).bytes.invalidations()
    await feed.ready()
    toAll(link, invalidate('\xff'))
    expect((await feed.next()).value).toEqual({ type: 'invalidate', keys: [new Uint8Array([255])] })
  })

  it('say what they need where they are refused', async () => {
    const link = new FakeLink()
    const said = Buffer.from('-ERR syntax error\r\n')
    link.refuse = (_key, handler) => handler.refused?.({ bytes: said, start: 0, end: said.length })
    await expect(redisClient(link).invalidations().ready()).rejects.toThrow('need RESP3 and Redis 6')
    expect(() => redisClient(link).invalidations({ prefixes: [] })).toThrow(LocalError)
  })
})

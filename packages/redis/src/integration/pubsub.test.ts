/** Subscriptions and invalidations against a real server. */
import type { Subscription } from '@iokernel/redis'
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

async function take<Event>(feed: Subscription<Event>, count: number): Promise<unknown[]> {
  const events: unknown[] = []
  while (events.length < count) events.push((await feed.next()).value)
  return events
}

inEveryMode('subscriptions', { protocols: [3, 2] }, (world) => {
  it('bring what is published, to channels and patterns and bytes', async () => {
    const client = world.connect()
    const news = client.subscribe('news', 'sport')
    const pattern = client.psubscribe('n*')
    const bytes = client.bytes.subscribe(new Uint8Array([255, 0, 13, 10]))
    await Promise.all([news.ready(), pattern.ready(), bytes.ready()])
    expect(await client.publish('news', 'ü')).toBe(2)
    await client.publish('sport', '')
    await client.publish(new Uint8Array([255, 0, 13, 10]), new Uint8Array([254]))
    expect(await take(news, 2)).toEqual([
      { type: 'message', channel: 'news', message: 'ü' },
      { type: 'message', channel: 'sport', message: '' },
    ])
    expect(await take(pattern, 1)).toEqual([{ type: 'message', pattern: 'n*', channel: 'news', message: 'ü' }])
    expect(await take(bytes, 1)).toMatchObject([{ message: new Uint8Array([254]) }])
    await Promise.all([news.close(), pattern.close(), bytes.close()])
    await until(async () => (await client.publish('news', 'nobody')) === 0)
  })

  it('answer commands that are sent beside them', async () => {
    const client = world.connect()
    await client.set('beside', 'v')
    const subscription = client.subscribe('a', 'b')
    const value = client.get('beside')
    await subscription.ready()
    expect(await value).toBe('v')
    expect(await client.get('beside')).toBe('v')
    await subscription.close()
  })

  it('are counted: the end of one silences nobody else', async () => {
    const client = world.connect()
    const first = client.subscribe('shared')
    const second = client.subscribe('shared')
    await Promise.all([first.ready(), second.ready()])
    await first.close()
    await client.publish('shared', 'still')
    expect(await take(second, 1)).toMatchObject([{ message: 'still' }])
    await second.close()
  })

  it('come back after a reconnect, with a gap where something may be missing', async () => {
    const client = world.connect()
    const subscription = client.subscribe('lasting')
    await subscription.ready()
    await client.publish('lasting', 'before')
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(async () => (await client.publish('lasting', 'after')) > 0)
    const [before, gap, after] = await take(subscription, 3)
    expect(before).toMatchObject({ message: 'before' })
    expect(gap).toEqual({ type: 'gap', reason: 'reconnected' })
    expect(after).toMatchObject({ message: 'after' })
    await subscription.close()
  })

  it('end with the loop', async () => {
    const client = world.connect()
    const subscription = client.subscribe('loop')
    await subscription.ready()
    await client.publish('loop', 'one')
    for await (const event of subscription) {
      expect(event).toMatchObject({ message: 'one' })
      break
    }
    await until(async () => (await client.publish('loop', 'two')) === 0)
  })
})

inEveryMode('invalidations', {}, (world) => {
  it('tell of keys that others write, by prefix, and of everything', async () => {
    const client = world.connect()
    const feed = client.invalidations({ prefixes: ['user:', 'cart:'] })
    const all = client.invalidations()
    const narrow = client.bytes.invalidations({ prefixes: ['user:7'] })
    await Promise.all([feed.ready(), all.ready(), narrow.ready()])
    await client.set('user:1', 'x')
    await client.set('other', 'x')
    await client.set('user:77', 'x')
    expect(await take(feed, 2)).toEqual([
      { type: 'invalidate', keys: ['user:1'] },
      { type: 'invalidate', keys: ['user:77'] },
    ])
    expect(await take(all, 3)).toMatchObject([{ keys: ['user:1'] }, { keys: ['other'] }, { keys: ['user:77'] }])
    expect(await take(narrow, 1)).toEqual([
      { type: 'invalidate', keys: [Buffer.from('user:77')].map((key) => new Uint8Array(key)) },
    ])
    await client.flushdb()
    expect(await take(feed, 1)).toEqual([{ type: 'invalidate', keys: null }])
    await all.close()
    await client.set('cart:1', 'x')
    expect(await take(feed, 1)).toEqual([{ type: 'invalidate', keys: ['cart:1'] }])
    await Promise.all([feed.close(), narrow.close()])
  })

  it('come back after a reconnect, with a gap', async () => {
    const client = world.connect()
    const feed = client.invalidations({ prefixes: ['k'] })
    const subscription = client.subscribe('x')
    await Promise.all([feed.ready(), subscription.ready()])
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    expect(await take(feed, 1)).toEqual([{ type: 'gap', reason: 'reconnected' }])
    await client.set('key', 'v')
    expect(await take(feed, 1)).toEqual([{ type: 'invalidate', keys: ['key'] }])
    await Promise.all([feed.close(), subscription.close()])
  })
})

inEveryMode('invalidations without RESP3', { protocols: [2] }, (world) => {
  it('are refused with the reason', async () => {
    const feed = world.connect().invalidations()
    await expect(feed.ready()).rejects.toThrow('need RESP3')
    await feed.close()
  })
})

/** The life of a subscription, over a link whose other end is the test. */
import { describe, expect, it } from 'vitest'
import { AbortedError, RemoteError } from '../plugin/errors.ts'
import type { Interest, InterestHandler, Link, ReplyBytes, WaitOptions } from '../plugin/protocol.ts'
import { openSubscription, type PushReader } from './subscription.ts'

/** Texts; a frame that is empty says nothing. */
const TEXTS: PushReader<string> = {
  eventOf: ({ bytes, start, end }, _facts, index) =>
    start === end ? undefined : `${index} ${bytes.toString('latin1', start, end)}`,
  refused: ({ bytes, start, end }, key) => new RemoteError('NO', `${key}: ${bytes.toString('latin1', start, end)}`),
}

function frameOf(text: string): ReplyBytes {
  return { bytes: Buffer.from(`#${text}#`), start: 1, end: 1 + text.length }
}

/** Registers keys when the test says so. */
class Peer {
  readonly handlers = new Map<string, InterestHandler>()
  readonly waits: WaitOptions[] = []
  readonly closed: string[] = []
  /** Keys that are never registered. */
  readonly away = new Set<string>()
  /** Keys that are refused, and what is said. */
  readonly refusals = new Map<string, string>()

  get link(): Link {
    const interest = (key: string, handler: InterestHandler, wait: WaitOptions = {}): Promise<Interest> =>
      this.#interest(key, handler, wait)
    return { interest } as Link
  }

  push(key: string, text: string): void {
    this.handlers.get(key)?.push?.(frameOf(text), undefined)
  }

  async #interest(key: string, handler: InterestHandler, wait: WaitOptions): Promise<Interest> {
    this.waits.push(wait)
    const refusal = this.refusals.get(key)
    if (refusal !== undefined) {
      const error = handler.refused?.(frameOf(refusal)) ?? new RemoteError('PLAIN', 'refused')
      handler.failed(error)
      throw error
    }
    if (this.away.has(key)) await aborted(wait.signal)
    this.handlers.set(key, handler)
    return { close: async () => void this.closed.push(key) }
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new AbortedError('given up', { cause: signal?.reason }))
    if (signal?.aborted === true) fail()
    else signal?.addEventListener('abort', fail)
  })
}

async function all<Event>(events: AsyncIterable<Event>): Promise<Event[]> {
  const found: Event[] = []
  for await (const event of events) found.push(event)
  return found
}

describe('a subscription', () => {
  it('gives the events of all its keys in order, and a gap once', async () => {
    const peer = new Peer()
    const subscription = openSubscription(peer.link, ['a', 'b'], TEXTS)
    await subscription.ready()
    peer.push('b', 'one')
    peer.push('a', '')
    for (const handler of peer.handlers.values()) handler.gap('reconnected')
    peer.push('a', 'two')
    await subscription.close()
    expect(await all(subscription)).toEqual(['1 one', { type: 'gap', reason: 'reconnected' }, '0 two'])
    expect(peer.closed).toEqual(['a', 'b'])
  })

  it('is bounded by events and by their bytes on the wire', async () => {
    for (const options of [{ eventsMax: 2 }, { eventBytesMax: 6 }]) {
      const peer = new Peer()
      const subscription = openSubscription(peer.link, ['a'], TEXTS, options)
      await subscription.ready()
      for (const text of ['one', 'two', 'six']) peer.push('a', text)
      await subscription.close()
      expect(await all(subscription)).toEqual(['0 one', '0 two', { type: 'gap', reason: 'overflow' }])
    }
  })

  it('is all keys or none, and the error is what the peer said', async () => {
    const peer = new Peer()
    peer.refusals.set('b', 'not yours')
    const subscription = openSubscription(peer.link, ['a', 'b', 'c'], TEXTS)
    await expect(subscription.ready()).rejects.toThrow('b: not yours')
    await expect(subscription.next()).rejects.toThrow('b: not yours')
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
    expect(peer.closed).toEqual(['a', 'c'])
  })

  it('leaves the words to the kernel where the protocol has none', async () => {
    const peer = new Peer()
    peer.refusals.set('a', 'x')
    const subscription = openSubscription(peer.link, ['a'], { eventOf: TEXTS.eventOf })
    await expect(subscription.ready()).rejects.toMatchObject({ code: 'PLAIN' })
  })

  it('ends with the error of a peer that drops it later, after what has arrived', async () => {
    const peer = new Peer()
    const subscription = openSubscription(peer.link, ['a'], TEXTS)
    await subscription.ready()
    peer.push('a', 'last')
    peer.handlers.get('a')?.failed(new RemoteError('GONE', 'dropped'))
    expect(await subscription.next()).toEqual({ done: false, value: '0 last' })
    await expect(subscription.next()).rejects.toMatchObject({ code: 'GONE' })
  })
})

describe('the end of a subscription', () => {
  it('is leaving the loop', async () => {
    const peer = new Peer()
    const subscription = openSubscription(peer.link, ['a'], TEXTS)
    await subscription.ready()
    peer.push('a', 'one')
    for await (const _ of subscription) break
    expect(peer.closed).toEqual(['a'])
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
  })

  it('comes to a loop that waits', async () => {
    const peer = new Peer()
    const subscription = openSubscription(peer.link, ['a'], TEXTS)
    await subscription.ready()
    const waiting = subscription.next()
    await subscription.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
  })

  it('gives up what is being registered, and gives back what is', async () => {
    const peer = new Peer()
    peer.away.add('b')
    const subscription = openSubscription(peer.link, ['a', 'b'], TEXTS)
    const ready = expect(subscription.ready()).rejects.toMatchObject({ code: 'ABORTED' })
    await Promise.all([subscription.close(), subscription.close()])
    await ready
    expect(peer.closed).toEqual(['a'])
  })

  it('is the scope of await using', async () => {
    const peer = new Peer()
    {
      await using subscription = openSubscription(peer.link, ['a'], TEXTS)
      await subscription.ready()
    }
    expect(peer.closed).toEqual(['a'])
  })

  it('comes from the signal while it is registered, and leaves no listener behind', async () => {
    const peer = new Peer()
    peer.away.add('a')
    const listeners = new Set<unknown>()
    const own = new AbortController()
    const signal = {
      aborted: false,
      reason: 'enough',
      addEventListener: (name: string, listener: () => void) => {
        listeners.add(listener)
        own.signal.addEventListener(name, listener)
      },
      removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
    } as unknown as AbortSignal
    const subscription = openSubscription(peer.link, ['a'], TEXTS, { signal, deadlineMs: 5 })
    own.abort()
    await expect(subscription.ready()).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    expect(listeners.size).toBe(0)
    expect(peer.waits[0]?.deadlineMs).toBe(5)
  })

  it('was before its beginning where the signal has fired', async () => {
    const peer = new Peer()
    peer.away.add('a')
    const subscription = openSubscription(peer.link, ['a'], TEXTS, { signal: AbortSignal.abort() })
    await expect(subscription.ready()).rejects.toMatchObject({ code: 'ABORTED' })
    await subscription.close()
  })
})

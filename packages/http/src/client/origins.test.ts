/** Upstreams of `fetch`: opened when asked for, closed when nobody asks, never more than allowed. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { FakeLink } from '../../fixtures/link.ts'
import { type HttpClient, httpClient } from '../client.ts'
import { resolve } from '../resolve.ts'
import { Origins } from './origins.ts'

function world(originsMax: number, originIdleMs = 1000) {
  const opened: string[] = []
  const closed: string[] = []
  const connect = (origin: string): HttpClient => {
    opened.push(origin)
    const client = httpClient(new FakeLink(), resolve(origin, {}).app)
    client.close = async () => {
      closed.push(origin)
    }
    return client
  }
  return { origins: new Origins(connect, { originsMax, originIdleMs }), opened, closed }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('origins', () => {
  it('are opened once, and the one that idled longest makes room', () => {
    const { origins, opened, closed } = world(2)
    origins.lease('http://a').release()
    origins.lease('http://b').release()
    origins.lease('http://a').release()
    origins.lease('http://c').release()
    expect([opened, closed]).toEqual([['http://a', 'http://b', 'http://c'], ['http://b']])
  })

  it('are refused where all of them are busy', () => {
    const { origins, closed } = world(2)
    const first = origins.lease('http://a')
    origins.lease('http://b')
    expect(() => origins.lease('http://c')).toThrow(/originsMax/)
    expect(origins.lease('http://a').client).toBe(first.client)
    expect(closed).toEqual([])
  })

  it('are closed after idling, and not while they are in use', () => {
    vi.useFakeTimers()
    const { origins, closed } = world(10, 1000)
    const busy = origins.lease('http://busy')
    const idle = origins.lease('http://idle')
    idle.release()
    idle.release()
    vi.advanceTimersByTime(499)
    expect(closed).toEqual([])
    vi.advanceTimersByTime(1000)
    expect(closed).toEqual(['http://idle'])
    vi.advanceTimersByTime(60_000)
    expect(closed).toEqual(['http://idle'])
    busy.release()
    vi.advanceTimersByTime(1001)
    expect([closed, origins.size, vi.getTimerCount()]).toEqual([['http://idle', 'http://busy'], 0, 0])
  })

  it('are all closed at the end', async () => {
    const { origins, closed } = world(10)
    origins.lease('http://a')
    origins.lease('http://b').release()
    await origins.close()
    expect([closed, origins.size]).toEqual([['http://a', 'http://b'], 0])
  })
})

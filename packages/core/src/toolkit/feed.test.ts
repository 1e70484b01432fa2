/** The queue between pushes and a loop. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Feed } from './feed.ts'

async function drain<Event>(feed: Feed<Event>): Promise<unknown[]> {
  const events: unknown[] = []
  while (feed.length > 0) events.push((await feed.next()).value)
  return events
}

describe('a feed', () => {
  it('is bounded by bytes too, and takes one event that is larger than the bound', async () => {
    const feed = new Feed<number>(100, 10)
    for (const [event, bytes] of [
      [1, 50],
      [2, 1],
      [3, 1],
    ] as const) {
      feed.push(event, bytes)
    }
    feed.end()
    const events: unknown[] = []
    for (let next = await feed.next(); !next.done; next = await feed.next()) events.push(next.value)
    expect(events).toEqual([1, { type: 'gap', reason: 'overflow' }])
  })

  it('gives events in order, whether they are waited for or wait', async () => {
    const feed = new Feed<number>(10)
    const first = feed.next()
    const second = feed.next()
    feed.push(1)
    feed.push(2)
    feed.push(3)
    expect(await Promise.all([first, second, feed.next()])).toEqual([1, 2, 3].map((value) => ({ done: false, value })))
  })

  it('leaves one gap where it overflowed, and goes on when there is room', async () => {
    const feed = new Feed<number>(2)
    for (let event = 1; event <= 5; event++) feed.push(event)
    const overflow = { type: 'gap', reason: 'overflow' }
    expect((await feed.next()).value).toBe(1)
    // Still full: the gap stands for what comes now, too.
    feed.push(6)
    expect((await feed.next()).value).toBe(2)
    feed.push(7)
    expect(await drain(feed)).toEqual([overflow, 7])
  })

  it('puts the kernel’s gaps where they happened', async () => {
    const feed = new Feed<number>(10)
    feed.push(1)
    feed.gap('reconnected')
    feed.push(2)
    expect(await drain(feed)).toEqual([1, { type: 'gap', reason: 'reconnected' }, 2])
  })

  it('delivers what it has, then ends', async () => {
    const feed = new Feed<number>(10)
    feed.push(1)
    feed.end()
    feed.push(2)
    expect(await feed.next()).toEqual({ done: false, value: 1 })
    expect(await feed.next()).toEqual({ done: true, value: undefined })
    expect(await feed.next()).toEqual({ done: true, value: undefined })
  })

  it('throws what ended it, once', async () => {
    const feed = new Feed<number>(10)
    feed.push(1)
    feed.end(new Error('refused'))
    expect((await feed.next()).value).toBe(1)
    await expect(feed.next()).rejects.toThrow('refused')
    expect((await feed.next()).done).toBe(true)
  })

  it('tells those who wait that it has ended', async () => {
    const feed = new Feed<number>(10)
    const waiting = [feed.next(), feed.next()]
    feed.end()
    expect((await Promise.all(waiting)).every(({ done }) => done)).toBe(true)
    const failing = new Feed<number>(10)
    const next = failing.next()
    failing.end(new Error('refused'))
    await expect(next).rejects.toThrow('refused')
  })

  it('is bounded and in order, and every loss has its gap, whatever happens', async () => {
    const action = fc.oneof(
      { weight: 3, arbitrary: fc.constant('push') },
      { weight: 2, arbitrary: fc.constant('next') },
      { weight: 1, arbitrary: fc.constant('gap') },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), async (actions, max) => {
        const feed = new Feed<number>(max)
        const events: unknown[] = []
        let pushed = 0
        for (const name of actions) {
          if (name === 'push') feed.push(++pushed)
          else if (name === 'gap') feed.gap('reconnected')
          else if (feed.length > 0) events.push((await feed.next()).value)
          expect(feed.length).toBeLessThanOrEqual(max + 1)
        }
        events.push(...(await drain(feed)))
        let last = 0
        let gap = false
        for (const event of events) {
          if (typeof event !== 'number') gap = true
          else {
            expect(event).toBeGreaterThan(last)
            if (event !== last + 1) expect(gap).toBe(true)
            last = event
            gap = false
          }
        }
        if (last !== pushed) expect(gap).toBe(true)
      }),
    )
  })
})

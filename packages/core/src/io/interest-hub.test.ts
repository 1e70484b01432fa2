/**
 * Interests: counted over all threads, asked for again after a reconnect with a gap for those who had them, on a
 * connection of their own that lives as long as somebody wants something. The races between asking, confirming, ending
 * and losing.
 */
import { describe, expect, test } from 'vitest'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchThread, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'
import { withSeed } from '../testing/random.ts'

async function opened(
  answer: (text: string, peer: FakePeer) => string | undefined = (text) => text,
): Promise<KernelBench> {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', linePeer(answer))
  bench.app.connect(1)
  await bench.run(20)
  return bench
}

function add(thread: BenchThread, interest: number, key: string): void {
  thread.app.control({ type: 'add-interest', interest, target: 1, key, resumed: false, answers: false })
}

function drop(thread: BenchThread, interest: number): void {
  thread.app.control({ type: 'drop-interest', interest })
}

/** `ready`, `gap` and `failed`, as one thread was told about one of its interests. */
function told(thread: BenchThread, interest: number): string {
  return thread.events
    .flatMap((event) =>
      // `closed` answers every drop; it is the number's matter and not the subscriber's.
      'interest' in event && event.interest === interest && event.type !== 'interest-closed'
        ? [event.type.replace('interest-', '')]
        : [],
    )
    .join(' ')
}

/** The connection that carries the interests. */
function pushPeer(bench: KernelBench): FakePeer | undefined {
  return bench.world.network.open().find((peer) => peer.received.includes('sub '))
}

function asked(bench: KernelBench): string[] {
  const lines = bench.world.network.peers.flatMap((peer) => peer.received.toString().split('\n'))
  return lines.filter((text) => text.startsWith('sub ') || text.startsWith('unsub '))
}

describe('an interest', () => {
  test('is registered with the peer, confirmed, and gets its pushes', async () => {
    const bench = await opened()
    add(bench.app, 4, 'news')
    add(bench.app, 5, 'sport')
    await bench.run(20)
    expect([told(bench.app, 4), told(bench.app, 5)]).toEqual(['ready', 'ready'])
    pushPeer(bench)?.send('!news one\n!sport two\n!other three\n!news four\n')
    await bench.run(20)
    expect(bench.app.pushes).toEqual(['4:!news one', '5:!sport two', '4:!news four'])
  })

  test('has a connection of its own: calls never go over it', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news')
    const call = bench.app.call('x')
    await bench.run(20)
    expect(await call).toEqual({ text: 'x' })
    expect(pushPeer(bench)?.received.toString()).toBe('hello tester\nsub news\n')
    expect(bench.world.network.open()).toHaveLength(2)
  })

  test('of a prefix is reached by a push to all', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news.a')
    add(bench.app, 2, 'news.b')
    add(bench.app, 3, 'sport')
    await bench.run(20)
    pushPeer(bench)?.send('!*news. x\n')
    await bench.run(20)
    expect(bench.app.pushes).toEqual(['1:!*news. x', '2:!*news. x'])
  })

  test('past interestsMax is refused with an error that names it', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('a:1', linePeer())
    bench.app.connect(1, { limits: { interestsMax: 2 } })
    for (let number = 1; number <= 3; number++) add(bench.app, number, `k${number}`)
    await bench.run(50)
    expect([1, 2, 3].map((number) => told(bench.app, number))).toEqual(['ready', 'ready', 'failed'])
    expect(bench.app.seen('interest-failed')[0]?.error).toMatchObject({ code: 'INTEREST_LIMIT' })
  })

  test('that the peer refuses fails alone, with what the peer said', async () => {
    const bench = await opened((text) => (text === 'sub secret' ? '-not for you' : text))
    add(bench.app, 1, 'news')
    add(bench.app, 2, 'secret')
    add(bench.app, 3, 'sport')
    await bench.run(20)
    expect([1, 2, 3].map((number) => told(bench.app, number))).toEqual(['ready', 'failed', 'ready'])
    expect(bench.app.seen('interest-failed')[0]?.error.message).toContain('not for you')
  })
})

describe('counted over all threads', () => {
  test('a key is asked for once, and ended when the last is gone: one drop silences nobody else', async () => {
    const bench = await opened()
    const other = bench.thread()
    other.connect(1)
    add(bench.app, 1, 'news')
    add(other, 7, 'news')
    await bench.run(20)
    add(bench.app, 2, 'news')
    await bench.run(20)
    expect(asked(bench)).toEqual(['sub news'])
    drop(bench.app, 1)
    drop(other, 7)
    await bench.run(20)
    expect(asked(bench)).toEqual(['sub news'])
    pushPeer(bench)?.send('!news x\n')
    await bench.run(20)
    expect([bench.app.pushes, other.pushes]).toEqual([['2:!news x'], []])
    add(bench.app, 3, 'keeps the connection')
    drop(bench.app, 2)
    await bench.run(20)
    expect(asked(bench)).toEqual(['sub news', 'sub keeps the connection', 'unsub news'])
  })

  test('the connection goes with the last interest, and comes again with the next', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news')
    await bench.run(20)
    expect(bench.world.network.open()).toHaveLength(2)
    drop(bench.app, 1)
    await bench.run(20)
    expect(bench.world.network.open()).toHaveLength(1)
    add(bench.app, 2, 'news')
    await bench.run(20)
    expect(told(bench.app, 2)).toBe('ready')
    expect(told(bench.app, 1)).toBe('ready')
  })

  test('the connection goes too when the peer has refused the last one', async () => {
    const bench = await opened((text) => (text === 'sub secret' ? '-no' : text))
    add(bench.app, 1, 'secret')
    await bench.run(20)
    expect(told(bench.app, 1)).toBe('failed')
    expect(bench.world.network.open()).toHaveLength(1)
  })
})

describe('after a reconnect', () => {
  test('every key is asked for again; who had it is told of a gap, who joins later is not', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news')
    add(bench.app, 2, 'sport')
    await bench.run(20)
    pushPeer(bench)?.reset()
    await bench.run(2.5)
    add(bench.app, 3, 'news')
    await bench.run(500)
    expect([1, 2, 3].map((number) => told(bench.app, number))).toEqual(['ready gap', 'ready gap', 'ready'])
    pushPeer(bench)?.send('!news x\n')
    await bench.run(20)
    expect(bench.app.pushes).toEqual(['1:!news x', '3:!news x'])
  })

  test('who was never confirmed is told nothing but that he is ready', async () => {
    const bench = await opened((text) => (text === 'sub slow' ? undefined : text))
    add(bench.app, 1, 'slow')
    await bench.run(20)
    expect(told(bench.app, 1)).toBe('')
    bench.world.network.listen('a:1', linePeer())
    pushPeer(bench)?.reset()
    await bench.run(6_000)
    expect(told(bench.app, 1)).toBe('ready')
  })

  test('it is asked for while the application hangs, and the application finds everything when it looks', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news')
    await bench.run(20)
    bench.app.isBusy = true
    pushPeer(bench)?.send('!news before\n')
    await bench.run(20)
    pushPeer(bench)?.reset()
    await bench.run(500)
    pushPeer(bench)?.send('!news after\n')
    await bench.run(20)
    expect(asked(bench)).toEqual(['sub news', 'sub news'])
    expect(bench.app.pushes).toEqual([])
    bench.app.look()
    await bench.run(20)
    expect(bench.app.pushes).toEqual(['1:!news before', '1:!news after'])
    expect(told(bench.app, 1)).toBe('ready gap')
  })

  test('a peer that closes every push connection at once is not dialled in a hot loop', async () => {
    const bench = await opened()
    bench.world.network.latencyMs = 0.1
    bench.world.network.listen(
      'a:1',
      linePeer((text, peer) => {
        if (text.startsWith('sub ')) peer.reset()
        return text
      }),
    )
    add(bench.app, 1, 'news')
    await bench.run(10_000)
    expect(bench.world.network.dialled.length).toBeLessThan(80)
  })
})

describe('races', () => {
  test('a key that the peer ends by itself is asked for again, with a gap', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news')
    await bench.run(20)
    pushPeer(bench)?.send('!-news\n')
    await bench.run(20)
    expect(asked(bench)).toEqual(['sub news', 'sub news'])
    expect(told(bench.app, 1)).toBe('ready gap')
  })

  test('dropped and wanted again before the peer has answered: ready when it is, and no gap', async () => {
    const bench = await opened()
    add(bench.app, 9, 'keeps the connection')
    await bench.run(20)
    add(bench.app, 1, 'news')
    drop(bench.app, 1)
    add(bench.app, 2, 'news')
    await bench.run(50)
    expect(asked(bench).slice(1)).toEqual(['sub news', 'unsub news', 'sub news'])
    expect(told(bench.app, 2)).toBe('ready')
    expect(told(bench.app, 1)).toBe('')
  })

  test('the answer to a key that nobody wants any more is not taken for the next one', async () => {
    const bench = await opened((text) => {
      if (text === 'sub first') return 'an answer that is no push'
      return text === 'sub second' ? '-refused' : text
    })
    add(bench.app, 9, 'keeps the connection')
    await bench.run(20)
    add(bench.app, 1, 'first')
    await bench.run(1)
    drop(bench.app, 1)
    add(bench.app, 2, 'second')
    await bench.run(50)
    expect(told(bench.app, 2)).toBe('failed')
  })

  test('dropped while the connection is being opened: nobody is asked', async () => {
    const bench = await opened()
    add(bench.app, 1, 'news')
    await bench.run(0.5)
    drop(bench.app, 1)
    await bench.run(100)
    expect(asked(bench)).toEqual([])
    expect(bench.world.network.open()).toHaveLength(1)
  })

  test('whatever is added, dropped, ended and lost: in the end everybody has what he wants', async () => {
    await withSeed(async (random) => {
      for (let round = 0; round < 30; round++) {
        const bench = new KernelBench(random)
        bench.world.network.listen('a:1', linePeer())
        const threads = [bench.app, bench.thread(), bench.thread()]
        for (const thread of threads) thread.connect(1, { limits: { reconnectMaxMs: 100 } })
        const wanted = threads.map(() => new Map<number, string>())
        let number = 0
        for (let step = 0; step < 80; step++) {
          const index = random.below(threads.length)
          const thread = threads[index] as BenchThread
          const mine = wanted[index] as Map<number, string>
          const roll = random.below(10)
          if (roll < 5) {
            const key = `k${random.below(4)}`
            mine.set(++number, key)
            add(thread, number, key)
          } else if (roll < 8 && mine.size > 0) {
            const interest = random.pick([...mine.keys()])
            mine.delete(interest)
            drop(thread, interest)
          } else if (roll === 8) pushPeer(bench)?.reset()
          else pushPeer(bench)?.send(`!-k${random.below(4)}\n`)
          await bench.run(random.below(5))
        }
        await bench.run(3_000)
        for (const thread of threads) thread.pushes.length = 0
        for (let key = 0; key < 4; key++) pushPeer(bench)?.send(`!k${key} x\n`)
        await bench.run(50)
        threads.forEach((thread, index) => {
          const mine = [...(wanted[index] as Map<number, string>)]
          expect(thread.pushes.toSorted()).toEqual(mine.map(([interest, key]) => `${interest}:!${key} x`).toSorted())
          for (const [interest] of mine) expect(told(thread, interest)).toMatch(/^ready( gap)*$/)
        })
      }
    })
  }, 60_000)
})

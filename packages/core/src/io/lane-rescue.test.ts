/**
 * Calls behind a late head, and calls whose connection's preparations are out of date: they are sent again, and nobody
 * gets another's answer, or two. The rules of `lane-calls.ts` and `reply-matcher.ts`, over the channel.
 */
import { describe, expect, test } from 'vitest'
import type { AnyOperation } from '../main/slots.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import { FrameFlag, type IoProtocol } from '../plugin/connection.ts'
import { PLUGIN_API } from '../plugin/version.ts'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { line } from '../testing/line-peer.ts'
import { OrderlyPeers } from '../testing/orderly-peer.ts'
import { type Random, withSeed } from '../testing/random.ts'

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

async function all(calls: readonly Promise<BenchOutcome>[]): Promise<string[]> {
  return (await Promise.all(calls)).map(short)
}

const KNOWN = { reads: true, fingerprint: 5 }

/** One lane, over which statement 5 is known to be quick. */
async function known(
  peers: OrderlyPeers,
  upstream: BenchUpstream = {},
  bench = new KernelBench(),
): Promise<KernelBench> {
  bench.world.network.listen('a:1', peers.listener)
  bench.app.connect(1, { lanes: 'elastic', ...upstream })
  await bench.run(20)
  for (let count = 0; count < 4; count++) {
    const call = bench.app.call(`warm ${count}`, KNOWN)
    await bench.run(5)
    await call
  }
  return bench
}

describe('behind a late head', () => {
  test('what may be executed twice goes elsewhere, the rest waits, and each has its own answer', async () => {
    const peers = new OrderlyPeers().hold('late')
    const bench = await known(peers)
    const late = bench.app.call('late', KNOWN)
    const moved = ['a', 'b'].map((text) => bench.app.call(text, { ...KNOWN, idempotent: true }))
    const stays = bench.app.call('c', KNOWN)
    await bench.run(5)
    expect(peers.lines[0]?.slice(4)).toEqual(['late', 'a', 'b', 'c'])
    await bench.run(60)
    expect(await all(moved)).toEqual(['a', 'b'])
    expect(peers.lines[1]).toEqual(['a', 'b'])
    peers.release('late')
    await bench.run(20)
    expect(await all([late, stays])).toEqual(['late', 'c'])
    expect(bench.app.app.owed).toBe(false)
  })

  test('nothing more is written', async () => {
    const peers = new OrderlyPeers().hold('late')
    const bench = await known(peers)
    const late = bench.app.call('late', KNOWN)
    await bench.run(30)
    const others = Array.from({ length: 50 }, (_, index) => bench.app.call(`x${index}`, KNOWN))
    await bench.run(100)
    expect((await all(others)).at(-1)).toBe('x49')
    expect(peers.lines[0]?.at(-1)).toBe('late')
    peers.release('late')
    await bench.run(20)
    expect(short(await late)).toBe('late')
  })

  test('nobody is moved beyond the retry budget', async () => {
    const peers = new OrderlyPeers().hold('late')
    const bench = await known(peers, { limits: { retryPercent: 0, retriesPerSecond: 0 } })
    const calls = ['late', 'a', 'b'].map((text) => bench.app.call(text, { ...KNOWN, idempotent: true }))
    await bench.run(200)
    expect(peers.executed.filter((text) => text === 'a')).toEqual([])
    peers.release('late')
    await bench.run(20)
    expect(await all(calls)).toEqual(['late', 'a', 'b'])
  })

  test('a call that was moved and then expires says maybe, and its ghosts harm nobody', async () => {
    const peers = new OrderlyPeers().hold('late', 'a')
    const bench = await known(peers, { limits: { lanesMax: 2 } })
    const late = bench.app.call('late', KNOWN)
    const moved = bench.app.call('a', { ...KNOWN, idempotent: true, deadlineMs: 100 })
    await bench.run(200)
    expect(short(await moved)).toBe('DEADLINE maybe')
    peers.release('late', 'a')
    await bench.run(50)
    expect(short(await late)).toBe('late')
    expect(bench.app.app.owed).toBe(false)
    const next = bench.app.call('next')
    await bench.run(50)
    expect(short(await next)).toBe('next')
  })

  test('a lane with ghosts on it may die', async () => {
    const peers = new OrderlyPeers().hold('late')
    const bench = await known(peers)
    const late = bench.app.call('late', KNOWN)
    const moved = ['a', 'b'].map((text) => bench.app.call(text, { ...KNOWN, idempotent: true }))
    await bench.run(60)
    expect(await all(moved)).toEqual(['a', 'b'])
    bench.world.network.open()[0]?.reset()
    await bench.run(60)
    expect(short(await late)).toBe('CONNECTION_LOST maybe')
    expect(bench.app.app.owed).toBe(false)
    expect([...bench.app.io.calls()]).toEqual([])
  })

  test('whoever is held back, moved, expires and dies: each call has its own answer, once', async () => {
    await withSeed(async (random) => {
      for (let round = 0; round < 20; round++) await anyOrder(random)
    })
  }, 60_000)
})

async function anyOrder(random: Random): Promise<void> {
  const peers = new OrderlyPeers()
  const limits = { lanesMax: random.pick([1, 2, 4]), windowMax: random.pick([2, 16]), drainTimeoutMs: 500 }
  const bench = await known(peers, { limits }, new KernelBench(random))
  const outcomes = new Map<string, string[]>()
  const once = new Set<string>()
  const held: string[] = []
  for (let number = 0; number < 150; number++) {
    const text = `n${number}`
    if (random.chance(0.1)) held.push(text)
    peers.hold(...held)
    const idempotent = random.chance(0.7)
    if (!idempotent) once.add(text)
    const sort = random.chance(0.8) ? KNOWN : {}
    const deadlineMs = random.chance(0.1) ? random.between(1, 60) : 10_000
    outcomes.set(text, [])
    void bench.app
      .call(text, { ...sort, idempotent, deadlineMs })
      .then((outcome) => outcomes.get(text)?.push(short(outcome)))
    if (random.chance(0.2)) peers.release(...held.splice(0, random.below(3)))
    if (random.chance(0.02)) random.pick([...bench.world.network.open(), undefined])?.reset()
    await bench.run(random.pick([0, 0, 1, 15]))
  }
  for (let count = 0; count < 10; count++) {
    peers.release(...held)
    await bench.run(1_000)
  }
  for (const [text, said] of outcomes) {
    expect(said, text).toHaveLength(1)
    expect([text, 'DEADLINE maybe', 'DEADLINE no', 'CONNECTION_LOST maybe'], text).toContain(said[0])
    const times = peers.executed.filter((each) => each === text).length
    if (once.has(text)) expect(times, text).toBeLessThanOrEqual(1)
    if (said[0] === 'DEADLINE no') expect(times, text).toBe(0)
  }
  expect(bench.app.app.owed).toBe(false)
  expect([...bench.app.io.calls()]).toEqual([])
}

/** Lines with a number in front, which names the request. */
const NUMBERED: IoProtocol<Cloneable> = {
  name: 'lines',
  api: PLUGIN_API,
  connection: () => ({
    submit(payload, _hint, wireId, out) {
      out.utf8(`${wireId} `)
      out.copy(payload)
    },
    scan(bytes, start, end, sink) {
      let at = start
      for (let feed = bytes.indexOf(10, at); feed !== -1 && feed < end; feed = bytes.indexOf(10, at)) {
        const space = bytes.indexOf(32, at)
        sink.frame(space + 1, feed + 1, FrameFlag.Final, Number(bytes.toString('latin1', at, space)))
        at = feed + 1
      }
      return at - start
    },
  }),
}

test('where replies are correlated, what comes late for a call that was moved answers nobody', async () => {
  await withSeed(async (random) => {
    for (let round = 0; round < 20; round++) {
      const bench = new KernelBench(random, {}, NUMBERED)
      const late: (() => void)[] = []
      bench.world.network.listen('a:1', (peer) => {
        peer.onData = (bytes) => {
          for (const text of bytes.toString().split('\n').slice(0, -1)) {
            const answer = (): void => peer.send(`${text}\n`)
            if (text.includes('warm') || random.chance(0.7)) answer()
            else late.push(answer)
          }
        }
      })
      bench.app.connect(1, { lanes: 'elastic', correlated: true })
      await bench.run(20)
      for (let count = 0; count < 4; count++) {
        void bench.app.call('warm', KNOWN)
        await bench.run(5)
      }
      const texts = Array.from({ length: 60 }, (_, index) => `n${index}`)
      const calls: Promise<BenchOutcome>[] = []
      for (const text of texts) {
        calls.push(bench.app.call(text, { ...KNOWN, idempotent: random.chance(0.8) }))
        await bench.run(random.pick([0, 0, 2, 20]))
        if (late.length > 3) late.splice(random.below(late.length), 1)[0]?.()
      }
      for (let count = 0; count < 20; count++) {
        for (const answer of late.splice(0)) answer()
        await bench.run(100)
      }
      expect(await all(calls)).toEqual(texts)
      expect(bench.app.app.owed).toBe(false)
    }
  })
})

/** A request that has two more replies. */
const THREE = {
  ...line,
  encode: (out, text: string) => line.encode(out, text) + 2,
} as typeof line as unknown as AnyOperation

/** What a peer says first and afterwards, byte by byte with a turn in between from `cut` on. */
async function twice(first: string, then: string, cut: number, operation: AnyOperation): Promise<string> {
  const bench = new KernelBench()
  const asked: string[] = []
  bench.world.network.listen('a:1', (peer: FakePeer) => {
    peer.onData = (bytes) => {
      for (const text of bytes.toString().split('\n').slice(0, -1)) {
        if (text.startsWith('hello')) {
          peer.send('welcome\n')
          continue
        }
        asked.push(text)
        const answer = asked.length === 1 ? first : then
        peer.send(answer.slice(0, cut))
        bench.world.after(5, () => peer.send(answer.slice(cut)))
      }
    }
  })
  bench.app.connect(1, { lanes: 'elastic' })
  await bench.run(20)
  const reply = bench.app.app.call(operation, 'asked', 1, 0, 1_000, 1 << 20, undefined).then(String, String)
  await bench.run(100)
  const text = await reply
  expect(bench.app.app.owed).toBe(false)
  return `${asked.length}: ${text}`
}

describe('a call whose connection had prepared something that is out of date', () => {
  const plain = line as unknown as AnyOperation

  test('is sent once more, although it is not idempotent, wherever its bytes are cut', async () => {
    const stale = '-stale\nrest\n'
    for (let cut = 0; cut <= stale.length; cut++) expect(await twice(stale, 'good\n', cut, plain)).toBe('2: good\n')
  })

  test('gives its caller nothing of what came before: those pieces are void', async () => {
    const large = 'x'.repeat(20_000)
    const stale = `${large}\n-stale\nend\n`
    const good = `1\n${large.replaceAll('x', 'y')}\n3\n`
    for (const cut of [0, 2, 15_000, 17_000, 20_000, 20_001, 20_005, 20_007, 20_008, 20_010, stale.length]) {
      expect(await twice(stale, good, cut, THREE)).toBe(`2: ${good}`)
    }
  })

  test('is not sent a third time: the caller has the error', async () => {
    expect(await twice('-stale\nrest\n', '-stale\nrest\n', 3, plain)).toBe('2: -stale\nrest\n')
  })

  test('given up between the error and the end of the reply is not sent again', async () => {
    const bench = new KernelBench()
    let asked = 0
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => {
        if (bytes.toString().startsWith('hello')) return peer.send('welcome\n')
        asked++
        peer.send('-stale\n')
        bench.world.after(100, () => peer.send('rest\n'))
      }
    })
    bench.app.connect(1, { lanes: 'elastic' })
    await bench.run(20)
    const call = bench.app.call('asked', { deadlineMs: 50 })
    await bench.run(500)
    expect(short(await call)).toBe('DEADLINE maybe')
    expect(asked).toBe(1)
    expect(bench.app.app.owed).toBe(false)
  })

  test('that was the last of its lane goes to another one', async () => {
    const bench = new KernelBench()
    let asked = 0
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => {
        if (bytes.toString().startsWith('hello')) return peer.send('welcome\n')
        if (++asked > 1) return peer.send('good\n')
        peer.send('-stale\nrest\n')
        peer.reset()
      }
    })
    bench.app.connect(1, { lanes: 'elastic' })
    await bench.run(20)
    const call = bench.app.call('asked')
    await bench.run(1_000)
    expect(short(await call)).toMatch(/^(good|CONNECTION_LOST maybe)$/)
    expect(bench.app.app.owed).toBe(false)
  })

  test('of a session is not sent again: what the session did before may be gone', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => void peer.send(bytes.toString().startsWith('hello') ? 'welcome\n' : '-stale\nrest\n')
    })
    bench.app.connect(1, { lanes: 'elastic' })
    bench.app.app.control({ type: 'open-session', session: 1, target: 1, deadlineMs: 1_000 })
    await bench.run(50)
    const call = bench.app.call('asked', { session: 1 })
    await bench.run(50)
    expect(short(await call)).toBe('-stale\nrest')
  })
})

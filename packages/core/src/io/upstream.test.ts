/**
 * An upstream in a virtual world: what happens to calls when lanes die, names move, addresses are dead, queues are full
 * and peers refuse. The rules of `upstream.ts` and `lane-set.ts`, and the table of what is promised about calls.
 */
import { describe, expect, test } from 'vitest'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'

async function connected(upstream: BenchUpstream = {}): Promise<KernelBench> {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', linePeer())
  bench.app.connect(1, upstream)
  await bench.run(20)
  return bench
}

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

async function all(calls: readonly Promise<BenchOutcome>[]): Promise<string[]> {
  return (await Promise.all(calls)).map(short)
}

function dials(bench: KernelBench, id?: string): number {
  return bench.world.network.dialled.filter((each) => id === undefined || each.id === id).length
}

describe('the ordinary day', () => {
  test('it connects before the first call, says so, and answers', async () => {
    const bench = await connected()
    expect(dials(bench)).toBe(1)
    expect(bench.app.statuses.at(-1)).toBe('ready')
    const calls = Array.from({ length: 100 }, (_, index) => bench.app.call(`c${index}`))
    await bench.run(20)
    expect(await all(calls)).toEqual(calls.map((_, index) => `c${index}`))
    expect(dials(bench)).toBe(1)
  })

  test('calls made before there is a connection wait for it, in order', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('a:1', linePeer())
    bench.app.connect(1)
    const calls = Array.from({ length: 5 }, (_, index) => bench.app.call(`c${index}`))
    await bench.run(30)
    expect(await all(calls)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4'])
    expect(bench.world.network.peers[0]?.received.toString()).toBe('hello tester\nc0\nc1\nc2\nc3\nc4\n')
  })

  test('two threads share one upstream, and see their own replies only', async () => {
    const bench = await connected()
    const other = bench.thread()
    other.connect(1)
    const calls = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? bench.app : other).call(`c${index}`))
    await bench.run(20)
    expect(await all(calls)).toEqual(calls.map((_, index) => `c${index}`))
    expect(dials(bench)).toBe(1)
  })

  test('a pool has one call at a time on each lane, and as many lanes as it may', async () => {
    const bench = await connected({ lanes: 'pool', limits: { lanesMax: 4 } })
    let most = 0
    const waiting: (() => void)[] = []
    const inFlight = new Map<object, number>()
    bench.world.network.listen(
      'a:1',
      linePeer((text, peer) => {
        if (text.startsWith('hello')) return text
        const now = (inFlight.get(peer) ?? 0) + 1
        inFlight.set(peer, now)
        most = Math.max(most, now)
        waiting.push(() => {
          inFlight.set(peer, 0)
          peer.send(`${text}\n`)
        })
        return undefined
      }),
    )
    for (const peer of bench.world.network.open()) peer.reset()
    await bench.run(200)
    const calls = Array.from({ length: 12 }, (_, index) => bench.app.call(`c${index}`))
    for (let round = 0; round < 20; round++) {
      await bench.run(20)
      for (const answer of waiting.splice(0)) answer()
    }
    expect(await all(calls)).toEqual(calls.map((_, index) => `c${index}`))
    expect(most).toBe(1)
    expect(bench.world.network.open().length).toBeLessThanOrEqual(4)
    expect(bench.world.network.open().length).toBeGreaterThan(1)
  })
})

describe('a lane dies', () => {
  test('what was written says maybe, what was not goes to the next one unnoticed', async () => {
    const bench = await connected({ limits: { pipelineMax: 2 } })
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text === 'silent' ? undefined : text)),
    )
    const [peer] = bench.world.network.open()
    if (peer !== undefined) peer.onData = () => undefined
    const written = [bench.app.call('w1'), bench.app.call('w2')]
    const queued = [bench.app.call('q1'), bench.app.call('q2')]
    await bench.run(10)
    peer?.reset()
    await bench.run(500)
    expect(await all(written)).toEqual(['CONNECTION_LOST maybe', 'CONNECTION_LOST maybe'])
    expect(await all(queued)).toEqual(['q1', 'q2'])
  })

  test('unwritten calls never fail, however often lanes die in between', async () => {
    const bench = new KernelBench()
    let lives = 0
    bench.world.network.listen('a:1', (peer) => {
      lives++
      if (lives < 6) return peer.reset()
      linePeer()(peer)
    })
    bench.app.connect(1, { handshake: false, limits: { pipelineMax: 1, reconnectMaxMs: 100 } })
    await bench.run(1)
    const calls = Array.from({ length: 5 }, (_, index) => bench.app.call(`c${index}`, { idempotent: true }))
    await bench.run(3_000)
    expect(await all(calls)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4'])
  })

  test('idempotent calls are sent again within the budget, others never', async () => {
    const bench = await connected({ limits: { retryPercent: 0, retriesPerSecond: 1 } })
    for (const peer of bench.world.network.open()) peer.onData = () => undefined
    const calls = Array.from({ length: 40 }, (_, index) => bench.app.call(`c${index}`, { idempotent: index % 2 === 0 }))
    await bench.run(10)
    for (const peer of bench.world.network.open()) peer.reset()
    await bench.run(1_000)
    const outcomes = await all(calls)
    expect(outcomes.filter((_, index) => index % 2 === 1)).toEqual(
      Array.from({ length: 20 }, () => 'CONNECTION_LOST maybe'),
    )
    const again = outcomes.filter((text, index) => index % 2 === 0 && text === `c${index}`)
    expect(again.length).toBe(10)
  })

  test('the budget is earned by calls: a share of them may be sent again', async () => {
    for (const [retryPercent, expected] of [
      [0, 0],
      [10, 10],
    ] as const) {
      const bench = await connected({ limits: { retryPercent, retriesPerSecond: 0 } })
      const answered = Array.from({ length: 60 }, (_, index) => bench.app.call(`a${index}`))
      await bench.run(20)
      await all(answered)
      for (const peer of bench.world.network.open()) peer.onData = () => undefined
      const calls = Array.from({ length: 40 }, (_, index) => bench.app.call(`c${index}`, { idempotent: true }))
      await bench.run(10)
      for (const peer of bench.world.network.open()) peer.reset()
      await bench.run(1_000)
      const again = (await all(calls)).filter((text) => text.startsWith('c'))
      // Tenths do not add up to ten exactly.
      expect(Math.abs(again.length - expected)).toBeLessThanOrEqual(expected === 0 ? 0 : 1)
    }
  })

  test('a reply that had begun is not asked for again', async () => {
    const bench = await connected()
    for (const peer of bench.world.network.open()) {
      peer.onData = () => peer.send('y'.repeat(20_000))
    }
    const call = bench.app.call('c', { idempotent: true })
    await bench.run(10)
    bench.world.network.open()[0]?.reset()
    await bench.run(500)
    expect(await all([call])).toEqual(['CONNECTION_LOST maybe'])
  })

  test('a peer that says it did nothing is asked again within the deadline', async () => {
    const bench = new KernelBench()
    let refusals = 0
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text === 'moody' && refusals++ < 3 ? '-again' : text === 'never' ? '-again' : text)),
    )
    bench.app.connect(1)
    const moody = bench.app.call('moody', { idempotent: true })
    const never = bench.app.call('never', { idempotent: true, deadlineMs: 2_000 })
    // Only the peer's word says so, and a script of the peer's may have made it up: a write is not risked.
    const write = bench.app.call('never')
    await bench.run(10_000)
    expect(short(await moody)).toBe('moody')
    expect(short(await write)).toBe('-again')
    expect(['-again', 'DEADLINE maybe']).toContain(short(await never))
  })
})

describe('back-off', () => {
  test('a peer that accepts and closes at once is not dialled in a hot loop', async () => {
    for (const handshake of [true, false]) {
      const bench = new KernelBench()
      bench.world.network.latencyMs = 0.1
      bench.world.network.listen('a:1', (peer) => {
        linePeer((text) => {
          if (text.startsWith('hello')) bench.world.after(0.5, () => peer.reset())
          return text
        })(peer)
        if (!handshake) peer.reset()
      })
      bench.app.connect(1, { handshake })
      await bench.run(10_000)
      expect(dials(bench), handshake ? 'after its handshake' : 'after the connect').toBeLessThan(60)
    }
  })

  test('a refusing address is tried ever more rarely, and at once again after it came back', async () => {
    const bench = new KernelBench()
    bench.app.connect(1)
    await bench.run(60_000)
    const before = dials(bench)
    expect(before).toBeGreaterThan(10)
    expect(before).toBeLessThan(60)
    bench.world.network.listen('a:1', linePeer())
    await bench.run(5_100)
    expect(bench.app.statuses.at(-1)).toBe('ready')
    await bench.run(6_000)
    bench.world.network.open()[0]?.reset()
    await bench.run(200)
    expect(bench.app.statuses.at(-1)).toBe('ready')
  })

  test('sessions that cannot be opened are not dialled in a hot loop, with one address or several', async () => {
    for (const at of ['a:1', 'a:1,b:1']) {
      const bench = new KernelBench()
      let lanes = 0
      bench.world.network.listen('a:1', (peer) => (lanes++ === 0 ? linePeer()(peer) : peer.reset()))
      bench.world.network.listen('b:1', linePeer())
      bench.app.connect(1, { at })
      await bench.run(50)
      const before = dials(bench)
      const call = bench.app.call('alone', { exclusive: true, deadlineMs: 5_000 })
      await bench.run(6_000)
      expect(dials(bench) - before, at).toBeLessThan(60)
      expect(short(await call)).toMatch(/^(DEADLINE no|alone)$/)
    }
  })
})

describe('several addresses', () => {
  test('one that refuses costs nothing: the next is tried at once', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('b:1', linePeer())
    bench.app.connect(1, { at: 'a:1,b:1' })
    await bench.run(10)
    expect(bench.app.statuses.at(-1)).toBe('ready')
  })

  test('one that does not answer is not waited for alone', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('a:1', 'black-hole')
    bench.world.network.listen('b:1', linePeer())
    bench.app.connect(1, { at: 'a:1,b:1' })
    await bench.run(300)
    expect(bench.app.statuses.at(-1)).toBe('ready')
    expect(bench.world.network.open('b:1')).toHaveLength(1)
  })

  test('nor when another one has refused before it', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('b:1', 'black-hole')
    bench.world.network.listen('c:1', linePeer())
    bench.app.connect(1, { at: 'a:1,b:1,c:1' })
    await bench.run(400)
    expect(bench.app.statuses.at(-1)).toBe('ready')
  })

  test('of two that answer late, one is kept', async () => {
    const bench = new KernelBench()
    bench.world.network.latencyMs = 200
    bench.world.network.listen('a:1', linePeer())
    bench.world.network.listen('b:1', linePeer())
    bench.app.connect(1, { at: 'a:1,b:1' })
    await bench.run(3_000)
    expect(bench.world.network.open()).toHaveLength(1)
    const call = bench.app.call('x')
    await bench.run(1_000)
    expect(short(await call)).toBe('x')
  })
})

describe('the name moves', () => {
  test('connect the new, switch, drain the old: written calls finish, later ones go to the new', async () => {
    const bench = new KernelBench()
    const held: (() => void)[] = []
    const late = linePeer((text, peer) => {
      if (text.startsWith('hello')) return text
      held.push(() => peer.send(`${text}\n`))
      return undefined
    })
    bench.world.network.listen('old', late)
    bench.world.network.listen(
      'new',
      linePeer((text) => (text.startsWith('hello') ? text : `new ${text}`)),
    )
    bench.move('name', ['old'])
    bench.app.connect(1, { at: 'name' })
    await bench.run(20)
    const slow = bench.app.call('slow')
    await bench.run(5)
    bench.move('name', ['new'])
    const during = bench.app.call('during')
    await bench.run(20)
    const after = bench.app.call('after')
    await bench.run(20)
    expect(short(await after)).toBe('new after')
    expect(bench.world.network.open('old')).toHaveLength(1)
    for (const answer of held) answer()
    await bench.run(20)
    expect(short(await slow)).toBe('slow')
    expect(['during', 'new during']).toContain(short(await during))
    expect(bench.world.network.open('old')).toHaveLength(0)
    expect(bench.app.statuses).not.toContain('down')
  })

  test('to an address that does not work: the old one serves on', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('old', linePeer())
    bench.move('name', ['old'])
    bench.app.connect(1, { at: 'name' })
    await bench.run(20)
    bench.move('name', ['dead'])
    await bench.run(2_000)
    const call = bench.app.call('still here')
    await bench.run(20)
    expect(short(await call)).toBe('still here')
  })

  test('back and forth quickly: nothing is left open that nobody uses', async () => {
    const bench = new KernelBench()
    for (const id of ['x', 'y', 'z']) bench.world.network.listen(id, linePeer())
    bench.move('name', ['x'])
    bench.app.connect(1, { at: 'name' })
    const calls: Promise<BenchOutcome>[] = []
    for (let round = 0; round < 60; round++) {
      bench.move('name', [['x', 'y', 'z'][round % 3] as string])
      calls.push(bench.app.call(`c${round}`))
      await bench.run((round * 7) % 6)
    }
    await bench.run(1_000)
    expect(await all(calls)).toEqual(calls.map((_, round) => `c${round}`))
    expect(bench.world.network.open()).toHaveLength(1)
  })

  test('old lanes that never finish are closed after drainTimeoutMs', async () => {
    const bench = new KernelBench()
    const silent = linePeer((text) => (text === 'never' ? undefined : text))
    bench.world.network.listen('old', silent)
    bench.world.network.listen('new', linePeer())
    bench.move('name', ['old'])
    bench.app.connect(1, { at: 'name', limits: { drainTimeoutMs: 1_000 } })
    await bench.run(20)
    const never = bench.app.call('never')
    await bench.run(5)
    bench.move('name', ['new'])
    await bench.run(900)
    expect(bench.world.network.open('old')).toHaveLength(1)
    await bench.run(200)
    expect(bench.world.network.open('old')).toHaveLength(0)
    expect(short(await never)).toBe('ADDRESS_GONE maybe')
  })
})

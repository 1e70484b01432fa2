/**
 * Connections that are lent: one borrower at a time, reset before the next, limited and queued with a deadline, never
 * given on with something unanswered. The rules of `session-pool.ts`, over the channel and in a virtual world.
 */
import { describe, expect, test } from 'vitest'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'
import { withSeed } from '../testing/random.ts'

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

async function opened(upstream: BenchUpstream = {}): Promise<KernelBench> {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', linePeer())
  bench.app.connect(1, upstream)
  await bench.run(20)
  return bench
}

function open(bench: KernelBench, session: number, deadlineMs = 1_000): void {
  bench.app.app.control({ type: 'open-session', session, target: 1, deadlineMs })
}

function close(bench: KernelBench, session: number): void {
  bench.app.app.control({ type: 'close-session', session })
}

function told(bench: KernelBench, session: number): string[] {
  return bench.app.events.flatMap((event) => ('session' in event && event.session === session ? [event.type] : []))
}

/** What the peers have received after their handshake. */
function received(bench: KernelBench): string[] {
  return bench.world.network.peers.map((peer: FakePeer) => peer.received.toString().replace(/^hello tester\n/, ''))
}

describe('a session', () => {
  test('is a connection of its own: what it asks never stands on a lane', async () => {
    const bench = await opened()
    open(bench, 5)
    await bench.run(20)
    expect(told(bench, 5)).toEqual(['session-ready'])
    const outcomes = [bench.app.call('mine', { session: 5 }), bench.app.call('shared')]
    await bench.run(20)
    expect((await Promise.all(outcomes)).map(short)).toEqual(['mine', 'shared'])
    expect(received(bench)).toEqual(['shared\n', 'mine\n'])
  })

  test('is reset before the next borrower has it', async () => {
    const bench = await opened({ limits: { sessionsMax: 1 } })
    open(bench, 1)
    await bench.run(20)
    const first = bench.app.call('first', { session: 1 })
    await bench.run(20)
    open(bench, 2)
    await bench.run(20)
    expect(told(bench, 2)).toEqual([])
    close(bench, 1)
    await bench.run(20)
    expect(told(bench, 1)).toEqual(['session-ready', 'session-closed'])
    expect(told(bench, 2)).toEqual(['session-ready'])
    const second = bench.app.call('second', { session: 2 })
    await bench.run(20)
    expect([short(await first), short(await second)]).toEqual(['first', 'second'])
    expect(received(bench)[1]).toBe('first\nreset\nsecond\n')
  })

  test('that cannot be reset is closed, and the next borrower gets another connection', async () => {
    for (const upstream of [{ reset: false }, { reset: true, limits: { handshakeTimeoutMs: 200 } }]) {
      const bench = await opened({ ...upstream, limits: { ...upstream.limits, sessionsMax: 1 } })
      bench.world.network.listen(
        'a:1',
        linePeer((text) => (text === 'reset' ? undefined : text)),
      )
      open(bench, 1)
      open(bench, 2, 5_000)
      await bench.run(20)
      close(bench, 1)
      await bench.run(2_000)
      expect(told(bench, 2)).toEqual(['session-ready'])
      expect(bench.world.network.open()).toHaveLength(2)
    }
  })

  test('given back with something unanswered takes its connection with it', async () => {
    const bench = await opened()
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text === 'silent' ? undefined : text)),
    )
    open(bench, 1)
    await bench.run(20)
    const call = bench.app.call('silent', { session: 1 })
    await bench.run(20)
    close(bench, 1)
    await bench.run(50)
    expect(short(await call)).toMatch(/ maybe$/)
    expect(told(bench, 1)).toEqual(['session-ready', 'session-closed'])
    expect(bench.world.network.open()).toHaveLength(1)
    expect(bench.app.app.owed).toBe(false)
  })

  test('that is lost says so once; its calls fail, later ones are never sent', async () => {
    const bench = await opened()
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text === 'silent' ? undefined : text)),
    )
    open(bench, 1)
    await bench.run(20)
    const silent = bench.app.call('silent', { session: 1 })
    await bench.run(20)
    bench.world.network.open().at(-1)?.reset()
    await bench.run(20)
    const later = bench.app.call('later', { session: 1 })
    await bench.run(20)
    expect([short(await silent), short(await later)]).toEqual(['CONNECTION_LOST maybe', 'SESSION_LOST no'])
    expect(told(bench, 1)).toEqual(['session-ready', 'session-lost'])
    close(bench, 1)
    await bench.run(20)
    expect(told(bench, 1)).toEqual(['session-ready', 'session-lost', 'session-closed'])
  })
})

describe('waiting for a session', () => {
  test('is first come, first served, sessions and single calls alike', async () => {
    const bench = await opened({ limits: { sessionsMax: 1 } })
    open(bench, 1)
    await bench.run(20)
    const order: string[] = []
    for (const number of [2, 3]) {
      open(bench, number, 10_000)
      await bench.run(1)
      void bench.app.call(`alone ${number}`, { exclusive: true }).then((outcome) => order.push(short(outcome)))
      await bench.run(1)
    }
    for (const number of [1, 2, 3]) {
      close(bench, number)
      await bench.run(50)
      order.push(`closed ${number}`)
    }
    await bench.run(50)
    expect(order).toEqual(['closed 1', 'alone 2', 'closed 2', 'alone 3', 'closed 3'])
  })

  test('ends at its deadline with an error that names the limit, and leaves no trace', async () => {
    const bench = await opened({ limits: { sessionsMax: 1 } })
    open(bench, 1)
    await bench.run(20)
    open(bench, 2, 100)
    const alone = bench.app.call('alone', { exclusive: true, deadlineMs: 100 })
    await bench.run(200)
    const [failed] = bench.app.seen('session-failed')
    expect(failed?.session).toBe(2)
    expect(failed?.error.message).toContain('sessionsMax')
    expect(failed?.error.sent).toBe('no')
    expect(short(await alone)).toBe('DEADLINE no')
    close(bench, 1)
    await bench.run(50)
    open(bench, 3)
    await bench.run(50)
    expect(told(bench, 3)).toEqual(['session-ready'])
  })

  test('is bounded by queueMax', async () => {
    const bench = await opened({ limits: { sessionsMax: 1, queueMax: 2 } })
    for (let number = 1; number <= 5; number++) {
      open(bench, number, 60_000)
      await bench.run(20)
    }
    expect(bench.app.seen('session-failed').map(({ session, error }) => `${session} ${error.code}`)).toEqual([
      '4 QUEUE_LIMIT',
      '5 QUEUE_LIMIT',
    ])
  })

  test('given up by its owner is over', async () => {
    const bench = await opened({ limits: { sessionsMax: 1 } })
    open(bench, 1)
    open(bench, 2, 60_000)
    await bench.run(20)
    close(bench, 2)
    await bench.run(20)
    close(bench, 1)
    await bench.run(50)
    expect(told(bench, 2)).toEqual(['session-closed'])
  })
})

describe('a call that takes a connection to itself', () => {
  test('leaves the connection to the next one, without a reset and without a new dial', async () => {
    const bench = await opened()
    for (let count = 0; count < 10; count++) {
      const call = bench.app.call(`alone ${count}`, { exclusive: true })
      await bench.run(20)
      expect(short(await call)).toBe(`alone ${count}`)
    }
    expect(bench.world.network.dialled).toHaveLength(2)
    expect(received(bench)[1]).not.toContain('reset')
  })

  test('settled before its reply closes the connection: the late reply meets nobody', async () => {
    for (const how of ['deadline', 'abort']) {
      const bench = await opened()
      bench.world.network.listen(
        'a:1',
        linePeer((text) => (text.startsWith('block') ? undefined : text)),
      )
      const controller = new AbortController()
      const call = bench.app.call('block', {
        exclusive: true,
        ...(how === 'abort' ? { signal: controller.signal } : { deadlineMs: 50 }),
      })
      await bench.run(20)
      controller.abort()
      await bench.run(100)
      expect(short(await call)).toBe(how === 'abort' ? 'ABORTED maybe' : 'DEADLINE maybe')
      const next = bench.app.call('next', { exclusive: true })
      await bench.run(50)
      expect(short(await next)).toBe('next')
      expect(bench.world.network.open()).toHaveLength(2)
      expect(bench.app.app.owed).toBe(false)
    }
  })

  test('keeps no more idle connections than sessionsIdleMax', async () => {
    const bench = await opened({ limits: { sessionsIdleMax: 2 } })
    const calls = Array.from({ length: 12 }, (_, index) => bench.app.call(`alone ${index}`, { exclusive: true }))
    await bench.run(200)
    expect((await Promise.all(calls)).map(short)).toEqual(calls.map((_, index) => `alone ${index}`))
    expect(bench.world.network.open().length).toBeLessThanOrEqual(3)
  })
})

test('whatever sessions and calls do, no connection has two borrowers and none is lent unreset', async () => {
  await withSeed(async (random) => {
    for (let round = 0; round < 25; round++) {
      const bench = new KernelBench(random)
      bench.world.network.listen('a:1', linePeer())
      bench.app.connect(1, { limits: { sessionsMax: random.between(1, 4), sessionsIdleMax: random.below(3) } })
      const openSessions = new Set<number>()
      const calls: Promise<BenchOutcome>[] = []
      for (let step = 0; step < 60; step++) {
        const number = 1 + random.below(8)
        const roll = random.below(4)
        if (roll === 0 && !openSessions.has(number) && !told(bench, number).includes('session-ready')) {
          openSessions.add(number)
          open(bench, number, random.pick([20, 500]))
        } else if (roll === 1 && openSessions.delete(number)) {
          close(bench, number)
        } else if (roll === 2 && openSessions.has(number)) {
          calls.push(bench.app.call(`s${number}`, { session: number, deadlineMs: 400 }))
        } else if (roll === 3) {
          calls.push(bench.app.call('alone', { exclusive: true, deadlineMs: 400 }))
        }
        if (random.chance(0.05)) random.pick([...bench.world.network.open(), undefined])?.reset()
        await bench.run(random.below(10))
      }
      for (const number of openSessions) close(bench, number)
      await bench.run(2_000)
      await Promise.all(calls)
      for (const text of received(bench)) {
        // Between the lines of two sessions there is always a reset.
        const owners = text.split('\n').filter((each) => each !== '')
        let owner: string | undefined
        for (const each of owners) {
          if (each === 'reset') owner = undefined
          else if (each.startsWith('s')) {
            if (owner !== undefined && owner !== each) throw new Error(`lent unreset: ${owners.join(' ')}`)
            owner = each
          } else if (each === 'alone' && owner !== undefined) throw new Error(`lent unreset: ${owners.join(' ')}`)
        }
      }
      expect(bench.app.app.owed).toBe(false)
      expect(bench.app.app.waiting).toBe(0)
    }
  })
}, 60_000)

test('a peer that lets sessions in and closes them at once is not dialled in a hot loop', async () => {
  const bench = await opened()
  const closes = linePeer((text, peer) => {
    if (text.startsWith('hello')) bench.world.after(3, () => peer.reset())
    return text.startsWith('hello') ? text : undefined
  })
  bench.world.network.listen('a:1', closes)
  const before = bench.world.network.dialled.length
  const calls = Array.from({ length: 200 }, () => bench.app.call('alone', { exclusive: true, deadlineMs: 5_000 }))
  await bench.run(6_000)
  await Promise.all(calls)
  // Each attempt is some call's loss (it may have been executed); all of them within a second would be a storm.
  expect(bench.world.network.dialled.length - before).toBeLessThan(1_000)
})

test('a session gives its connection no more calls than it takes; what nothing answers is not held', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { handshake: false, callsMax: 1 })
  open(bench, 1)
  await bench.run(20)
  const load = bench.app.call('load', { session: 1 })
  const beside = [bench.app.call('b', { session: 1 }), bench.app.call('c', { session: 1 })]
  await bench.run(20)
  const peer = bench.world.network.peers.find((each) => each.received.length > 0)
  expect(peer?.received.toString()).toBe('load\n')
  // The load is answered when its pieces are there, and only then may the others go.
  const piece = bench.app.call('piece', { session: 1, silent: true })
  await bench.run(20)
  expect(peer?.received.toString()).toBe('load\npiece\n')
  peer?.send('loaded\n')
  await bench.run(20)
  expect(peer?.received.toString()).toBe('load\npiece\nb\n')
  peer?.send('1\n')
  await bench.run(20)
  peer?.send('2\n')
  await bench.run(20)
  expect((await Promise.all([load, piece, ...beside])).map(short)).toEqual(['loaded', '', '1', '2'])
})

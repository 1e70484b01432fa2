/**
 * What lanes need besides calls, over the channel and in a virtual world: reset before anybody else sees what a call
 * left behind, audits, lanes that are dropped and say so, idleness, a life that ends. The rules of `lane-care.ts`.
 */
import { describe, expect, test } from 'vitest'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { type Answer, linePeer } from '../testing/line-peer.ts'
import { withSeed } from '../testing/random.ts'

const BOTH = ['elastic', 'pool'] as const

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

async function all(calls: readonly Promise<BenchOutcome>[]): Promise<string[]> {
  return (await Promise.all(calls)).map(short)
}

async function opened(upstream: BenchUpstream, answer?: Answer, bench = new KernelBench()): Promise<KernelBench> {
  bench.world.network.listen('a:1', linePeer(answer))
  bench.app.connect(1, upstream)
  await bench.run(20)
  return bench
}

/** The lines that each connection received after its handshake. */
function received(bench: KernelBench): string[][] {
  return bench.world.network.peers.map((peer) => peer.received.toString().split('\n').slice(1, -1))
}

function open(bench: KernelBench): number {
  return bench.world.network.open().length
}

describe('a call that may leave state behind', () => {
  test('is followed by a reset before any other call, on as many lanes as there are', async () => {
    for (const lanes of BOTH) {
      for (const lanesMax of [1, 2, 10]) {
        const bench = await opened({ lanes, limits: { lanesMax } })
        const calls = Array.from({ length: 30 }, (_, index) => {
          return bench.app.call(`${index % 3 === 0 ? 'set' : 'get'} ${index}`, { taints: index % 3 === 0 })
        })
        await bench.run(500)
        expect(await all(calls)).toEqual(calls.map((_, index) => `${index % 3 === 0 ? 'set' : 'get'} ${index}`))
        for (const lines of received(bench)) {
          for (const [index, line] of lines.entries()) {
            if (line.startsWith('set')) expect(lines[index + 1], lines.join()).toBe('reset')
            if (line === 'reset') expect(lines[index - 1]).toMatch(/^set/)
          }
        }
      }
    }
  })

  test('is reset although its caller gave up, once it is answered and not before', async () => {
    const late: (() => void)[] = []
    const bench = await opened({ lanes: 'elastic', limits: { lanesMax: 1 } }, (text, peer) => {
      if (text !== 'set') return text
      late.push(() => peer.send('set\n'))
      return undefined
    })
    const controller = new AbortController()
    const set = bench.app.call('set', { taints: true, signal: controller.signal })
    const next = bench.app.call('next')
    await bench.run(20)
    controller.abort()
    await bench.run(20)
    expect(short(await set)).toBe('ABORTED maybe')
    expect(received(bench)).toEqual([['set']])
    for (const answer of late) answer()
    await bench.run(20)
    expect(short(await next)).toBe('next')
    expect(received(bench)).toEqual([['set', 'reset', 'next']])
  })

  test('costs its lane where nothing can reset it, or the reset fails', async () => {
    const fails: Answer = (text, peer) => {
      if (text !== 'reset') return text
      peer.reset()
      return undefined
    }
    for (const [upstream, answer] of [
      [{ reset: false }, undefined],
      [{ reset: true }, fails],
      [{ reset: true, limits: { handshakeTimeoutMs: 50 } }, (text: string) => (text === 'reset' ? undefined : text)],
    ] as const) {
      const bench = await opened({ lanes: 'elastic', ...upstream }, answer)
      const set = bench.app.call('set', { taints: true })
      await bench.run(5)
      expect(short(await set)).toBe('set')
      const next = bench.app.call('next')
      await bench.run(500)
      expect(short(await next)).toBe('next')
      expect(received(bench)[0]?.includes('next')).toBe(false)
    }
  })

  test('may end in a state that is not clean: the reset is for that, and nothing is reported', async () => {
    const bench = await opened({ lanes: 'elastic' }, (text) => (text === 'set' ? '~set' : text))
    bench.app.app.control({ type: 'listening', target: 1, to: 'pollution', listening: true })
    const set = bench.app.call('set', { taints: true })
    await bench.run(20)
    expect(short(await set)).toBe('~set')
    expect(bench.app.seen('polluted')).toEqual([])
    expect(received(bench)).toEqual([['set', 'reset']])
  })
})

describe('lanesMax 0', () => {
  test('resets after every call, lent connections included: never two calls between resets', async () => {
    await withSeed(async (random) => {
      for (const lanes of BOTH) {
        const connectionsMax = random.pick([2, 3, 65])
        const bench = await opened(
          { lanes, limits: { lanesMax: 0, connectionsMax } },
          undefined,
          new KernelBench(random),
        )
        const calls: Promise<BenchOutcome>[] = []
        for (let count = 0; count < 100; count++) {
          calls.push(
            bench.app.call(`c${count}`, { reads: random.chance(0.5), fingerprint: 5, exclusive: random.chance(0.2) }),
          )
          await bench.run(random.below(4))
        }
        await bench.run(1_000)
        expect(await all(calls)).toEqual(calls.map((_, index) => `c${index}`))
        for (const lines of received(bench)) {
          expect(lines.filter((line, index) => line.startsWith('c') && lines[index + 1] !== 'reset')).toEqual([])
        }
      }
    })
  })
})

describe('state that nobody announced', () => {
  test('drops the lane, tells who listens by name, and no later call is written on it', async () => {
    for (const lanes of BOTH) {
      for (const lanesMax of [1, 10]) {
        const bench = await opened({ lanes, limits: { lanesMax } }, (text) => (text === 'sly' ? '~sly' : text))
        bench.app.app.control({ type: 'listening', target: 1, to: 'pollution', listening: true })
        const calls = ['sly', 'x', 'y', 'z'].map((text) => bench.app.call(text))
        await bench.run(100)
        expect(await all(calls)).toEqual(['~sly', 'x', 'y', 'z'])
        expect(bench.app.seen('polluted').map(({ pollution }) => pollution.endpoint)).toEqual(['a:1'])
        const [lane] = received(bench).filter((lines) => lines.includes('sly'))
        expect(lane?.at(-1)).toBe('sly')
        expect(bench.world.lines).toEqual([])
        expect(open(bench)).toBeGreaterThan(0)
      }
    }
  })

  test('lets what stands behind it on the lane finish', async () => {
    const bench = await opened({ lanes: 'elastic', limits: { lanesMax: 1 } }, (text) =>
      text === 'sly' ? '~sly' : text,
    )
    for (let count = 0; count < 4; count++) {
      const known = bench.app.call('known', { reads: true, fingerprint: 9 })
      await bench.run(10)
      await known
    }
    const calls = ['a', 'sly', 'b', 'c'].map((text) => bench.app.call(text, { reads: true, fingerprint: 9 }))
    await bench.run(100)
    expect(await all(calls)).toEqual(['a', '~sly', 'b', 'c'])
    expect(open(bench)).toBe(1)
    expect(bench.world.network.dialled).toHaveLength(2)
  })

  test('is a line in the log when nobody listens', async () => {
    const bench = await opened({ lanes: 'elastic' }, (text) => (text === 'sly' ? '~sly' : text))
    void bench.app.call('sly')
    await bench.run(50)
    expect(bench.app.seen('polluted')).toEqual([])
    expect(bench.world.lines).toHaveLength(1)
    expect(bench.world.lines[0]).toContain('left state behind')
  })
})

describe('an audit', () => {
  const found: Answer = (text) => (text === 'audit' ? 'settings: search_path' : text)

  test('looks at used lanes from time to time, and never at one that nobody used', async () => {
    for (const lanesMax of [1, 10]) {
      const bench = await opened({ lanes: 'elastic', audit: true, limits: { auditIntervalMs: 5_000, lanesMax } })
      await bench.run(20_000)
      expect(received(bench)[0]).toEqual([])
      for (let second = 0; second < 21; second++) {
        void bench.app.call('x')
        await bench.run(1_000)
      }
      const audits = received(bench)[0]?.filter((line) => line === 'audit').length
      expect(audits).toBeGreaterThanOrEqual(3)
      expect(audits).toBeLessThanOrEqual(5)
    }
  })

  test('that finds something drops the lane and says what', async () => {
    const bench = await opened({ lanes: 'elastic', audit: true, limits: { auditIntervalMs: 2_000 } }, found)
    bench.app.app.control({ type: 'listening', target: 1, to: 'pollution', listening: true })
    void bench.app.call('x')
    await bench.run(4_000)
    expect(bench.app.seen('polluted').map(({ pollution }) => pollution.found)).toEqual(['settings: search_path'])
    expect(received(bench)[0]?.at(-1)).toBe('audit')
    const next = bench.app.call('next')
    await bench.run(50)
    expect(short(await next)).toBe('next')
    expect(received(bench)[0]).not.toContain('next')
  })

  test('waits until the lane is idle, and holds new calls until it is over', async () => {
    const late: (() => void)[] = []
    const bench = await opened(
      { lanes: 'elastic', audit: true, limits: { auditIntervalMs: 1_500, lanesMax: 1 } },
      (text, peer) => {
        if (text !== 'long') return text
        late.push(() => peer.send('long\n'))
        return undefined
      },
    )
    const first = bench.app.call('first')
    await bench.run(10)
    const long = bench.app.call('long')
    await bench.run(3_000)
    const held = bench.app.call('held')
    await bench.run(100)
    expect(received(bench)).toEqual([['first', 'long']])
    for (const answer of late) answer()
    await bench.run(100)
    expect(await all([first, long, held])).toEqual(['first', 'long', 'held'])
    expect(received(bench)).toEqual([['first', 'long', 'audit', 'held']])
  })

  test('comes to its turn on a lane that is never idle', async () => {
    const bench = new KernelBench()
    let freeAtMs = 0
    // Each call keeps the peer busy for a millisecond, so that with several callers something is always unanswered.
    const busy: Answer = (text, peer) => {
      if (text !== 'q') return text
      freeAtMs = Math.max(freeAtMs, bench.world.nowMs()) + 1
      bench.world.after(freeAtMs - bench.world.nowMs(), () => peer.send('q\n'))
      return undefined
    }
    await opened({ lanes: 'elastic', audit: true, limits: { auditIntervalMs: 2_000, lanesMax: 1 } }, busy, bench)
    let running = true
    const ask = (): void => {
      if (running) void bench.app.call('q', { reads: true, fingerprint: 3 }).then(ask)
    }
    for (let count = 0; count < 6; count++) ask()
    await bench.run(7_500)
    running = false
    await bench.run(100)
    expect(received(bench)[0]?.filter((text) => text === 'audit').length).toBeGreaterThanOrEqual(2)
  })

  test('that is not answered costs the lane, and no caller anything', async () => {
    const silent: Answer = (text) => (text === 'audit' ? undefined : text)
    const bench = await opened(
      { lanes: 'elastic', audit: true, limits: { auditIntervalMs: 1_000, handshakeTimeoutMs: 200, lanesMax: 1 } },
      silent,
    )
    void bench.app.call('x')
    await bench.run(2_100)
    const next = bench.app.call('next')
    await bench.run(1_000)
    expect(short(await next)).toBe('next')
    expect(bench.app.seen('polluted')).toEqual([])
  })
})

describe('lanes in time', () => {
  test('that nobody uses are closed after laneIdleMs, but one', async () => {
    for (const lanes of BOTH) {
      const bench = await opened({ lanes, limits: { laneIdleMs: 3_000 } })
      const calls = Array.from({ length: 20 }, (_, index) => bench.app.call(`c${index}`))
      await bench.run(1_000)
      await Promise.all(calls)
      expect(open(bench)).toBeGreaterThan(3)
      await bench.run(1_500)
      expect(open(bench)).toBeGreaterThan(3)
      await bench.run(3_000)
      expect(open(bench)).toBe(1)
      const dialled = bench.world.network.dialled.length
      await bench.run(20_000)
      expect(bench.world.network.dialled).toHaveLength(dialled)
    }
  })

  test('are closed when nobody uses them although they are audited', async () => {
    const bench = await opened({ lanes: 'elastic', audit: true, limits: { laneIdleMs: 15_000 } })
    const calls = Array.from({ length: 20 }, (_, index) => bench.app.call(`c${index}`))
    await bench.run(1_000)
    await Promise.all(calls)
    expect(open(bench)).toBeGreaterThan(3)
    await bench.run(60_000)
    expect(open(bench)).toBe(1)
  })

  test('are replaced when they have lived laneLifeMs, and no call notices', async () => {
    for (const lanesMax of [1, 10]) {
      const bench = await opened({ lanes: 'elastic', limits: { laneLifeMs: 5_000, lanesMax } })
      const outcomes: string[] = []
      for (let step = 0; step < 400; step++) {
        void bench.app.call(`c${step}`).then((outcome) => outcomes.push(short(outcome)))
        await bench.run(50)
      }
      await bench.run(100)
      expect(outcomes).toEqual(Array.from({ length: 400 }, (_, step) => `c${step}`))
      expect(bench.world.network.dialled.length).toBeGreaterThanOrEqual(4)
      expect(bench.world.network.dialled.length).toBeLessThanOrEqual(8)
      expect(open(bench)).toBe(1)
    }
  })

  test('of a busy lane end when its calls have', async () => {
    const late: (() => void)[] = []
    const bench = await opened({ lanes: 'elastic', limits: { laneLifeMs: 2_000 } }, (text, peer) => {
      if (text !== 'long') return text
      late.push(() => peer.send('long\n'))
      return undefined
    })
    const long = bench.app.call('long')
    await bench.run(5_000)
    const next = bench.app.call('next')
    await bench.run(20)
    expect(short(await next)).toBe('next')
    for (const answer of late) answer()
    await bench.run(20)
    expect(short(await long)).toBe('long')
    expect(received(bench)[0]).toEqual(['long'])
    expect(open(bench)).toBe(1)
  })
})

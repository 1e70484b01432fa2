/**
 * An upstream with nobody to ask: what waits, what fails at once, what is bounded, and what people are told. And the
 * end: `disconnect` lets what is in flight finish. In a virtual world.
 */
import { describe, expect, test } from 'vitest'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

async function all(calls: readonly Promise<BenchOutcome>[]): Promise<string[]> {
  return (await Promise.all(calls)).map(short)
}

function nobody(upstream: BenchUpstream = {}): KernelBench {
  const bench = new KernelBench()
  bench.app.connect(1, upstream)
  return bench
}

describe('while nobody can be asked', () => {
  test('a call waits for its deadline, and says that it was never sent', async () => {
    const bench = nobody()
    const call = bench.app.call('x', { deadlineMs: 200 })
    let settled = false
    void call.then(() => {
      settled = true
    })
    await bench.run(195)
    expect(settled).toBe(false)
    await bench.run(20)
    const outcome = await call
    expect(short(outcome)).toBe('DEADLINE no')
    expect(outcome).toMatchObject({ error: { waitCause: 'queued', upstream: 'lines://a:1' } })
  })

  test('a call that waits is served when the peer comes back', async () => {
    const bench = nobody()
    const calls = Array.from({ length: 20 }, (_, index) => bench.app.call(`c${index}`))
    await bench.run(3_000)
    bench.world.network.listen('a:1', linePeer())
    await bench.run(6_000)
    expect(await all(calls)).toEqual(calls.map((_, index) => `c${index}`))
  })

  test("with whenDown: 'fail', waiting calls fail when it is known, and later ones at once", async () => {
    const bench = nobody({ whenDown: 'fail' })
    const early = bench.app.call('early')
    await bench.run(20)
    expect(short(await early)).toBe('UPSTREAM_DOWN no')
    const late = bench.app.call('late')
    const alone = bench.app.call('alone', { exclusive: true })
    await bench.run(2)
    expect(await all([late, alone])).toEqual(['UPSTREAM_DOWN no', 'UPSTREAM_DOWN no'])
    expect(((await late) as { error: Error }).error.message).toContain('ECONNREFUSED')
    bench.world.network.listen('a:1', linePeer())
    await bench.run(6_000)
    const again = bench.app.call('again')
    await bench.run(20)
    expect(short(await again)).toBe('again')
  })

  test('the queue is bounded: what does not fit is refused at once, the rest is kept', async () => {
    const bench = nobody({ limits: { queueMax: 10 } })
    const calls = Array.from({ length: 15 }, (_, index) => bench.app.call(`c${index}`))
    await bench.run(20)
    bench.world.network.listen('a:1', linePeer())
    await bench.run(6_000)
    const outcomes = await all(calls)
    expect(outcomes.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, index) => `c${index}`))
    expect(outcomes.slice(10)).toEqual(Array.from({ length: 5 }, () => 'QUEUE_LIMIT no'))
  })

  test('the queue in front of a full lane is bounded too', async () => {
    const bench = nobody({ limits: { queueMax: 5, pipelineMax: 3 } })
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text.startsWith('hello') ? text : undefined)),
    )
    await bench.run(6_000)
    const calls = Array.from({ length: 12 }, (_, index) => bench.app.call(`c${index}`, { deadlineMs: 500 }))
    await bench.run(1_000)
    expect((await all(calls)).map((text) => text.split(' ')[0])).toEqual([
      ...Array.from({ length: 8 }, () => 'DEADLINE'),
      ...Array.from({ length: 4 }, () => 'QUEUE_LIMIT'),
    ])
  })

  test('after a refusal, calls fail with the refusal; when the peer lets us in again, they are served', async () => {
    const bench = nobody()
    let friendly = false
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text.startsWith('hello') && !friendly ? '-denied' : text)),
    )
    const waiting = bench.app.call('waiting')
    await bench.run(6_000)
    expect(short(await waiting)).toBe('DENIED no')
    const later = bench.app.call('later')
    await bench.run(5)
    expect(short(await later)).toBe('DENIED no')
    expect(bench.world.network.dialled.length).toBeLessThan(8)
    friendly = true
    await bench.run(6_000)
    const served = bench.app.call('served')
    await bench.run(20)
    expect(short(await served)).toBe('served')
  })

  test('people are told once, and told when it is over; not when somebody listens', async () => {
    const bench = nobody()
    await bench.run(9_000)
    expect(bench.world.lines.filter((text) => text.includes('is down'))).toHaveLength(1)
    expect(bench.world.lines[0]).toContain('lines://a:1')
    bench.world.network.listen('a:1', linePeer())
    await bench.run(6_000)
    expect(bench.world.lines.at(-1)).toContain('is back')
    const quiet = new KernelBench()
    quiet.app.connect(1)
    quiet.app.app.control({ type: 'listening', target: 1, to: 'state', listening: true })
    await quiet.run(30_000)
    expect(quiet.world.lines).toEqual([])
  })

  test('a name that stands for nothing is not the end: calls wait, and the state says why', async () => {
    const bench = new KernelBench()
    bench.world.network.listen('x', linePeer())
    bench.app.connect(1, { at: 'name' })
    const call = bench.app.call('x')
    bench.move('name', [])
    await bench.run(100)
    const state = bench.app.seen('state').at(-1)?.state
    expect(state).toMatchObject({ status: 'down', endpoints: [] })
    expect(state?.reason).toMatch(/no address/)
    bench.move('name', ['x'])
    await bench.run(100)
    expect(short(await call)).toBe('x')
    bench.move('name', [])
    const good = bench.app.call('last good set')
    await bench.run(100)
    expect(short(await good)).toBe('last good set')
  })
})

describe('deadlines', () => {
  test('of a written call say maybe, and its late reply reaches nobody', async () => {
    const bench = nobody()
    const late: (() => void)[] = []
    const slow = linePeer((text, peer) => {
      if (text.startsWith('hello')) return text
      late.push(() => peer.send(`${text}\n`))
      return undefined
    })
    bench.world.network.listen('a:1', slow)
    await bench.run(200)
    const first = bench.app.call('first', { deadlineMs: 50 })
    const second = bench.app.call('second', { deadlineMs: 5_000 })
    await bench.run(60)
    expect(short(await first)).toBe('DEADLINE maybe')
    expect(((await first) as { error: { waitCause?: string } }).error.waitCause).toBe('upstream')
    for (const answer of late) answer()
    await bench.run(20)
    expect(short(await second)).toBe('second')
  })

  test('a reply that had arrived before a late turn wins against its own deadline', async () => {
    const bench = nobody()
    bench.world.network.listen('a:1', linePeer())
    await bench.run(200)
    const call = bench.app.call('in time', { deadlineMs: 50 })
    const never = bench.app.call('never', { deadlineMs: 50 })
    const [peer] = bench.world.network.open()
    await bench.run(0.5)
    // The request is on its way; the reply comes while the thread stands still, for longer than the deadline.
    await bench.run(1)
    peer?.reset()
    bench.world.lateTurn(200)
    await bench.run(50)
    expect(short(await call)).toBe('in time')
    expect(short(await never)).toBe('never')
  })
})

describe('disconnect', () => {
  test('lets what is in flight finish, then closes the connections and says so', async () => {
    const bench = nobody()
    const held: (() => void)[] = []
    const slow = linePeer((text, peer) => {
      if (text.startsWith('hello')) return text
      held.push(() => peer.send(`${text}\n`))
      return undefined
    })
    bench.world.network.listen('a:1', slow)
    await bench.run(200)
    const call = bench.app.call('x')
    await bench.run(5)
    bench.app.app.control({ type: 'disconnect', target: 1, deadlineMs: 1_000 })
    await bench.run(100)
    expect(bench.app.seen('disconnected')).toEqual([])
    for (const answer of held) answer()
    await bench.run(20)
    expect(short(await call)).toBe('x')
    expect(bench.app.seen('disconnected')).toHaveLength(1)
    expect(bench.world.network.open()).toEqual([])
    await bench.run(60_000)
    expect(bench.world.network.open()).toEqual([])
  })

  test('by force after its deadline: what is left is rejected, exactly once', async () => {
    const bench = nobody()
    bench.world.network.listen(
      'a:1',
      linePeer((text) => (text.startsWith('hello') ? text : undefined)),
    )
    await bench.run(200)
    const calls = [bench.app.call('x'), bench.app.call('y', { exclusive: true })]
    await bench.run(20)
    bench.app.app.control({ type: 'disconnect', target: 1, deadlineMs: 300 })
    await bench.run(400)
    expect((await all(calls)).every((text) => text.endsWith('maybe'))).toBe(true)
    expect(bench.app.seen('disconnected')).toHaveLength(1)
    expect(bench.app.app.owed).toBe(false)
    expect(bench.world.network.open()).toEqual([])
  })

  test('of one thread leaves the upstream to the others', async () => {
    const bench = nobody()
    bench.world.network.listen('a:1', linePeer())
    const other = bench.thread()
    other.connect(1)
    await bench.run(200)
    bench.app.app.control({ type: 'disconnect', target: 1, deadlineMs: 300 })
    await bench.run(50)
    const refused = bench.app.call('gone')
    const served = other.call('served')
    await bench.run(20)
    expect(short(await served)).toBe('served')
    expect(short(await refused)).toBe('CLOSED no')
  })
})

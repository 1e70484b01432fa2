/**
 * Calls that nothing answers: each settles once, when its bytes have left or its connection is lost. The rules of
 * `silent-calls.ts`, on a real connection over the fake network.
 */
import { describe, expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import { FrameFlag } from '../plugin/connection.ts'
import { describeError, LocalError } from '../plugin/errors.ts'
import { Bench } from '../testing/connection-bench.ts'
import { type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { withSeed } from '../testing/random.ts'
import { tagged } from '../testing/tagged.ts'

function opened(): Bench {
  return new Bench({ purpose: 'session' }).open()
}

/** Returns the number of the call. */
function say(bench: Bench, text: string): number {
  const call = bench.prepare(text)
  call.flags = CallFlag.Silent
  bench.connection.submit(call, bench.world.nowMs())
  return call.id
}

describe('a silent call', () => {
  test('settles when its bytes have left, and not before', () => {
    const bench = opened()
    const said = say(bench, 'said')
    expect(bench.outcome(said)).toBe('')
    bench.peer.pause()
    bench.run(100)
    expect(bench.outcome(said)).toBe('')
    bench.peer.resume()
    bench.run(100)
    expect(bench.outcome(said)).toBe('reply ')
    expect(bench.peer.received.toString()).toBe('said')
  })

  test('leaves in the order of the calls around it, and takes no answer of theirs', () => {
    const bench = opened()
    const calls = [bench.call('a,'), say(bench, 'b,'), say(bench, 'c,'), bench.call('d,'), say(bench, 'e,')]
    bench.run()
    expect(bench.peer.received.toString()).toBe('a,b,c,d,e,')
    bench.arrive(tagged(FrameFlag.Final, 'A'), tagged(FrameFlag.Final, 'D'))
    expect(calls.map((call) => bench.outcome(call))).toEqual(['reply A', 'reply ', 'reply ', 'reply D', 'reply '])
    expect(bench.connection.isIdle).toBe(true)
  })

  test('of which nothing is written settles too', () => {
    const bench = new Bench({
      purpose: 'session',
      protocol: (protocol) => {
        protocol.submit = () => undefined
      },
    }).open()
    const said = say(bench, 'nothing to do here')
    bench.run()
    expect(bench.outcome(said)).toBe('reply ')
  })

  test('without bytes settles', () => {
    const bench = opened()
    const said = say(bench, '')
    bench.run()
    expect(bench.outcome(said)).toBe('reply ')
  })

  test('whose connection is lost says maybe, once, whether it had been handed over or not', () => {
    for (const flushed of [true, false]) {
      const bench = opened()
      bench.peer.pause()
      const said = say(bench, 'said')
      if (flushed) bench.flush()
      bench.connection.destroy(new LocalError('GONE', 'gone'))
      bench.run(100)
      expect(bench.outcome(said)).toMatch(/^GONE (maybe|no)$/)
    }
  })

  test('given up before its bytes have left is told at once, and frees its slot once they have', () => {
    const bench = opened()
    bench.peer.pause()
    const call = bench.prepare('said')
    call.flags = CallFlag.Silent
    bench.connection.submit(call, bench.world.nowMs())
    bench.run()
    bench.settlement.settleEarly(call, describeError(new LocalError('DEADLINE', 'late', { sent: 'maybe' })), 0)
    expect(bench.outcome(call.id)).toBe('DEADLINE maybe held')
    bench.peer.resume()
    bench.run(100)
    expect(bench.outcome(call.id)).toBe('DEADLINE maybe held, released')
  })
})

describe('a connection that is to end', () => {
  test('waits until silent calls have left, and is closed then', () => {
    for (const flushed of [true, false]) {
      const bench = opened()
      bench.peer.pause()
      const said = say(bench, 'said')
      if (flushed) bench.flush()
      bench.connection.retire(new LocalError('MOVED', 'moved'))
      bench.run(100)
      expect(bench.log).toEqual(['ready'])
      bench.peer.resume()
      bench.run(100)
      expect(bench.outcome(said)).toBe('reply ')
      expect(bench.log).toEqual(['ready', 'closed MOVED'])
    }
  })

  test('does not wait for ever', () => {
    const bench = opened()
    bench.peer.pause()
    const said = say(bench, 'said')
    bench.connection.retire(new LocalError('MOVED', 'moved'))
    bench.run(bench.limits.drainTimeoutMs)
    expect(bench.outcome(said)).toBe('MOVED maybe')
  })
})

describe('through the whole kernel, a silent call', () => {
  /** A peer that answers resets and nothing else. */
  async function kernel(upstream: BenchUpstream): Promise<{ bench: KernelBench; lines: string[] }> {
    const bench = new KernelBench()
    const lines: string[] = []
    bench.world.network.listen('a:1', (peer) => {
      peer.onData = (bytes) => {
        const texts = bytes.toString().split('\n').slice(0, -1)
        lines.push(...texts)
        for (const text of texts) if (text === 'reset') peer.send('ok\n')
      }
    })
    bench.app.connect(1, { handshake: false, ...upstream })
    await bench.run(20)
    return { bench, lines }
  }

  test.each([10, 0])('that may leave state behind is followed by a reset (lanesMax %i)', async (lanesMax) => {
    const { bench, lines } = await kernel({ lanes: 'pool', limits: { lanesMax, connectionsMax: 1 } })
    const said = [bench.app.call('one', { silent: true, taints: true }), bench.app.call('two', { silent: true })]
    await bench.run(50)
    expect(await Promise.all(said)).toEqual([{ text: '' }, { text: '' }])
    expect(lines.slice(0, 3)).toEqual(['one', 'reset', 'two'])
  })

  test('that may leave state behind which nothing resets has left when its lane goes', async () => {
    const { bench, lines } = await kernel({ lanes: 'pool', reset: false })
    const said = bench.app.call('one', { silent: true, taints: true })
    await bench.run(50)
    expect([await said, lines, bench.world.network.dialled.length]).toEqual([{ text: '' }, ['one'], 2])
  })

  test('is not lost when a session needs the connection more', async () => {
    const { bench, lines } = await kernel({
      lanes: 'pool',
      limits: { lanesMin: 0, connectionsMax: 1, sessionsReserved: 0 },
    })
    const said = bench.app.call('said', { silent: true })
    bench.app.app.control({ type: 'open-session', session: 1, target: 1, deadlineMs: 1_000 })
    await bench.run(50)
    expect([await said, lines]).toEqual([{ text: '' }, ['said']])
    expect(bench.app.seen('session-ready')).toHaveLength(1)
  })

  test('with a connection of its own gives it back', async () => {
    const { bench, lines } = await kernel({ limits: { sessionsMax: 2 } })
    const said = Array.from({ length: 6 }, (_, index) =>
      bench.app.call(`s${index}`, { silent: true, exclusive: true, deadlineMs: 1_000 }),
    )
    await bench.run(2_000)
    expect(await Promise.all(said)).toEqual(said.map(() => ({ text: '' })))
    expect(lines.sort()).toEqual(['s0', 's1', 's2', 's3', 's4', 's5'])
  })
})

test('whatever happens in which order, each settles exactly once', async () => {
  await withSeed((random) => {
    for (let round = 0; round < 100; round++) {
      const bench = opened()
      const calls: number[] = []
      for (let step = 0; step < 30; step++) {
        const roll = random.below(6)
        if (roll < 3) calls.push(say(bench, 'x'.repeat(random.below(2_000))))
        else if (roll === 3) bench.peer.pause()
        else if (roll === 4) bench.peer.resume()
        else bench.run(random.below(5))
      }
      if (random.chance(0.5)) bench.connection.destroy(new LocalError('GONE', 'gone'))
      else bench.peer.resume()
      bench.run(100)
      for (const call of calls) expect(bench.outcome(call)).toMatch(/^(reply |GONE (maybe|no))$/)
    }
  })
})

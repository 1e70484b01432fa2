/**
 * Calls that nothing answers: each settles once, when its bytes have left or its connection is lost. The rules of
 * `silent-calls.ts`, on a real connection over the fake network.
 */
import { describe, expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import { FrameFlag } from '../plugin/connection.ts'
import { describeError, LocalError } from '../plugin/errors.ts'
import { Bench } from '../testing/connection-bench.ts'
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

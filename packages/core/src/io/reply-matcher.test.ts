/**
 * Frames and the calls they answer, where it is special: streamed replies against credit, errors that say that
 * something is out of date. On a real connection over the fake network. The rest is in `live-connection.test.ts`.
 */
import { describe, expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import { FrameFlag } from '../plugin/connection.ts'
import { frame, type Script } from '../plugin/script.ts'
import { Bench, type BenchOptions } from '../testing/connection-bench.ts'
import { withSeed } from '../testing/random.ts'
import { tagged, untagged } from '../testing/tagged.ts'
import { Call, type StreamSource } from './call.ts'
import type { LiveConnection } from './live-connection.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { type MatcherHost, ReplyMatcher } from './reply-matcher.ts'
import type { Settlement } from './settlement.ts'

const { Final, Error: Failed, Push, Part, Close, Dirty } = FrameFlag

/** With an owner that takes what is out of date. */
class StaleBench extends Bench {
  readonly taken: number[] = []

  onStale(_connection: LiveConnection, call: Call): void {
    this.taken.push(call.id)
  }
}

interface Streamed {
  readonly call: Call
  readonly number: number
  /** The reading of its connection. */
  readonly source: StreamSource
}

function stream(bench: Bench): Streamed {
  const call = bench.prepare('stream')
  call.flags = CallFlag.Stream
  bench.connection.submit(call, bench.world.nowMs())
  bench.run()
  return { call, number: call.id, source: call.source as StreamSource }
}

function streaming(options: BenchOptions = {}): Bench {
  return new Bench({ purpose: 'session', limits: { streamBytesMax: 100 }, ...options }).open()
}

describe('a streamed reply', () => {
  test('pauses its connection when its reader has enough', () => {
    const bench = streaming()
    const { call, source } = stream(bench)
    bench.arrive(tagged(Part, 'x'.repeat(50)))
    expect(source.isPaused).toBe(false)
    bench.arrive(tagged(Part, 'x'.repeat(50)))
    expect(source.isPaused).toBe(true)
    bench.arrive(tagged(Part, 'late'))
    expect(call.unread).toBeLessThan(150)
    source.resume()
    bench.run()
    expect(call.unread).toBeGreaterThan(110)
  })

  test('that ends in the read which paused it leaves its connection reading', () => {
    for (const frames of [
      [tagged(0, 'x'.repeat(200)), tagged(Push, 'p'), tagged(Final, 'end')],
      [tagged(0, 'x'.repeat(200)), tagged(Push, 'p'), tagged(Final | Failed, 'end')],
    ]) {
      const bench = streaming()
      const { number, source } = stream(bench)
      bench.arrive(...frames)
      expect(bench.outcome(number)).toMatch(/end$/)
      expect(source.isPaused).toBe(false)
      const next = bench.call('next')
      bench.run()
      bench.arrive(tagged(Final, 'answer'))
      expect(bench.outcome(next)).toBe('reply answer')
    }
  })

  test('that overflows does not leave its connection deaf', () => {
    const bench = streaming()
    const { number, source } = stream(bench)
    bench.arrive(tagged(0, 'x'.repeat(60)))
    bench.overflowing = true
    bench.arrive(tagged(0, 'x'.repeat(60)), tagged(Push, 'p'), tagged(0, 'y'.repeat(60)))
    expect(bench.outcome(number)).toBe('OVERFLOW maybe held')
    bench.overflowing = false
    bench.arrive(tagged(0, 'x'.repeat(500)), tagged(Final, 'end'))
    expect(bench.outcome(number)).toBe('OVERFLOW maybe held, released')
    expect(source.isPaused).toBe(false)
  })

  test('has no bound of bytes', () => {
    const bench = streaming({ limits: { streamBytesMax: 1 << 20, replyBytesMax: 100 } })
    const { number } = stream(bench)
    for (let count = 0; count < 10; count++) bench.arrive(tagged(0, 'x'.repeat(90)))
    bench.arrive(tagged(Final, 'end'))
    expect(bench.outcome(number)).toBe(`reply ${'x'.repeat(900)}end`)
  })

  test('and plain ones around it on a session have each their own', async () => {
    await withSeed((random) => {
      for (let round = 0; round < 50; round++) {
        const bench = streaming()
        const { source, number } = stream(bench)
        bench.arrive(tagged(Final, 'first'))
        expect(bench.outcome(number)).toBe('reply first')
        const expected = new Map<number, string>()
        const frames: Buffer[] = []
        for (let count = 0; count < 5; count++) {
          const call = bench.prepare(`call ${count}`)
          call.flags = random.chance(0.5) ? CallFlag.Stream : 0
          bench.connection.submit(call, bench.world.nowMs())
          const pieces = Array.from({ length: random.below(5) }, () => `${count}`.repeat(random.below(80)))
          for (const piece of pieces) {
            frames.push(tagged(random.chance(0.5) ? Part : 0, piece))
            if (random.chance(0.2)) frames.push(tagged(Push, 'push'))
          }
          frames.push(tagged(Final, `end ${count}`))
          expected.set(call.id, `reply ${pieces.join('')}end ${count}`)
        }
        bench.run()
        for (const piece of random.pieces(Buffer.concat(frames), 300)) {
          bench.arrive(Buffer.from(piece))
          if (random.chance(0.5)) source.resume()
        }
        // Whoever waits for a reader is read on.
        for (let count = 0; count < 50; count++) {
          source.resume()
          bench.run()
        }
        for (const [number, outcome] of expected) expect(bench.outcome(number)).toBe(outcome)
        expect(source.isPaused).toBe(false)
      }
    })
  })
})

describe('an error that says that something is out of date', () => {
  function stale(): StaleBench {
    const bench = new StaleBench({
      protocol: (protocol) => {
        protocol.verdict = (payload) => (payload === 'stale' ? 'stale' : 'call')
      },
    })
    bench.open()
    return bench
  }

  test('is never shown, whether it is the last frame, the only one, or one among others', () => {
    const large = 'x'.repeat(1_000)
    for (const frames of [
      [tagged(Final | Failed, 'stale')],
      [tagged(0, 'begun'), tagged(Final | Failed, 'stale')],
      [tagged(Failed, 'stale'), tagged(Final, 'rest')],
      [tagged(0, large), tagged(Failed, 'stale'), tagged(0, large), tagged(Final, 'rest')],
      [tagged(0, large), tagged(Push, 'p'), tagged(Failed, 'stale'), tagged(Push, 'p'), tagged(Final | Failed, 'rest')],
    ]) {
      for (const together of [true, false]) {
        const bench = stale()
        const number = bench.call('asked')
        const after = bench.call('after')
        bench.run()
        if (together) bench.arrive(...frames)
        else for (const frame of frames) bench.arrive(frame)
        bench.arrive(tagged(Final, 'mine'))
        expect(bench.taken).toEqual([number])
        expect(bench.outcome(number)).toBe('')
        expect(bench.outcome(after)).toBe('reply mine')
      }
    }
  })

  test('is shown to the caller who was sent again because of one before', () => {
    for (const frames of [[tagged(Final | Failed, 'stale')], [tagged(Failed, 'stale'), tagged(Final, '')]]) {
      const bench = stale()
      const call = bench.prepare('asked')
      call.flags = 0
      call.renewed = true
      bench.connection.submit(call, bench.world.nowMs())
      bench.run()
      bench.arrive(...frames)
      expect(bench.taken).toEqual([])
      expect(bench.outcome(call.id)).toBe('reply stale')
    }
  })

  test('of a call that nobody waits for frees its place', () => {
    for (const frames of [[tagged(Final | Failed, 'stale')], [tagged(Failed, 'stale'), tagged(Final, '')]]) {
      const bench = stale()
      const number = bench.call('asked')
      bench.run()
      bench.expire(number)
      bench.arrive(...frames)
      expect(bench.taken).toEqual([])
      expect(bench.outcome(number)).toBe('DEADLINE maybe held, released')
    }
  })
})

describe('replies that name what they answer', () => {
  function correlated(options: BenchOptions = {}): Bench {
    return new Bench({ correlated: true, ...options }).open()
  }

  test('one that grows too large, cut anywhere, is forgotten once, and the others are answered', () => {
    const large = tagged(Part, 'x'.repeat(200), 1)
    for (const rest of [
      [tagged(Push, 'p'), tagged(Final, 'end', 1)],
      [tagged(Push, 'p'), tagged(Part, 'more', 1), tagged(Final, 'end', 1)],
      [tagged(Part, 'other', 2), tagged(Part, 'more', 1), tagged(Push, 'p'), tagged(Final, 'end', 1)],
    ]) {
      const bench = correlated({ limits: { replyBytesMax: 100 } })
      const [a, b] = [bench.call('a'), bench.call('b')]
      bench.run()
      bench.arrive(large, ...rest)
      bench.arrive(tagged(Final, 'B', 2))
      expect(bench.outcome(a)).toBe('REPLY_TOO_LARGE maybe held, released')
      expect(bench.outcome(b)).toMatch(/^reply (other)?B$/)
      expect(bench.log).toEqual(['ready', 'push p'])
    }
  })

  test('a number is free once its call is answered, also by a frame that does not name it', () => {
    const bench = correlated()
    const a = bench.call('a')
    bench.run()
    bench.arrive(tagged(Final, 'A'))
    const b = bench.call('b')
    bench.run()
    bench.arrive(tagged(Final, 'A again', 1), tagged(Final, 'B', 2))
    expect([bench.outcome(a), bench.outcome(b)]).toEqual(['reply A', 'reply B'])
  })

  test('a late one still says that the connection must go, or is not clean', () => {
    for (const [flags, verdict, phase] of [
      [Final | Close, 'call', 'closed'],
      [Final | Failed, 'retire', 'draining'],
      [Final | Failed, 'call', 'ready'],
      [Final | Dirty, 'call', 'ready'],
    ] as const) {
      const bench = correlated({
        protocol: (protocol) => {
          protocol.verdict = () => verdict
        },
      })
      const a = bench.call('a')
      bench.call('b')
      bench.run()
      bench.expire(a)
      bench.arrive(tagged(flags, 'late', 1))
      expect(bench.connection.phase).toBe(phase)
      expect(bench.connection.dirty).toBe((flags & Dirty) !== 0)
    }
  })

  test('a late one is not what a script waits for', () => {
    const bench = correlated()
    const a = bench.call('a')
    bench.run()
    bench.expire(a)
    const results: string[] = []
    bench.connection.run(readOne(), 1_000, (result) => results.push(result))
    bench.arrive(tagged(Part, 'la', 1), tagged(Final, 'te', 1))
    expect(results).toEqual([])
    bench.arrive(tagged(Final, 'mine'))
    expect(results).toEqual(['mine'])
  })

  test('a call that has no number and cannot be written takes none from another', () => {
    const bench = correlated({
      protocol: (protocol) => {
        const { submit } = protocol
        protocol.submit = (payload, hint, wireId, out) => {
          if (payload[0] === 'x'.charCodeAt(0)) throw new Error('cannot be written')
          submit?.(payload, hint, wireId, out)
        }
      },
    })
    const a = bench.call('a')
    bench.run()
    const silent = bench.prepare('x')
    silent.flags = CallFlag.Silent
    // Its object had a life before, on another connection.
    silent.wireId = 1
    bench.connection.submit(silent, bench.world.nowMs())
    bench.arrive(tagged(Final, 'A', 1))
    expect([bench.outcome(a), bench.outcome(silent.id)]).toEqual(['reply A', 'PLUGIN no'])
  })
})

function* readOne(): Script<string> {
  return untagged(Buffer.from(yield* frame()))
}

test('wire ids wrap, skip the one that says that nothing answers, and those that are still in use', () => {
  const unused = {} as Settlement
  const idsFrom = (last: number): ReplyMatcher =>
    new ReplyMatcher({} as MatcherHost, new ReceiveBuffer(), unused, true, last)
  const ids = (matcher: ReplyMatcher, count: number): number[] =>
    Array.from({ length: count }, () => matcher.wireIdFor(new Call()))
  expect(ids(idsFrom(0xffff_fffd), 4)).toEqual([0xffff_fffe, 0xffff_ffff, 1, 2])
  const matcher = idsFrom(0xffff_ffff)
  const known = new Call()
  known.wireId = 2
  // A call that has had its id since before the wrap.
  matcher.substitute(standing(matcher, known), known)
  expect(ids(matcher, 3)).toEqual([1, 3, 4])
})

/** Puts a call into the order, so that it can be replaced by itself under its id. */
function standing(matcher: ReplyMatcher, call: Call): Call {
  matcher.unanswered.push(call)
  return call
}

/**
 * The framer against what nobody wrote by hand: random values, random bytes, and the library's decoder as a second
 * opinion on where a value ends.
 */

import { IoKernelError, RemoteProtocolError } from '@iokernel/core/plugin'
import { Decoder, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader } from '../fixtures/harness.ts'
import { bytes, notification, result } from '../fixtures/messages.ts'
import { Framer } from './framer.ts'

/** `SEED=…` replays; what fails prints its own. */
const seed = process.env['SEED']
const RUNS = { numRuns: 500, ...(seed === undefined ? {} : { seed: Number(seed) }) }

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie('any'), { maxLength: 8 }),
    fc.dictionary(
      fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
      tie('any'),
      { maxKeys: 6 },
    ),
  ),
})).any

const id = fc.integer({ min: 0, max: 0xffff_ffff })
const message = fc.oneof(
  fc.tuple(fc.constant(1), id, value, value),
  fc.tuple(fc.constant(0), id, fc.string({ maxLength: 40 }), fc.array(value, { maxLength: 4 })),
  fc.tuple(fc.constant(2), fc.string({ maxLength: 40 }), fc.array(value, { maxLength: 4 })),
)

/** Cuts at these places. */
function* cut(stream: Buffer, places: readonly number[]): Generator<Buffer> {
  const sorted = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((left, right) => left - right)
  let from = 0
  for (const place of [...sorted, stream.length]) {
    yield stream.subarray(from, place)
    from = place
  }
}

describe('random messages', () => {
  it('are found where they end, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (messages, places) => {
          const encoded = messages.map((each) => Buffer.from(encode(each)))
          const reader = new Reader(new Framer())
          for (const chunk of cut(Buffer.concat(encoded), places)) reader.arrive(chunk)
          expect(reader.seen.map(([, hex]) => hex)).toEqual(encoded.map((each) => each.toString('hex')))
          expect(reader.left).toBe(0)
        },
      ),
      RUNS,
    )
  })
})

describe('random bytes', () => {
  /** Mostly bytes that begin something. */
  const noise = fc
    .array(
      fc.oneof(fc.nat(255), fc.constantFrom(0x93, 0x94, 0x00, 0x01, 0x02, 0xc0, 0xa1, 0xc4, 0xc7, 0xd9, 0xdc, 0x81)),
      {
        maxLength: 200,
      },
    )
    .map((list) => Buffer.from(list))

  it('behind a good head end where the library says that they end, or are refused by both', () => {
    fc.assert(
      fc.property(noise, (body) => {
        const mine = endOf(body)
        const theirs = endByLibrary(body)
        // The library refuses more: keys that are no text, dates out of range. Never does it find another end.
        if (mine === 'refused') expect(typeof theirs).toBe('string')
        else if (typeof theirs === 'number') expect(mine).toBe(theirs)
        else if (theirs === 'incomplete') expect(mine).toBe('incomplete')
      }),
      { ...RUNS, numRuns: 3_000 },
    )
  })

  it('give frames, a wait or a protocol error, and the same at every cut', () => {
    fc.assert(
      fc.property(noise, fc.array(fc.nat(), { maxLength: 10 }), (stream, places) => {
        const readings = [
          [stream],
          [...cut(stream, places)],
          Array.from(stream, (_, at) => stream.subarray(at, at + 1)),
        ]
        const outcomes = readings.map((chunks) => outcomeOf(chunks))
        expect(outcomes[1]).toEqual(outcomes[0])
        expect(outcomes[2]).toEqual(outcomes[0])
      }),
      { ...RUNS, numRuns: 3_000 },
    )
  })
})

describe('time and memory', () => {
  it('a megabyte that comes byte by byte is walked once', () => {
    for (const whole of [
      notification(
        'n',
        Array.from({ length: 500_000 }, (_, index) => index & 127),
        'x'.repeat(500_000),
      ),
      result(
        1,
        Array.from({ length: 250_000 }, () => []),
      ),
    ]) {
      const framer = new Framer()
      const counter = new Counter()
      const begun = performance.now()
      let done = 0
      for (let end = 1; end <= whole.length; end++) done += framer.scan(whole, done, end, counter)
      expect(done).toBe(whole.length)
      expect(counter.frames).toBe(1)
      // A walk from the beginning at each byte would take minutes.
      expect(performance.now() - begun).toBeLessThan(5_000)
    }
  })

  it('claims of gigabytes cost nothing', () => {
    const before = process.memoryUsage()
    const claims = ['dd 00ffffff', 'df 007fffff', 'c6 1fffffff', 'db 1fffffff', 'c9 1fffffff 05', '91 dd 00ffffff']
    const framers = Array.from({ length: 10_000 }, (_, index) => {
      const framer = new Framer()
      const claim = bytes('94 01 01 c0', claims[index % claims.length] as string)
      framer.scan(claim, 0, claim.length, new Counter())
      return framer
    })
    const after = process.memoryUsage()
    expect(framers).toHaveLength(10_000)
    expect(after.rss - before.rss).toBeLessThan(64 << 20)
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 << 20)
  })
})

type End = number | 'incomplete' | 'refused'

/** Where the framer ends one value that is a result. */
function endOf(body: Buffer): End {
  const head = bytes('94 01 01 c0')
  const whole = Buffer.concat([head, body])
  const counter = new Counter()
  try {
    // What lies behind the value is no message of its own, and may be refused: one frame is what counts.
    new Framer().scan(whole, 0, whole.length, counter)
  } catch (error) {
    expect(error).toBeInstanceOf(RemoteProtocolError)
    if (counter.frames === 0) return 'refused'
  }
  return counter.frames === 0 ? 'incomplete' : counter.firstEnd - head.length
}

function endByLibrary(body: Buffer): End {
  try {
    new Decoder({ useBigInt64: true }).decode(body)
    return body.length
  } catch (error) {
    const message = (error as Error).message
    const extra = /Extra \d+ of \d+ byte\(s\) found at buffer\[(\d+)\]/.exec(message)
    if (extra !== null) return Number(extra[1])
    return error instanceof RangeError ? 'incomplete' : 'refused'
  }
}

function outcomeOf(chunks: readonly Buffer[]): unknown {
  const reader = new Reader(new Framer())
  try {
    for (const chunk of chunks) reader.arrive(chunk)
  } catch (error) {
    expect(error).toBeInstanceOf(IoKernelError)
    return [reader.seen, 'refused']
  }
  return [reader.seen, reader.left > 0 ? 'waits' : 'content']
}

/** Counts frames, and remembers where the first ended. */
class Counter extends Reader {
  frames = 0
  firstEnd = 0

  constructor() {
    super(new Framer())
  }

  override frame(_start: number, end: number, flags: number): void {
    // Parts do not end anything.
    if ((flags & 16) !== 0) return
    if (this.frames++ === 0) this.firstEnd = end
  }
}

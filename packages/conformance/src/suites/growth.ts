/**
 * The framer suite, last part: a frame that comes in many small pieces is not walked again from its beginning each
 * time.
 *
 * Theory of operation: first without a clock. A framer that is done with what it has seen (it passes on parts) is
 * shown each byte about once, and is linear whatever it does. Only one that leaves a growing frame in the buffer is
 * timed, at two sizes in the same memory: eight times the bytes in pieces of one size take 8 times as long when each
 * byte is looked at once, and 64 times when each piece starts over.
 *
 * Limits: a framer that starts over, but needs less than `NOTICEABLE_MS` for 512 KB in 2 048 pieces, passes.
 */
import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { ByteWriter, FrameFlag, type FrameSink } from '@iokernel/core/plugin'
import { prepare } from '../play.ts'
import type { Runner } from '../runner.ts'
import { bytesOf, isSilent, type LargeFrame, type Subject } from '../subject.ts'

const SMALL_BYTES = 64 * 1024
const LARGE_BYTES = 8 * SMALL_BYTES
const PIECE_BYTES = 256
/** So often on average where up to 64 KB are kept back: 256 pieces, half of them on average. */
const SHOWN_TIMES_MAX = 160
/** Between 8 and 64. */
const RATIO_MAX = 24
/** A linear framer needs a tenth of it. */
const NOTICEABLE_MS = 20
/** The best of so many counts: the machine may be doing something else. */
const TRIES = 5

export function growthTests({ describe, test }: Runner, subject: Subject): void {
  describe('large frames in small pieces are not walked again and again', () => {
    test('the corpus has some', () => assert(subject.large.length > 0))
    for (const large of subject.large) test(large.name, () => grow(subject, large))
  })
}

function grow(subject: Subject, large: LargeFrame): void {
  const { shownTimes } = deliver(subject, large, LARGE_BYTES)
  if (shownTimes <= SHOWN_TIMES_MAX) return
  let [small, whole] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let index = 0; index < TRIES; index++) {
    small = Math.min(small, deliver(subject, large, SMALL_BYTES).ms)
    whole = Math.min(whole, deliver(subject, large, LARGE_BYTES).ms)
    if (whole < NOTICEABLE_MS || whole / small < RATIO_MAX) return
  }
  const times = `${small.toFixed(1)} ms for ${SMALL_BYTES} bytes, ${whole.toFixed(1)} ms for ${LARGE_BYTES}`
  assert.fail(`8 times the bytes take ${(whole / small).toFixed(0)} times as long (${times})`)
}

/** One delivery in place, as in a receive buffer that never has to move. Only `scan` is timed. */
function deliver(subject: Subject, large: LargeFrame, bytesTotal: number): { ms: number; shownTimes: number } {
  const fixture = large.make(bytesTotal)
  const driver = prepare(subject, fixture)
  for (const key of fixture.keys ?? []) driver.subscribe(key)
  driver.ask(fixture.requests)
  const { connection } = driver
  const bytes = bytesOf(fixture.bytes)
  const answered = (fixture.requests ?? []).filter((one) => !isSilent(one))
  const hints = answered.map((one) => (typeof one === 'number' ? one : one.hint))
  const sink = new Counter(hints, fixture.purpose === 'push')
  let shown = 0
  let done = 0
  const began = performance.now()
  for (let end = PIECE_BYTES; end < bytes.length + PIECE_BYTES; end += PIECE_BYTES) {
    const arrived = Math.min(end, bytes.length)
    shown += arrived - done
    done += connection.scan(bytes, done, arrived, sink)
  }
  const ms = performance.now() - began
  assert.equal(done, bytes.length, `${large.name}: bytes that the framer is not done with`)
  assert(sink.complete > 0, `${large.name}: no frame was completed`)
  return { ms, shownTimes: shown / bytes.length }
}

/** The cheapest sink there is: time is the framer's. */
class Counter implements FrameSink {
  complete = 0
  readonly #hints: readonly number[]
  readonly #whenIdle: number
  #answered = 0

  constructor(hints: readonly number[], isPush: boolean) {
    this.#hints = hints
    this.#whenIdle = isPush ? 0 : -1
  }

  frame(_start: number, _end: number, flags: number): void {
    if ((flags & FrameFlag.Part) === 0) this.complete++
    if ((flags & FrameFlag.Final) !== 0) this.#answered++
  }

  hint(): number {
    return this.#hints[this.#answered] ?? this.#whenIdle
  }

  out(): ByteWriter {
    return new ByteWriter()
  }
}

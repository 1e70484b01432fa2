/**
 * Several open loops at once, in one process: each stream keeps its own rate and its own latencies, from when each call
 * was due.
 *
 * Rules: a rejected call is counted and ends nothing, for what a client does with a slow neighbour is what is measured
 * here; it is as late as its error was. A wrong answer ends the round. Answers that come after the last call was due
 * are waited for and count like all others.
 *
 * Theory of operation: a round begins with a lead-in of the same calls, whose samples are thrown away. While the others
 * had their turns, clients closed connections that nobody used; in a service, traffic does not pause like that.
 */

import type { SubjectClient } from '../subjects/subject.ts'
import type { Stream } from '../suites/suite.ts'
import { cpuSince, cpuTimes } from './cpu.ts'
import type { MixtureMeasured, StreamMeasured } from './messages.ts'
import { type OpenLoopClock, openLoop, realClock } from './open-loop.ts'
import type { Operation } from './operation.ts'
import { Samples } from './samples.ts'
import { percentile } from './statistics.ts'

export interface MixedRound {
  readonly streams: readonly Stream[]
  readonly bytes: number
  readonly leadInDurationMs: number
  readonly durationMs: number
  readonly unansweredMax: number
}

interface Track {
  readonly stream: Stream
  readonly operation: Operation
  readonly samples: Samples
  errors: number
  firstError: string | undefined
}

export class MixedLoop {
  readonly #tracks: readonly Track[]
  readonly #clock: OpenLoopClock

  constructor(client: SubjectClient, streams: readonly Stream[], bytes: number, clock: OpenLoopClock = realClock) {
    this.#clock = clock
    this.#tracks = streams.map((stream) => ({
      stream,
      operation: client.operation(stream.operation, bytes),
      samples: new Samples(SAMPLES_MAX),
      errors: 0,
      firstError: undefined,
    }))
  }

  async round(options: Omit<MixedRound, 'streams' | 'bytes'>): Promise<MixtureMeasured> {
    await this.#run(options.leadInDurationMs, options.unansweredMax)
    for (const track of this.#tracks) {
      track.samples.clear()
      track.errors = 0
      track.firstError = undefined
    }
    globalThis.gc?.()
    const before = cpuTimes()
    const startMs = this.#clock.nowMs()
    const operations = await this.#run(options.durationMs, options.unansweredMax)
    const elapsedMs = this.#clock.nowMs() - startMs
    const cpuUs = cpuSince(before).processUs
    const rssBytes = process.memoryUsage.rss()
    for (const { stream, operation } of this.#tracks) {
      if (operation.settle && !(await operation.settle())) {
        throw new Error(`what was written is not there (${stream.name})`)
      }
    }
    const streams = this.#tracks.map((track, index) => measuredOf(track, operations[index] as number))
    return { streams, elapsedMs, cpuUs, rssBytes }
  }

  /** Resolves to the number of calls of each stream. */
  async #run(durationMs: number, unansweredMax: number): Promise<readonly number[]> {
    const loops = this.#tracks.map(async (track) => {
      const { ratePerSecond } = track.stream
      const options = { ratePerSecond, durationMs, unansweredMax }
      return (await openLoop(counting(track), options, track.samples, this.#clock)).operations
    })
    const ended = await Promise.allSettled(loops)
    return ended.map((one) => {
      if (one.status === 'rejected') throw one.reason
      return one.value
    })
  }
}

function measuredOf({ stream, samples, errors, firstError }: Track, operations: number): StreamMeasured {
  const sorted = samples.sorted()
  return {
    name: stream.name,
    operations,
    errors,
    firstError,
    p50Us: percentile(sorted, 0.5),
    p99Us: percentile(sorted, 0.99),
    maxUs: percentile(sorted, 1),
  }
}

/** The operation with an answer of its own for a call that was rejected. */
function counting(track: Track): Operation {
  const { operation } = track
  return {
    run: () =>
      operation.run().catch((error: unknown) => {
        track.errors++
        track.firstError ??= String(error)
        return REJECTED
      }),
    isPlausible: (answer) => answer === REJECTED || operation.isPlausible(answer),
    isExact: (answer) => answer === REJECTED || operation.isExact(answer),
  }
}

const REJECTED = Symbol('rejected')
/** 43 seconds of 3 000 a second; 1 MB for each stream. */
const SAMPLES_MAX = 1 << 17

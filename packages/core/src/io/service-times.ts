/**
 * How long the calls of one statement take: what elastic lanes know about them. Sans-clock.
 *
 * Rules:
 * 1. What is not known is slow: a statement is quick after `SAMPLES_MIN` calls that say so, and not a call earlier.
 * 2. The estimate is a high quantile, not a mean: one slow call in a hundred is what puts everybody behind it.
 * 3. A single late sample must not make a statement slow for long: the machine stalls too, and all statements that were
 *    in flight then look alike.
 *
 * Theory of operation: the estimate rises by an eighth of the way to a sample above it and falls by a fiftieth of the
 * way to one below. A sample counts at most for `SAMPLE_CAP` times the threshold once the statement is known, so that
 * it takes three late ones in a row to make a quick statement slow, and a dozen calls on lanes of their own to make it
 * quick again. What a rarer slow call costs is bounded elsewhere: nothing is written behind a late head. Samples are
 * what a call took beyond the round trip. That is known from connecting, which no server's work can delay; a call that
 * was quicker corrects it, and none makes it longer: else a program that asks nothing but slow questions would find
 * them quick.
 *
 * Limits: `STATEMENTS_MAX` statements; one that has not been used for long is forgotten.
 */

/** Calls before a statement is believed to be quick. */
const SAMPLES_MIN = 3
/** With the fall below: slow is what takes longer than the threshold in more than about one call of twenty. */
const RISE = 1 / 8
const FALL = 1 / 50
const SAMPLE_CAP = 4
/** About 100 bytes each: half a megabyte. Programs have hundreds of statements; only generated texts have more. */
const STATEMENTS_MAX = 4_096
export interface ServiceTime {
  samples: number
  /** Milliseconds beyond the round trip that nearly all calls stay under. */
  highMs: number
  /** A call was answered since the statement was last in danger of being forgotten. */
  isUsed: boolean
}

export class ServiceTimes {
  readonly #quickMsMax: number
  readonly #statements = new Map<number, ServiceTime>()
  /** There and back, without work. 0 while nothing is known. */
  roundTripMs = 0

  constructor(quickMsMax: number) {
    this.#quickMsMax = quickMsMax
  }

  /** What is known of calls with this fingerprint; undefined for fingerprint 0, of which nothing can be. */
  of(fingerprint: number): ServiceTime | undefined {
    if (fingerprint === 0) return undefined
    const known = this.#statements.get(fingerprint)
    if (known !== undefined) return known
    if (this.#statements.size >= STATEMENTS_MAX) this.#forgetOne()
    const fresh: ServiceTime = { samples: 0, highMs: 0, isUsed: false }
    this.#statements.set(fingerprint, fresh)
    return fresh
  }

  isQuick(time: ServiceTime): boolean {
    return time.samples >= SAMPLES_MIN && time.highMs <= this.#thresholdMs
  }

  /** A connection was made in this time. The network may have changed: half of the way to what it says. */
  connected(ms: number): void {
    if (this.roundTripMs === 0 || ms < this.roundTripMs) this.roundTripMs = ms
    else this.roundTripMs += (ms - this.roundTripMs) / 2
  }

  /** A call was answered `ms` after it was written, or after the one before it on its lane was answered. */
  observe(time: ServiceTime, ms: number, alone: boolean): void {
    // Behind others the time says nothing of the way there and back.
    if (alone && ms < this.roundTripMs) this.roundTripMs = ms
    time.isUsed = true
    const beyondMs = Math.max(0, ms - this.roundTripMs)
    if (time.samples < SAMPLES_MIN) {
      time.samples++
      time.highMs = Math.max(time.highMs, beyondMs)
      return
    }
    const sampleMs = Math.min(beyondMs, SAMPLE_CAP * this.#thresholdMs)
    time.highMs += (sampleMs - time.highMs) * (sampleMs > time.highMs ? RISE : FALL)
  }

  /** A long way jitters more than a short one. */
  get #thresholdMs(): number {
    return Math.max(this.#quickMsMax, this.roundTripMs / 2)
  }

  /** The first that was not used since it was last looked at; those that were go to the end. */
  #forgetOne(): void {
    for (const [fingerprint, time] of this.#statements) {
      this.#statements.delete(fingerprint)
      if (!time.isUsed) return
      time.isUsed = false
      this.#statements.set(fingerprint, time)
    }
  }
}

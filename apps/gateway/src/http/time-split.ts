/**
 * Where the time of a request went, as the kernel's calls report it, for the `Server-Timing` header.
 *
 * Rules: a request that asks several upstreams has a part for each, named after it; the sums are those of all calls.
 *
 * Limit: calls that run at the same time are added up, so the parts may be longer than the whole.
 */
import type { CallTiming } from '@iokernel/core'

export interface TimeParts {
  readonly queuedMs: number
  readonly upstreamMs: number
  readonly waitingMs: number
  readonly applicationMs: number
}

export class TimeSplit {
  #queuedMs = 0
  #upstreamMs = 0
  #waitingMs = 0
  #applicationMs = 0
  readonly #beganAtMs = performance.now()
  readonly #whole: TimeSplit | undefined
  readonly #upstreams = new Map<string, TimeSplit>()

  constructor(whole?: TimeSplit) {
    this.#whole = whole
  }

  /** `onTiming` of a call. */
  readonly add = (timing: CallTiming): void => {
    this.#queuedMs += timing.queuedMs
    this.#upstreamMs += timing.upstreamMs
    this.#waitingMs += timing.waitingForApplicationMs
    this.#applicationMs += timing.applicationMs
    this.#whole?.add(timing)
  }

  /** A split of its own for one of several upstreams; what it is told is told here too. */
  upstream(name: string): TimeSplit {
    const split = new TimeSplit(this)
    this.#upstreams.set(name, split)
    return split
  }

  get parts(): TimeParts {
    return {
      queuedMs: this.#queuedMs,
      upstreamMs: this.#upstreamMs,
      waitingMs: this.#waitingMs,
      applicationMs: this.#applicationMs,
    }
  }

  get totalMs(): number {
    return performance.now() - this.#beganAtMs
  }

  /**
   * `total` is the request's time in the gateway: from its headers' arrival to the writing of this header. Upstreams
   * with a split of their own follow: `redis-queued`.
   */
  header(): string {
    const each = [...this.#upstreams].flatMap(([name, split]) => entries(split.parts, `${name}-`))
    return [...entries(this.parts, ''), entry('total', this.totalMs), ...each].join(', ')
  }
}

function entries({ queuedMs, upstreamMs, waitingMs, applicationMs }: TimeParts, prefix: string): readonly string[] {
  return [
    entry(`${prefix}queued`, queuedMs),
    entry(`${prefix}upstream`, upstreamMs),
    entry(`${prefix}waiting`, waitingMs),
    entry(`${prefix}application`, applicationMs),
  ]
}

function entry(name: string, durationMs: number): string {
  return `${name};dur=${durationMs.toFixed(3)}`
}

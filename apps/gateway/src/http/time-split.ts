/**
 * Where the time of a request went, as the kernel's calls report it, for the `Server-Timing` header.
 *
 * Limit: calls that run at the same time are added up, so the parts may be longer than the whole.
 */
import type { CallTiming } from '@iokernel/core'

export class TimeSplit {
  #queuedMs = 0
  #upstreamMs = 0
  #waitingMs = 0
  #applicationMs = 0
  readonly #beganAtMs = performance.now()

  /** `onTiming` of a call. */
  readonly add = (timing: CallTiming): void => {
    this.#queuedMs += timing.queuedMs
    this.#upstreamMs += timing.upstreamMs
    this.#waitingMs += timing.waitingForApplicationMs
    this.#applicationMs += timing.applicationMs
  }

  /** `total` is the request's time in the gateway: from its headers' arrival to the writing of this header. */
  header(): string {
    const parts: readonly (readonly [name: string, durationMs: number])[] = [
      ['queued', this.#queuedMs],
      ['upstream', this.#upstreamMs],
      ['waiting', this.#waitingMs],
      ['application', this.#applicationMs],
      ['total', performance.now() - this.#beganAtMs],
    ]
    return parts.map(([name, durationMs]) => `${name};dur=${durationMs.toFixed(3)}`).join(', ')
  }
}

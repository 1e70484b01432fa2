/**
 * The deadline and the signal of something that is made of many calls: each of them has what is left.
 *
 * Rules: a call may ask for less, never for more. When nothing is left the call is not made.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { DeadlineError } from '@iokernel/core/plugin'

export class SharedLimits {
  readonly #deadlineAt: number
  readonly #signal: AbortSignal | undefined

  /** `deadlineMs`: from now; `undefined`, 0 or Infinity for none beyond the one that each call has by default. */
  constructor(deadlineMs: number | undefined, signal: AbortSignal | undefined) {
    const isBounded = deadlineMs !== undefined && deadlineMs > 0 && deadlineMs !== Number.POSITIVE_INFINITY
    this.#deadlineAt = isBounded ? performance.now() + deadlineMs : Number.POSITIVE_INFINITY
    this.#signal = signal
  }

  /** What a call is told that was given `options`. */
  of(options?: CallOptions): CallOptions | undefined {
    if (this.#deadlineAt === Number.POSITIVE_INFINITY && this.#signal === undefined) return options
    const deadlineMs = this.#deadline(options?.deadlineMs)
    const signal = this.#both(options?.signal)
    return { ...options, ...(deadlineMs !== undefined && { deadlineMs }), ...(signal !== undefined && { signal }) }
  }

  #deadline(ownMs: number | undefined): number | undefined {
    if (this.#deadlineAt === Number.POSITIVE_INFINITY) return ownMs
    const leftMs = this.#deadlineAt - performance.now()
    if (leftMs <= 0) {
      throw new DeadlineError('the deadline of the transaction has passed before this call', 'application-busy', {
        sent: 'no',
      })
    }
    return ownMs === undefined || ownMs === 0 ? leftMs : Math.min(ownMs, leftMs)
  }

  #both(own: AbortSignal | undefined): AbortSignal | undefined {
    if (own === undefined) return this.#signal
    return this.#signal === undefined ? own : AbortSignal.any([own, this.#signal])
  }
}

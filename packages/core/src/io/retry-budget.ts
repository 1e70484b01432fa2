/**
 * How many calls may be sent again. Sans-clock.
 *
 * Rules: each call earns `percent` hundredths of a retry, and time earns `perSecond`; at most ten seconds' worth is
 * saved. When a server goes down, retries then add a bounded share to its load instead of doubling it.
 */
const SAVED_SECONDS_MAX = 10

export class RetryBudget {
  readonly #percent: number
  readonly #perSecond: number
  #balance: number
  #lastMs: number

  constructor(percent: number, perSecond: number, nowMs: number) {
    this.#percent = percent
    this.#perSecond = perSecond
    this.#balance = perSecond * SAVED_SECONDS_MAX
    this.#lastMs = nowMs
  }

  /** `calls` were answered. */
  earn(calls: number): void {
    // What calls earn is bounded by what a busy second may need: 1 000 retries.
    this.#balance = Math.min(this.#balance + (calls * this.#percent) / 100, this.#perSecond * SAVED_SECONDS_MAX + 1_000)
  }

  take(nowMs: number): boolean {
    const earned = ((nowMs - this.#lastMs) / 1000) * this.#perSecond
    this.#lastMs = nowMs
    this.#balance = Math.min(this.#balance + earned, Math.max(this.#balance, this.#perSecond * SAVED_SECONDS_MAX))
    if (this.#balance < 1) return false
    this.#balance--
    return true
  }
}

/**
 * How long to wait after a failure. Sans-clock, sans-randomness.
 *
 * Rules: doubles from `minMs` to `maxMs`; a jitter of half the wait keeps a herd of clients from coming back together.
 * Reset only by a successful handshake: a TCP connect proves nothing (a proxy accepts for a dead server).
 */
export class Backoff {
  readonly #minMs: number
  readonly #maxMs: number
  #failures = 0

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs
    this.#maxMs = maxMs
  }

  get failures(): number {
    return this.#failures
  }

  /** Counts a failure; `randomUnit` is in [0, 1). */
  nextMs(randomUnit: number): number {
    // 2^30 times any minimum is past any maximum; the cap keeps the shift from overflowing.
    const full = Math.min(this.#minMs * 2 ** Math.min(this.#failures, 30), this.#maxMs)
    this.#failures++
    return full / 2 + (full / 2) * randomUnit
  }

  reset(): void {
    this.#failures = 0
  }
}

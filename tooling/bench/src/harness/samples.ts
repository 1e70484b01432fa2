/**
 * Latencies of one round. The memory is allocated and touched once, of the same size for every subject, so that a fast
 * subject's samples do not count as its resident memory.
 *
 * Limit: past `SAMPLES_MAX` the oldest are overwritten; a round then keeps its last million.
 */
export class Samples {
  readonly #values = new Float64Array(SAMPLES_MAX).fill(0)
  #count = 0

  clear(): void {
    this.#count = 0
  }

  add(value: number): void {
    this.#values[this.#count++ & (SAMPLES_MAX - 1)] = value
  }

  get count(): number {
    return this.#count
  }

  /** Sorted in place: read it when the round is over, then `clear`. */
  sorted(): Float64Array {
    return this.#values.subarray(0, Math.min(this.#count, SAMPLES_MAX)).sort()
  }
}

/** A second of the fastest subject; 8 MB. A power of two. */
export const SAMPLES_MAX: number = 1 << 20

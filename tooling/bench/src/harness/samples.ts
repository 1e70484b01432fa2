/**
 * Latencies of one round. The memory is allocated and touched once, of the same size for every subject, so that a fast
 * subject's samples do not count as its resident memory.
 *
 * Limit: past its size the oldest are overwritten; a round then keeps its last million.
 */
export class Samples {
  readonly #values: Float64Array
  readonly #countMax: number
  #count = 0

  /** `countMax` is a power of two. */
  constructor(countMax: number = SAMPLES_MAX) {
    this.#countMax = countMax
    this.#values = new Float64Array(countMax).fill(0)
  }

  clear(): void {
    this.#count = 0
  }

  add(value: number): void {
    this.#values[this.#count++ & (this.#countMax - 1)] = value
  }

  get count(): number {
    return this.#count
  }

  /** Sorted in place: read it when the round is over, then `clear`. */
  sorted(): Float64Array {
    return this.#values.subarray(0, Math.min(this.#count, this.#countMax)).sort()
  }
}

/** A second of the fastest subject; 8 MB. A power of two. */
export const SAMPLES_MAX: number = 1 << 20

/**
 * How much was said to what the peer asked, and has not left.
 *
 * Rules: a peer that asks and does not take the answers is cut off, for they would fill the memory; reading is not
 * stopped instead, because a peer that waits for us to read would then wait for ever. What is counted is an upper
 * bound: of what waits to leave, nobody knows whose it is.
 */
export class Unbidden {
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  said(bytes: number): void {
    this.#bytes += bytes
  }

  /** `unsentBytes`: what waits to leave on this connection, whoever said it. */
  isTooMuch(unsentBytes: number): boolean {
    this.#bytes = Math.min(this.#bytes, unsentBytes)
    return this.#bytes > this.#bytesMax
  }
}

/**
 * Packets out of pieces that are cut anywhere.
 *
 * Rules: a packet is shown whole, once, in order, and one of 16 MB together with those that it goes on in. What is left
 * of a piece is kept until its packet is complete; what is kept is never copied twice, however small the pieces of a
 * large packet are.
 */
import { HEADER_BYTES, PACKET_BYTES_MAX, u24 } from './packet.ts'

export class Pieces {
  /** Of a packet that is not complete. */
  #kept: Buffer[] = []
  #keptBytes = 0
  /** How many bytes there must be before it is worth looking again. */
  #wantedBytes = 0

  /** True where a packet has begun and not ended. */
  get isOpen(): boolean {
    return this.#keptBytes > 0
  }

  /**
   * Takes a piece; returns the whole packets that are now there as one range of bytes, or `undefined` when there is
   * none. The bytes are the piece's own, or a copy of it and what was kept.
   */
  take(piece: Buffer): Buffer | undefined {
    if (this.#keptBytes === 0) return this.#whole(piece)
    this.#keep(piece)
    if (this.#keptBytes < this.#wantedBytes) return undefined
    const joined = Buffer.concat(this.#kept, this.#keptBytes)
    this.#kept = []
    this.#keptBytes = 0
    return this.#whole(joined)
  }

  #whole(bytes: Buffer): Buffer | undefined {
    /** Behind the last packet that is complete, with all that it goes on in. */
    let whole = 0
    let at = 0
    this.#wantedBytes = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const length = u24(bytes, at)
      const next = at + HEADER_BYTES + length
      if (next > bytes.length) {
        this.#wantedBytes = next - whole
        break
      }
      at = next
      if (length < PACKET_BYTES_MAX) whole = at
    }
    if (this.#wantedBytes === 0) this.#wantedBytes = at - whole + HEADER_BYTES
    if (whole < bytes.length) this.#keep(bytes.subarray(whole))
    return whole === 0 ? undefined : bytes.subarray(0, whole)
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes)
    this.#keptBytes += bytes.length
  }
}

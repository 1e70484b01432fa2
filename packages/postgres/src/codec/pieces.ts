/**
 * Messages out of pieces that are cut anywhere.
 *
 * Rules: a message is shown whole, once, in order. What is left of a piece is kept until its message is complete; what
 * is kept is never copied twice, however small the pieces of a large message are.
 */
import { HEADER_BYTES } from './reply.ts'

export class Pieces {
  /** Of a message that is not complete. */
  #kept: Buffer[] = []
  #keptBytes = 0
  /** How many bytes the message at the front of `#kept` has; 0 while not even its header is in. */
  #wantedBytes = 0

  /** True where a message has begun and not ended. */
  get isOpen(): boolean {
    return this.#keptBytes > 0
  }

  /**
   * Takes a piece; returns the whole messages that are now there as one range of bytes, or `undefined` when there is
   * none. The bytes are the piece's own, or a copy of it and what was kept.
   */
  take(piece: Buffer): Buffer | undefined {
    if (this.#keptBytes > 0) {
      this.#keep(piece)
      if (this.#wantedBytes === 0 && this.#keptBytes >= HEADER_BYTES) this.#joinFront()
      if (this.#wantedBytes === 0 || this.#keptBytes < this.#wantedBytes) return undefined
      const joined = Buffer.concat(this.#kept, this.#keptBytes)
      this.#kept = []
      this.#keptBytes = 0
      return this.#whole(joined)
    }
    return this.#whole(piece)
  }

  #whole(bytes: Buffer): Buffer | undefined {
    let at = 0
    this.#wantedBytes = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const length = 1 + bytes.readUInt32BE(at + 1)
      if (bytes.length - at < length) {
        this.#wantedBytes = length
        break
      }
      at += length
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at))
    return at === 0 ? undefined : bytes.subarray(0, at)
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes)
    this.#keptBytes += bytes.length
  }

  /** A header that was cut is put together, so that its message's length can be read. */
  #joinFront(): void {
    const joined = Buffer.concat(this.#kept, this.#keptBytes)
    this.#kept = [joined]
    this.#wantedBytes = 1 + joined.readUInt32BE(1)
  }
}

/**
 * Bytes that have arrived on one connection and are not done with.
 *
 * Operations we want: read from a socket straight into the free end; scan without copying; keep an unfinished frame at
 * the front.
 *
 *        start              end                    bytes.length
 *          | not done with   | room for the next    |
 *   [......|=================|......................]
 *
 * Rules: `space()` returns at least ROOM_MIN_BYTES of room, moving or growing first. It grows by what has arrived
 * (doubling), never on the peer's claim alone; the connection gives up when `length` passes its `frameBytesMax`. When
 * it has been empty for a while it shrinks back to one read's size.
 */
import { assert } from '../shared/assert.ts'

/** One read. 64 KB is what libuv asks for by default; more than a socket buffer usually holds. */
export const READ_BYTES = 65_536
/** Room below which reading on is not worth a system call. */
const ROOM_MIN_BYTES = 16_384
/** Times in a row that the buffer was emptied without having needed its size, before it is given back. */
const SHRINK_AFTER = 64

export class ReceiveBuffer {
  bytes: Buffer
  start = 0
  end = 0
  #smallReads = 0

  constructor() {
    this.bytes = Buffer.allocUnsafeSlow(READ_BYTES)
  }

  get length(): number {
    return this.end - this.start
  }

  /** Where the next read goes. Follow it with `filled`. */
  space(): Uint8Array {
    if (this.start === this.end) {
      this.start = 0
      this.end = 0
      return this.bytes
    }
    this.#makeRoom(ROOM_MIN_BYTES)
    return this.bytes.subarray(this.end)
  }

  filled(length: number): void {
    this.end += length
    assert(this.end <= this.bytes.length, 'a read stays inside the space it was given')
  }

  /** For transports that bring memory of their own. */
  append(chunk: Uint8Array): void {
    if (this.start === this.end) {
      this.start = 0
      this.end = 0
    }
    this.#makeRoom(chunk.length)
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** `length` bytes at the front are done with. */
  consume(length: number): void {
    assert(length >= 0 && length <= this.end - this.start, 'a framer is done with no more than it was shown')
    this.start += length
    if (this.start === this.end) this.#emptied()
  }

  /** Shrinks when reads have long been small. The transport asks for `space()` anew before it reads on. */
  #emptied(): void {
    if (this.bytes.length === READ_BYTES) return
    this.#smallReads = this.end <= READ_BYTES ? this.#smallReads + 1 : 0
    if (this.#smallReads < SHRINK_AFTER) return
    this.bytes = Buffer.allocUnsafeSlow(READ_BYTES)
    this.start = 0
    this.end = 0
    this.#smallReads = 0
  }

  #makeRoom(room: number): void {
    if (this.bytes.length - this.end >= room) return
    const length = this.end - this.start
    if (this.bytes.length - length >= room && this.start >= length) {
      this.bytes.copyWithin(0, this.start, this.end)
    } else {
      const larger = Buffer.allocUnsafeSlow(Math.max(length + room, 2 * length, this.bytes.length))
      this.bytes.copy(larger, 0, this.start, this.end)
      this.bytes = larger
      this.#smallReads = 0
    }
    this.start = 0
    this.end = length
  }
}

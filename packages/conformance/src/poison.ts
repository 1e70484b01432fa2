/**
 * Memory that is shown to a framer once, and ruined afterwards.
 *
 *        poison       start   what is shown   end     poison
 *   [AAAAAAAAAAAAAAAAAA|=======================|AAAAAAAAAAAAAAAAAAA]
 *
 * Rules:
 * 1. Each showing lies at another offset, in turn in one of two buffers: a framer that keeps a position, a view or
 *    the buffer finds something else there the next time, as it does in the kernel, whose buffer moves and grows.
 * 2. Afterwards what was shown and the poison around it must be as they were: a framer reads. Then all of it is poison.
 */
import assert from 'node:assert/strict'

/** Neither ASCII nor the start of a UTF-8 character; a large length in every byte order. */
export const POISON = 0xaa

/** Room around what is shown; larger than any header a framer might peek at. */
const GUARD_BYTES = 64
/** A prime, so that offsets meet every alignment. */
const OFFSET_STEP = 13

export class PoisonedMemory {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  /** The buffer whose turn it is next. */
  #other: Buffer = Buffer.alloc(0)
  #shown: Uint8Array = this.bytes
  #turn = 0

  show(contents: Uint8Array): void {
    this.#turn++
    const offset = 1 + ((this.#turn * OFFSET_STEP) % GUARD_BYTES)
    const needed = offset + contents.length + GUARD_BYTES
    const before = this.bytes
    this.bytes = this.#other.length < needed ? Buffer.alloc(2 * needed, POISON) : this.#other
    this.#other = before
    this.#shown = contents
    this.start = offset
    this.end = offset + contents.length
    this.bytes.set(contents, offset)
  }

  /** Nobody may look any more. */
  withdraw(): void {
    const { bytes, start, end } = this
    const intact = bytes.subarray(start, end).equals(this.#shown)
    bytes.fill(POISON, start, end)
    const around = bytes.subarray(0, end + GUARD_BYTES).equals(poison(end + GUARD_BYTES))
    assert(intact, 'the framer changed the bytes it was shown')
    assert(around, 'the framer wrote outside of the bytes it was shown')
  }
}

let poisonBytes = Buffer.alloc(1024, POISON)

/** A view of so much poison. */
export function poison(length: number): Buffer {
  if (poisonBytes.length < length) poisonBytes = Buffer.alloc(2 * length, POISON)
  return poisonBytes.subarray(0, length)
}

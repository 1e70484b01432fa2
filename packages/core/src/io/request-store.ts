/**
 * Where requests live between the ring and their reply.
 *
 * Operations we want: copy a request out of the ring once; write neighbours with one system call and no second copy;
 * keep the bytes until the call can no longer be retried (`socket.write` does not copy, and a lost connection may mean
 * sending again).
 *
 *   chunk (64 KB)   [ request | request | request |............]     references: 3 calls + 1 write under way
 *
 * Rules: bytes are appended to the current chunk, so calls that arrive together lie together and leave as one write. A
 * chunk is reused when nothing refers to it: no call that lives in it and no write under way. A request larger than a
 * quarter of a chunk gets one of its own.
 *
 * Limits: one call that is never answered pins one chunk; `inFlightMax` and `queueMax` bound the calls.
 */
import { assert } from '../shared/assert.ts'

const CHUNK_BYTES = 65_536
/** Chunks kept for reuse: 4 MB, more than is in flight to any peer that keeps up. */
const SPARE_MAX = 64

export class Chunk {
  readonly bytes: Buffer
  used = 0
  references = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }
}

export class RequestStore {
  #current = new Chunk(CHUNK_BYTES)
  readonly #spare: Chunk[] = []

  /**
   * A chunk with room for `length` more bytes, referred to once more. The caller writes at `chunk.used` and moves it.
   */
  take(length: number): Chunk {
    if (length > CHUNK_BYTES / 4) {
      const own = new Chunk(length)
      own.references = 1
      return own
    }
    let chunk = this.#current
    if (chunk.references === 0) chunk.used = 0
    if (chunk.used + length > CHUNK_BYTES) {
      chunk = this.#spare.pop() ?? new Chunk(CHUNK_BYTES)
      this.#current = chunk
    }
    chunk.references++
    return chunk
  }

  release(chunk: Chunk): void {
    assert(chunk.references > 0, 'a chunk is released once for each reference')
    chunk.references--
    if (chunk.references > 0 || chunk === this.#current || chunk.bytes.length !== CHUNK_BYTES) return
    chunk.used = 0
    if (this.#spare.length < SPARE_MAX) this.#spare.push(chunk)
  }
}

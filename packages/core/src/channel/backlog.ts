/**
 * Records that wait for room in a ring, in order. Both ends of a channel have one.
 *
 * Rules: once something waits, everything later waits behind it, so that order is kept. A record here fits the ring;
 * longer messages were cut into pieces before. The owner bounds `bytes`.
 */

import { TIME, WORD_A, WORD_B, WORD_C, WORD_CALL, WORD_KIND } from './records.ts'
import { HEADER_BYTES, type RingProducer } from './ring.ts'

export interface BacklogRecord {
  readonly kind: number
  readonly call: number
  readonly a: number
  readonly b: number
  readonly c: number
  readonly time: number
  /** The owner's own memory: it is written later. */
  readonly payload: Uint8Array
}

export class Backlog {
  readonly #out: RingProducer
  readonly #published: () => void
  #queue: BacklogRecord[] = []
  #first = 0
  #bytes = 0

  /** `published` is called after each record: the reader may have to be woken. */
  constructor(out: RingProducer, published: () => void) {
    this.#out = out
    this.#published = published
  }

  get isEmpty(): boolean {
    return this.#first === this.#queue.length
  }

  /** Payload bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  push(record: BacklogRecord): void {
    this.#queue.push(record)
    this.#bytes += record.payload.length
  }

  /** Takes records out for which `drop` is true. True when there were any. */
  withdraw(drop: (record: BacklogRecord) => boolean): boolean {
    const before = this.#queue.length - this.#first
    const kept = this.#queue.slice(this.#first).filter((record) => !drop(record))
    this.#replace(kept)
    return kept.length < before
  }

  /**
   * Writes what there is room for. True when nothing waits any more; otherwise the doorbell rings when there is room.
   */
  flush(): boolean {
    while (this.#first < this.#queue.length) {
      const record = this.#queue[this.#first] as BacklogRecord
      if (!this.#write(record)) {
        if (this.#first > 1024) this.#replace(this.#queue.slice(this.#first))
        return false
      }
      this.#bytes -= record.payload.length
      this.#first++
    }
    this.#queue = []
    this.#first = 0
    return true
  }

  #write(record: BacklogRecord): boolean {
    const out = this.#out
    const length = record.payload.length
    let offset = out.begin(length)
    if (offset === -1) {
      if (out.waitForRoom(length)) return false
      offset = out.begin(length)
    }
    const at = offset >> 2
    out.words[at + WORD_KIND] = record.kind
    out.words[at + WORD_CALL] = record.call
    out.words[at + WORD_A] = record.a
    out.words[at + WORD_B] = record.b
    out.words[at + WORD_C] = record.c
    out.times[(offset >> 3) + TIME] = record.time
    out.bytes.set(record.payload, offset + HEADER_BYTES)
    out.commit(length)
    this.#published()
    return true
  }

  #replace(queue: BacklogRecord[]): void {
    this.#queue = queue
    this.#first = 0
    this.#bytes = queue.reduce((sum, record) => sum + record.payload.length, 0)
  }
}

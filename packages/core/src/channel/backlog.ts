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
  /** May be brought up to date by `leaving`. */
  b: number
  readonly c: number
  readonly time: number
  /** The owner's own memory: it is written later. */
  readonly payload: Uint8Array
}

/** About what an object, its array slot and a view cost: many small records must not slip through a limit on bytes. */
const RECORD_COST_BYTES = 128

export interface BacklogHooks {
  /** There is room for the record: it is written next. */
  leaving?(record: BacklogRecord): void
  /** The record is in the ring: the reader may have to be woken. */
  published(record: BacklogRecord): void
}

export class Backlog {
  readonly #out: RingProducer
  readonly #hooks: BacklogHooks
  #queue: BacklogRecord[] = []
  #first = 0
  #bytes = 0

  constructor(out: RingProducer, hooks: BacklogHooks) {
    this.#out = out
    this.#hooks = hooks
  }

  get isEmpty(): boolean {
    return this.#first === this.#queue.length
  }

  /** Bytes that wait, each record's own memory included. */
  get bytes(): number {
    return this.#bytes
  }

  push(record: BacklogRecord): void {
    this.#queue.push(record)
    this.#bytes += record.payload.length + RECORD_COST_BYTES
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
      this.#bytes -= record.payload.length + RECORD_COST_BYTES
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
    this.#hooks.leaving?.(record)
    const at = offset >> 2
    out.words[at + WORD_KIND] = record.kind
    out.words[at + WORD_CALL] = record.call
    out.words[at + WORD_A] = record.a
    out.words[at + WORD_B] = record.b
    out.words[at + WORD_C] = record.c
    out.times[(offset >> 3) + TIME] = record.time
    out.bytes.set(record.payload, offset + HEADER_BYTES)
    out.commit(length)
    this.#hooks.published(record)
    return true
  }

  #replace(queue: BacklogRecord[]): void {
    this.#queue = queue
    this.#first = 0
    this.#bytes = queue.reduce((sum, record) => sum + record.payload.length + RECORD_COST_BYTES, 0)
  }
}

/**
 * Records that wait for room in a ring, in order. Both ends of a channel have one.
 *
 * Rules: once something waits, everything later waits behind it, so that order is kept. A record here fits the ring;
 * longer messages were cut into pieces before. The owner bounds `bytes`.
 */

import { TIME, WORD_A, WORD_B, WORD_C, WORD_CALL, WORD_D, WORD_E, WORD_KIND } from './records.ts'
import { HEADER_BYTES, type RingProducer } from './ring.ts'

/** What the scheduler is told of a call. */
export interface CallSort {
  readonly fingerprint: number
  /** Index into `PRIORITIES`. */
  readonly priority: number
}

export interface BacklogRecord {
  readonly kind: number
  readonly call: number
  readonly a: number
  /** May be brought up to date by `leaving`. */
  b: number
  readonly c: number
  readonly time: number
  /** Of a request, in the place of the time. */
  readonly sort?: CallSort
  /** The owner's own memory: it is written later. */
  readonly payload: Uint8Array
  /** Set by `drop`: it is passed over. */
  dropped?: boolean
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

  /**
   * Takes a record back that has not been written. Its place is passed over later: thousands may be dropped at once.
   */
  drop(record: BacklogRecord): void {
    if (record.dropped === true) return
    record.dropped = true
    this.#bytes -= record.payload.length + RECORD_COST_BYTES
  }

  /**
   * Writes what there is room for. True when nothing waits any more; otherwise the doorbell rings when there is room.
   */
  flush(): boolean {
    while (this.#first < this.#queue.length) {
      const record = this.#queue[this.#first] as BacklogRecord
      if (record.dropped === true) {
        this.#first++
        continue
      }
      if (!this.#write(record)) {
        this.#compact()
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
    if (record.sort === undefined) {
      out.times[(offset >> 3) + TIME] = record.time
    } else {
      out.words[at + WORD_D] = record.sort.fingerprint
      out.words[at + WORD_E] = record.sort.priority
    }
    out.bytes.set(record.payload, offset + HEADER_BYTES)
    out.commit(length)
    this.#hooks.published(record)
    return true
  }

  /** Forgets what was written, once that is half of the queue: each record is moved a bounded number of times. */
  #compact(): void {
    if (this.#first < 1024 || this.#first * 2 < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#first)
    this.#first = 0
  }
}

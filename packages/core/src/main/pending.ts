/**
 * Records that wait for room in the submission ring, in order.
 *
 * Rules: once something waits, everything later waits behind it: un-awaited calls keep their order. A record longer than the ring's
 * limit is written in pieces, each as soon as there is room, so that a 64 MB request needs no 64 MB ring.
 * Limits: `pendingBytesMax`; a single larger request is let in when nothing else waits.
 */
import type { RingProducer } from '../channel/ring.ts'
import { Submission, WORD_A, WORD_B, WORD_C, WORD_CALL, WORD_KIND, packKind, kindOf, TIME } from '../channel/records.ts'

export interface PendingRecord {
  /** `packKind(...)` of the first piece. */
  readonly kind: number
  readonly callId: number
  readonly a: number
  /** Deadline in ms, counted from `sinceMs`; 0 for none. */
  readonly deadlineMs: number
  readonly sinceMs: number
  readonly payload: Uint8Array
  written: number
  cancelled: boolean
}

export class PendingRecords {
  readonly #out: RingProducer
  readonly #bytesMax: number
  #queue: PendingRecord[] = []
  #bytes = 0

  constructor(out: RingProducer, bytesMax: number) {
    this.#out = out
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  get bytes(): number {
    return this.#bytes
  }

  admits(bytes: number): boolean {
    return this.#queue.length === 0 || this.#bytes + bytes <= this.#bytesMax
  }

  push(record: PendingRecord): void {
    this.#queue.push(record)
    this.#bytes += record.payload.length
  }

  /** The record of a call that has not begun to leave, for a caller that no longer wants it. */
  withdraw(callId: number): boolean {
    const record = this.#queue.find((each) => each.callId === callId && kindOf(each.kind) === Submission.Request)
    if (record === undefined || record.written > 0 || record.cancelled) return false
    record.cancelled = true
    return true
  }

  /**
   * Writes what there is room for. `expired` is asked about each request whose time is over before it left; returns true when all
   * are written, false when the doorbell will ring for more room.
   */
  flush(nowMs: number, expired: (callId: number) => void, published: () => void): boolean {
    let done = 0
    while (done < this.#queue.length) {
      const record = this.#queue[done] as PendingRecord
      if (record.written === 0 && !record.cancelled && record.deadlineMs > 0) {
        if (nowMs - record.sinceMs >= record.deadlineMs) {
          record.cancelled = true
          expired(record.callId)
        }
      }
      if (!record.cancelled && !this.#write(record, nowMs, published)) break
      this.#bytes -= record.payload.length
      done++
    }
    if (done > 0) this.#queue = this.#queue.slice(done)
    return this.#queue.length === 0
  }

  #write(record: PendingRecord, nowMs: number, published: () => void): boolean {
    const out = this.#out
    const total = record.payload.length
    do {
      const length = Math.min(total - record.written, out.payloadMax)
      const offset = out.begin(length)
      if (offset === -1) {
        if (out.waitForRoom(length)) return false
        continue
      }
      const words = out.words
      const at = offset >> 2
      const first = record.written === 0
      words[at + WORD_KIND] = first ? record.kind : packKind(Submission.Piece, 0, 0)
      words[at + WORD_CALL] = record.callId
      words[at + WORD_A] = record.a
      words[at + WORD_B] = record.deadlineMs === 0 ? 0 : Math.max(1, Math.ceil(record.deadlineMs - (nowMs - record.sinceMs)))
      words[at + WORD_C] = total
      out.times[(offset >> 3) + TIME] = 0
      out.bytes.set(record.payload.subarray(record.written, record.written + length), offset + 32)
      out.commit(length)
      record.written += length
      published()
    } while (record.written < total)
    return true
  }
}

/**
 * Requests that wait on the application thread because the ring to the I/O thread is full.
 *
 * Rules: order is kept; a request longer than a record is cut into pieces, the first of which says the total. A call
 * that has not begun to leave can still be withdrawn, and its deadline is kept here: the I/O thread cannot know of it.
 * Limits: `pendingBytesMax`; a single larger request is let in when nothing waits.
 */
import { Backlog, type BacklogRecord } from '../channel/backlog.ts'
import { kindOf, packKind, Submission } from '../channel/records.ts'
import type { RingProducer } from '../channel/ring.ts'
import { LocalError } from '../plugin/errors.ts'
import { nowMs } from '../shared/clock.ts'

export class UnsentRequests {
  readonly #payloadMax: number
  readonly #bytesMax: number
  readonly #backlog: Backlog
  readonly #calls = new Map<number, { readonly sinceMs: number; readonly deadlineMs: number }>()

  constructor(out: RingProducer, bytesMax: number, published: () => void) {
    this.#payloadMax = out.payloadMax
    this.#bytesMax = bytesMax
    this.#backlog = new Backlog(out, {
      leaving: (record) => this.#leave(record),
      published,
    })
  }

  get isEmpty(): boolean {
    return this.#backlog.isEmpty
  }

  has(callId: number): boolean {
    return this.#calls.has(callId)
  }

  /** Throws `PENDING_BYTES_LIMIT` when so many more bytes may not wait. */
  assertRoom(bytes: number): void {
    if (this.#backlog.isEmpty || this.#backlog.bytes + bytes <= this.#bytesMax) return
    throw new LocalError(
      'PENDING_BYTES_LIMIT',
      `requests of ${this.#backlog.bytes} bytes already wait for the I/O thread (pendingBytesMax): ` +
        'send less at once, or raise the limit in createKernel({ limits })',
    )
  }

  addCall(kind: number, callId: number, hint: number, deadlineMs: number, payload: Uint8Array): void {
    this.#calls.set(callId, { sinceMs: nowMs(), deadlineMs })
    this.add(kind, callId, hint, deadlineMs, payload)
  }

  /** A record without a deadline of its own: control, cancel. */
  add(kind: number, callId: number, hint: number, deadlineMs: number, payload: Uint8Array): void {
    const max = this.#payloadMax
    const total = payload.length
    this.#backlog.push({
      kind,
      call: callId,
      a: hint,
      b: deadlineMs,
      c: total,
      time: 0,
      payload: payload.subarray(0, max),
    })
    const piece = packKind(Submission.Piece, 0, 0)
    for (let at = max; at < total; at += max) {
      this.#backlog.push({
        kind: piece,
        call: callId,
        a: 0,
        b: 0,
        c: 0,
        time: 0,
        payload: payload.subarray(at, at + max),
      })
    }
  }

  /**
   * Writes what there is room for; `expired` is told about calls whose time was over before they left, and withdraws
   * them.
   */
  flush(expired: (callId: number) => void): void {
    if (this.#calls.size > 0) {
      const now = nowMs()
      for (const [callId, { sinceMs, deadlineMs }] of this.#calls) {
        if (deadlineMs > 0 && now - sinceMs >= deadlineMs) expired(callId)
      }
    }
    this.#backlog.flush()
  }

  /** Takes a call back that has not begun to leave. */
  withdraw(callId: number): boolean {
    if (!this.#calls.delete(callId)) return false
    let whole = false
    this.#backlog.withdraw((record) => {
      const kind = kindOf(record.kind)
      if (record.call !== callId || (kind !== Submission.Request && kind !== Submission.Piece)) return false
      // The pieces of a request follow its first record: without that one, it has begun to leave.
      if (kind === Submission.Request) whole = true
      return whole
    })
    return whole
  }

  /** From here on the call may be executed. What is left of its deadline goes with it. */
  #leave(record: BacklogRecord): void {
    const waiting = kindOf(record.kind) === Submission.Request ? this.#calls.get(record.call) : undefined
    if (waiting === undefined) return
    this.#calls.delete(record.call)
    if (waiting.deadlineMs === 0) return
    record.b = Math.max(1, Math.ceil(waiting.deadlineMs - (nowMs() - waiting.sinceMs)))
  }
}

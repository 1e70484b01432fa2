/**
 * Requests that wait on the application thread because the ring to the I/O thread is full.
 *
 * Rules: order is kept; a request longer than a record is cut into pieces, the first of which says the total. A call
 * that has not begun to leave can still be withdrawn, and its deadline is kept here: the I/O thread cannot know of it.
 * Limits: `pendingBytesMax`; a single larger request is let in when nothing waits.
 */
import { Backlog, type BacklogRecord, type CallSort } from '../channel/backlog.ts'
import { kindOf, packKind, Submission } from '../channel/records.ts'
import type { RingProducer } from '../channel/ring.ts'
import { LocalError } from '../plugin/errors.ts'
import { nowMs } from '../shared/clock.ts'

interface Waiting {
  readonly sinceMs: number
  readonly deadlineMs: number
  readonly records: readonly BacklogRecord[]
}

/** Deadlines are looked at this often at most: each look walks all that wait. */
const CHECK_EVERY_MS = 5

export class UnsentRequests {
  readonly #payloadMax: number
  readonly #bytesMax: number
  readonly #backlog: Backlog
  /** Calls that have not begun to leave. */
  readonly #calls = new Map<number, Waiting>()
  /** The ring was full when last tried: its doorbell will say when there is room. */
  #full = false
  #checkedAtMs = 0

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

  addCall(kind: number, callId: number, hint: number, deadlineMs: number, payload: Uint8Array, sort: CallSort): void {
    const records = this.add(kind, callId, hint, deadlineMs, payload, sort)
    this.#calls.set(callId, { sinceMs: nowMs(), deadlineMs, records })
  }

  /** A record without a deadline of its own: control, cancel. */
  add(
    kind: number,
    callId: number,
    hint: number,
    deadlineMs: number,
    payload: Uint8Array,
    sort?: CallSort,
  ): readonly BacklogRecord[] {
    const max = this.#payloadMax
    const total = payload.length
    const piece = packKind(Submission.Piece, 0, 0)
    const records: BacklogRecord[] = [
      {
        kind,
        call: callId,
        a: hint,
        b: deadlineMs,
        c: total,
        time: 0,
        payload: payload.subarray(0, max),
        ...(sort && { sort }),
      },
    ]
    for (let at = max; at < total; at += max) {
      records.push({ kind: piece, call: callId, a: 0, b: 0, c: 0, time: 0, payload: payload.subarray(at, at + max) })
    }
    for (const record of records) this.#backlog.push(record)
    return records
  }

  /** There may be room: writes what fits. `expired` is told about calls whose time was over before they left. */
  flush(expired: (callId: number) => void): void {
    this.#expire(expired)
    this.#full = !this.#backlog.flush()
  }

  /** Something was added: worth a try unless the ring is known to be full. */
  flushAdded(expired: (callId: number) => void): void {
    if (!this.#full) this.flush(expired)
  }

  /** Takes a call back that has not begun to leave. */
  withdraw(callId: number): boolean {
    const waiting = this.#calls.get(callId)
    if (waiting === undefined) return false
    this.#calls.delete(callId)
    for (const record of waiting.records) this.#backlog.drop(record)
    return true
  }

  #expire(expired: (callId: number) => void): void {
    if (this.#calls.size === 0) return
    const now = nowMs()
    if (now - this.#checkedAtMs < CHECK_EVERY_MS) return
    this.#checkedAtMs = now
    for (const [callId, { sinceMs, deadlineMs }] of this.#calls) {
      if (deadlineMs > 0 && now - sinceMs >= deadlineMs) expired(callId)
    }
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

/**
 * The I/O end of a channel: takes one application thread's records and writes its answers.
 *
 * Rules:
 * 1. A full completion ring is back-pressure for this thread alone: answers wait in the backlog, and while they do, no
 *    more of its submissions are taken (writing stops before reading does). No connection is paused for it; only a
 *    streamed reply, which has its connection to itself, waits for its reader.
 * 2. Past `overflowBytesMax` a reply is not kept: the caller is told (`OVERFLOW`), and a push leaves a gap.
 * 3. A drain gives the event loop back after `drainMsMax`.
 */
import { Backlog } from '../channel/backlog.ts'
import type { ChannelEnd } from '../channel/channel.ts'
import { type ControlMessage, decodeControl, type EventMessage, encodeMessage } from '../channel/messages.ts'
import {
  CallFlag,
  Completion,
  flagsOf,
  kindOf,
  packKind,
  Submission,
  slotOf,
  TIME,
  targetOf,
  WORD_A,
  WORD_B,
  WORD_C,
  WORD_CALL,
  WORD_D,
  WORD_E,
  WORD_KIND,
  WORD_LENGTH,
} from '../channel/records.ts'
import { HEADER_BYTES } from '../channel/ring.ts'
import { describeError, type ErrorDescription, LocalError } from '../plugin/errors.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { type Call, CallState } from './call.ts'
import type { Client } from './client.ts'
import type { RequestStore } from './request-store.ts'
import type { Settlement } from './settlement.ts'

/** Below this, copying byte by byte beats creating a view for `set` (measured: break-even near 100 bytes). */
const LOOP_BYTES_MAX = 96
/** Records between two looks at the clock. */
const CLOCK_EVERY = 64

export interface AttachmentHost {
  readonly limits: KernelLimits
  readonly store: RequestStore
  readonly settlement: Settlement
  nowMs(): number
  onControl(attachment: Attachment, message: ControlMessage): void
  /** A call is complete and wants a connection. */
  onCall(attachment: Attachment, call: Call, deadlineMs: number, nowMs: number): void
  onCancel(call: Call): void
  /** The reader of a streamed reply has taken so many bytes. */
  onCredit(call: Call, bytes: number): void
  /** The application's submissions were left in the ring and may be taken again. */
  drainLater(attachment: Attachment): void
}

export class Attachment {
  readonly #end: ChannelEnd
  readonly #host: AttachmentHost
  readonly #backlog: Backlog
  readonly #calls: (Call | undefined)[] = []
  readonly #clients: (Client | undefined)[] = []
  /** Interests that lost a push and have not been told. */
  readonly #gaps = new Set<number>()
  #controlPieces: Buffer[] = []
  #controlMissing = 0
  /** The last drain stopped because answers wait: no sleep was announced. */
  #stalled = false
  /** The time of this drain; looked up again every few records. */
  #nowMs = 0.5

  constructor(end: ChannelEnd, host: AttachmentHost) {
    this.#end = end
    this.#host = host
    this.#backlog = new Backlog(end.out, { published: () => end.wakeReader() })
  }

  /** Bytes of answers that wait for the application. */
  get overflowBytes(): number {
    return this.#backlog.bytes
  }

  client(target: number): Client | undefined {
    return this.#clients[target]
  }

  setClient(target: number, client: Client | undefined): void {
    this.#clients[target] = client
  }

  *clients(): Generator<Client> {
    for (const client of this.#clients) if (client !== undefined) yield client
  }

  *calls(): Generator<Call> {
    for (const call of this.#calls) if (call !== undefined) yield call
  }

  /**
   * Takes what the application has submitted. Returns true when it stopped early and wants another turn; false when it
   * sleeps until the doorbell rings.
   */
  drain(): boolean {
    const incoming = this.#end.in
    incoming.wake()
    this.#stalled = false
    if (!this.#backlog.isEmpty && !this.#flushBacklog()) {
      // The doorbell rings when the application has made room: nothing is taken before.
      this.#stalled = true
      this.#end.release()
      return false
    }
    let count = 0
    const startedMs = this.#host.nowMs()
    this.#nowMs = startedMs
    for (;;) {
      const offset = incoming.peek()
      if (offset === -1) break
      this.#take(offset)
      incoming.next(offset)
      if (++count % CLOCK_EVERY === 0) {
        this.#end.release()
        this.#nowMs = this.#host.nowMs()
        if (this.#nowMs - startedMs > this.#host.limits.drainMsMax) return true
      }
      if (!this.#backlog.isEmpty) break
    }
    this.#end.release()
    this.#stalled = !this.#backlog.isEmpty
    return !this.#stalled && !incoming.sleep()
  }

  /** The call's slot is free for the application once its last record is written. */
  forget(call: Call): void {
    this.#calls[slotOf(call.id)] = undefined
  }

  reply(call: Call, factsId: number, bytes: Buffer, start: number, end: number, nowMs: number): void {
    const out = this.#end.out
    const length = end - start
    const offset = this.#backlog.isEmpty && length <= out.payloadMax ? out.begin(length) : -1
    if (offset === -1) return this.#replyLater(call, factsId, bytes, start, end, nowMs)
    const words = out.words
    const at = offset >> 2
    words[at + WORD_KIND] = Completion.Reply
    words[at + WORD_CALL] = call.id
    words[at + WORD_A] = factsId
    words[at + WORD_B] = microseconds(call.writtenAtMs - call.arrivedAtMs)
    words[at + WORD_C] = microseconds(nowMs - call.writtenAtMs)
    out.times[(offset >> 3) + TIME] = nowMs
    copyInto(out.bytes, offset + HEADER_BYTES, bytes, start, end)
    out.commit(length)
    this.#end.wakeReader()
  }

  /** A piece of a reply with more to come. False when the budget is used up and the piece was dropped. */
  piece(call: Call, factsId: number, bytes: Buffer, start: number, end: number, nowMs: number): boolean {
    const kind = packKind(Completion.ReplyPiece, 0, 0)
    const upstreamUs = microseconds(nowMs - call.writtenAtMs)
    return this.#pieces(
      { more: kind, last: kind, number: call.id, a: factsId, c: upstreamUs, nowMs },
      bytes,
      start,
      end,
    )
  }

  /** The pieces passed on so far are void: the call is sent again. */
  restart(call: Call): void {
    this.#enqueue({
      kind: packKind(Completion.ReplyPiece, CallFlag.Restart, 0),
      call: call.id,
      a: 0,
      b: 0,
      c: 0,
      time: 0,
      payload: EMPTY,
    })
  }

  failed(call: Call, error: ErrorDescription, held: boolean, nowMs: number): void {
    const written = call.state === CallState.Written
    this.#enqueue({
      kind: packKind(Completion.Failed, held ? CallFlag.Held : 0, 0),
      call: call.id,
      a: 0,
      b: microseconds((written ? call.writtenAtMs : nowMs) - call.arrivedAtMs),
      c: written ? microseconds(nowMs - call.writtenAtMs) : 0,
      time: nowMs,
      payload: encodeMessage(error),
    })
  }

  released(call: Call): void {
    this.#enqueue({
      kind: packKind(Completion.Released, 0, 0),
      call: call.id,
      a: 0,
      b: 0,
      c: 0,
      time: 0,
      payload: EMPTY,
    })
  }

  /**
   * Delivers a push, or remembers a gap when this thread does not keep up. `asks`: a request of the peer's; false when
   * it was not delivered, and then it is no gap.
   */
  push(interest: number, factsId: number, bytes: Buffer, start: number, end: number, asks: boolean = false): boolean {
    if (this.#gaps.has(interest)) return false
    const flags = asks ? CallFlag.Asks : 0
    const more = packKind(Completion.Push, CallFlag.More | flags, 0)
    const last = packKind(Completion.Push, flags, 0)
    const record = { more, last, number: interest, a: factsId, c: 0, nowMs: 0 }
    const delivered = this.#pieces(record, bytes, start, end)
    if (!delivered && !asks) this.#gaps.add(interest)
    return delivered
  }

  event(message: EventMessage): void {
    this.#enqueue({
      kind: packKind(Completion.Event, 0, 0),
      call: 0,
      a: 0,
      b: 0,
      c: 0,
      time: 0,
      payload: encodeMessage(message),
    })
  }

  invariants(): void {
    this.#end.invariants()
  }

  // ---- Submissions ----------------------------------------------------------------------------------------

  #take(offset: number): void {
    const incoming = this.#end.in
    const words = incoming.words
    const at = offset >> 2
    const kind = words[at + WORD_KIND] as number
    switch (kindOf(kind)) {
      case Submission.Request:
        return this.#request(offset, at, kind)
      case Submission.Piece:
        return this.#requestPiece(offset, at)
      case Submission.Cancel: {
        const call = this.#calls[slotOf(words[at + WORD_CALL] as number)]
        if (call !== undefined && call.id === words[at + WORD_CALL]) this.#host.onCancel(call)
        return
      }
      case Submission.Credit: {
        const call = this.#calls[slotOf(words[at + WORD_CALL] as number)]
        if (call !== undefined && call.id === words[at + WORD_CALL])
          this.#host.onCredit(call, words[at + WORD_A] as number)
        return
      }
      case Submission.Control:
        this.#controlMissing = words[at + WORD_C] as number
        return this.#control(offset, at)
    }
  }

  #request(offset: number, at: number, kind: number): void {
    const incoming = this.#end.in
    const words = incoming.words
    const length = words[at + WORD_LENGTH] as number
    const total = words[at + WORD_C] as number
    const call = this.#host.settlement.pool.take()
    call.id = words[at + WORD_CALL] as number
    call.flags = flagsOf(kind)
    call.hint = words[at + WORD_A] as number
    call.arrivedAtMs = this.#nowMs
    call.deadlineAtMs = words[at + WORD_B] as number
    call.target = targetOf(kind)
    call.fingerprint = words[at + WORD_D] as number
    call.priority = words[at + WORD_E] as number
    const chunk = this.#host.store.take(total)
    call.chunk = chunk
    call.offset = chunk.used
    call.length = total
    chunk.used += total
    copyInto(chunk.bytes, call.offset, incoming.bytes, offset + HEADER_BYTES, offset + HEADER_BYTES + length)
    this.#calls[slotOf(call.id)] = call
    if (length < total) {
      call.state = CallState.Arriving
      call.missing = total - length
      return
    }
    this.#host.onCall(this, call, call.deadlineAtMs, this.#nowMs)
  }

  #requestPiece(offset: number, at: number): void {
    const incoming = this.#end.in
    const length = incoming.words[at + WORD_LENGTH] as number
    const callId = incoming.words[at + WORD_CALL] as number
    if (callId === 0 && this.#controlMissing > 0) return this.#control(offset, at)
    const call = this.#calls[slotOf(callId)]
    if (call === undefined || call.id !== callId || call.chunk === undefined) return
    const to = call.offset + call.length - call.missing
    copyInto(call.chunk.bytes, to, incoming.bytes, offset + HEADER_BYTES, offset + HEADER_BYTES + length)
    call.missing -= length
    if (call.missing === 0) this.#host.onCall(this, call, call.deadlineAtMs, this.#nowMs)
  }

  #control(offset: number, at: number): void {
    const incoming = this.#end.in
    const length = incoming.words[at + WORD_LENGTH] as number
    const start = offset + HEADER_BYTES
    this.#controlMissing -= length
    if (this.#controlMissing > 0 || this.#controlPieces.length > 0) {
      this.#controlPieces.push(Buffer.from(incoming.bytes.subarray(start, start + length)))
      if (this.#controlMissing > 0) return
      const whole = Buffer.concat(this.#controlPieces)
      this.#controlPieces = []
      return this.#host.onControl(this, decodeControl(whole, 0, whole.length))
    }
    this.#host.onControl(this, decodeControl(incoming.bytes, start, start + length))
  }

  // ---- Completions ----------------------------------------------------------------------------------------

  #replyLater(call: Call, factsId: number, bytes: Buffer, start: number, end: number, nowMs: number): void {
    if (this.#backlog.bytes + end - start > this.#host.limits.overflowBytesMax) {
      return this.failed(call, describeError(overflowError()), false, nowMs)
    }
    const max = this.#end.out.payloadMax
    let from = start
    const piece = packKind(Completion.ReplyPiece, 0, 0)
    for (; end - from > max; from += max) {
      this.#enqueue({
        kind: piece,
        call: call.id,
        a: factsId,
        b: 0,
        c: 0,
        time: 0,
        payload: copyOf(bytes, from, from + max),
      })
    }
    this.#enqueue({
      kind: packKind(Completion.Reply, 0, 0),
      call: call.id,
      a: factsId,
      b: microseconds(call.writtenAtMs - call.arrivedAtMs),
      c: microseconds(nowMs - call.writtenAtMs),
      time: nowMs,
      payload: copyOf(bytes, from, end),
    })
  }

  /** Writes bytes as records no longer than the ring allows. */
  #pieces({ more, last, number, a, c, nowMs }: PieceRecord, bytes: Buffer, start: number, end: number): boolean {
    const out = this.#end.out
    const max = out.payloadMax
    if (!this.#backlog.isEmpty && this.#backlog.bytes + end - start > this.#host.limits.overflowBytesMax) return false
    let from = start
    do {
      const to = Math.min(from + max, end)
      const kind = to === end ? last : more
      const offset = this.#backlog.isEmpty ? out.begin(to - from) : -1
      if (offset === -1) {
        this.#enqueue({ kind, call: number, a, b: 0, c, time: nowMs, payload: copyOf(bytes, from, to) })
      } else {
        const at = offset >> 2
        out.words[at + WORD_KIND] = kind
        out.words[at + WORD_CALL] = number
        out.words[at + WORD_A] = a
        out.words[at + WORD_C] = c
        out.times[(offset >> 3) + TIME] = nowMs
        copyInto(out.bytes, offset + HEADER_BYTES, bytes, from, to)
        out.commit(to - from)
        this.#end.wakeReader()
      }
      from = to
    } while (from < end)
    return true
  }

  #enqueue(record: Parameters<Backlog['push']>[0]): void {
    this.#backlog.push(record)
    // Whoever empties the backlog outside a drain has used up the doorbell that the drain waits for.
    if (this.#flushBacklog() && this.#stalled) this.#host.drainLater(this)
  }

  #flushBacklog(): boolean {
    if (!this.#backlog.flush()) return false
    if (this.#gaps.size > 0) {
      const gaps = [...this.#gaps]
      this.#gaps.clear()
      for (const interest of gaps) this.event({ type: 'interest-gap', interest, reason: 'overflow' })
    }
    return true
  }
}

/** What is said of bytes that may need several records: all of kind `more`, the last of kind `last`. */
interface PieceRecord {
  readonly more: number
  readonly last: number
  readonly number: number
  readonly a: number
  readonly c: number
  readonly nowMs: number
}

const EMPTY = new Uint8Array(0)

/** What a caller is told whose reply was dropped because its thread did not keep up. */
export function overflowError(): LocalError {
  return new LocalError(
    'OVERFLOW',
    'the application thread did not take its replies in time and more than overflowBytesMax waited for it; ' +
      'this one was dropped',
    { sent: 'maybe' },
  )
}

function copyOf(bytes: Buffer, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end)
}

function copyInto(target: Buffer, at: number, source: Buffer, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) {
    target.set(source.subarray(start, end), at)
    return
  }
  let to = at
  for (let from = start; from < end; from++) target[to++] = source[from] as number
}

/** Fits 31 bits: 35 minutes, and longer is as good as that. */
function microseconds(ms: number): number {
  return ms <= 0 ? 0 : Math.min(Math.round(ms * 1000), 0x7fffffff)
}

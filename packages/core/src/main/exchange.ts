/**
 * The application end of a channel: turns calls into records and records into settled promises.
 *
 * Rules:
 * 1. Every call that is accepted settles exactly once: by a record of the I/O thread, by `lose`, or here while it still waits for room.
 * 2. Nothing is published of a request whose `encode` threw.
 * 3. The thread never waits here. A full ring makes requests wait in the backlog; a full table refuses them.
 * 4. A reply that is in the ring beats an abort that fires now: the ring is drained first.
 *
 * Theory of operation: `call` encodes straight into the ring. `drain` runs when the doorbell rings, and by itself for a short while
 * after a call when replies have lately come that fast (`pollUsMax`): looking is cheaper than being woken. When it finds nothing
 * any more it announces sleep. It gives the event loop back after `drainMsMax`.
 *
 * Limits: `inFlightMax` slots, `pendingBytesMax`.
 */
import { Backlog } from '../channel/backlog.ts'
import type { ChannelEnd } from '../channel/channel.ts'
import { type ControlMessage, decodeErrorDescription, decodeEvent, encodeMessage, type EventMessage } from '../channel/messages.ts'
import {
  CallFlag,
  Completion,
  flagsOf,
  kindOf,
  packKind,
  Submission,
  TIME,
  WORD_A,
  WORD_B,
  WORD_C,
  WORD_CALL,
  WORD_KIND,
} from '../channel/records.ts'
import { HEADER_BYTES } from '../channel/ring.ts'
import { ByteWriter } from '../plugin/byte-writer.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import { AbortedError, DeadlineError, type IoKernelError, LocalError, rebuildError } from '../plugin/errors.ts'
import type { CallOptions } from '../plugin/protocol.ts'
import { nowMs } from '../shared/clock.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { type AnyOperation, type CallSlot, CallSlots } from './slots.ts'

/** Room asked for before the length of a request is known; a longer one spills into private memory and is copied. */
const OPEN_BYTES = 2048

/** Records between two looks at the clock. */
const CLOCK_EVERY = 64

export interface ExchangeHost {
  readonly limits: KernelLimits
  /** Keeps the process alive while somebody waits for an answer. */
  setBusy(busy: boolean): void
  onEvent(event: EventMessage): void
  onPush(interest: number, bytes: Buffer, start: number, end: number, facts: Cloneable, more: boolean): void
}

/** One object for every reply: see `ReplyBytes`. */
class ReplyView {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
}

export class Exchange {
  readonly #end: ChannelEnd
  readonly #host: ExchangeHost
  readonly #slots: CallSlots
  readonly #pending: Backlog
  /** Calls in the backlog that have not begun to leave, and since when. */
  readonly #unsent = new Map<number, { readonly sinceMs: number; readonly deadlineMs: number }>()
  readonly #writer: ByteWriter
  readonly #scratch: Buffer
  readonly #facts = new Map<number, Cloneable>()
  readonly #view = new ReplyView()
  #factsId = -1
  #factsNow: Cloneable = undefined
  #busy = false
  #draining = false
  #lost: IoKernelError | undefined
  /** The poll under way: a setImmediate is scheduled. */
  #polling = false
  #pollUntilMs = 0
  /** How long replies take, as a moving average in microseconds: decides whether polling is worth it. */
  #replyUs = 0
  readonly #pollTurn = (): void => this.#poll()

  constructor(end: ChannelEnd, host: ExchangeHost) {
    this.#end = end
    this.#host = host
    this.#slots = new CallSlots(host.limits.inFlightMax)
    this.#pending = new Backlog(end.out, () => end.wakeReader())
    this.#scratch = Buffer.allocUnsafe(OPEN_BYTES)
    this.#writer = new ByteWriter(0, 1 << 30)
  }

  /** Calls whose caller still waits. */
  get waiting(): number {
    return this.#slots.waiting
  }

  /** True while the I/O thread owes this one anything: answers, or the taking of records. */
  get owed(): boolean {
    return this.#slots.taken > 0 || !this.#end.out.isEmpty() || !this.#pending.isEmpty
  }

  /** Position of the I/O thread in the submission ring: moves as long as it makes progress. */
  get taken(): number {
    return this.#end.out.taken()
  }

  /** `number` is the operation's index for statistics; `target` an upstream or, with `CallFlag.Session`, a session. */
  call(
    operation: AnyOperation,
    args: unknown,
    target: number,
    flags: number,
    deadlineMs: number,
    requestBytesMax: number,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    if (this.#lost !== undefined) throw this.#lost
    const signal = options?.signal
    if (signal?.aborted === true) throw abortedBefore(signal)
    const out = this.#end.out
    const writer = this.#writer
    const offset = this.#pending.isEmpty ? out.begin(OPEN_BYTES) : -1
    if (offset === -1) writer.lend(this.#scratch, 0, this.#scratch.length)
    else writer.lend(out.bytes, offset + HEADER_BYTES, out.payloadLimit())
    writer.lengthMax = requestBytesMax
    const hint = operation.encode(writer, args)
    const call = this.#slots.take()
    if (call === undefined) throw tooManyInFlight(this.#host.limits.inFlightMax)
    call.operation = operation
    call.args = args
    call.options = options
    if (options !== undefined) this.#observe(call, options)
    if (offset !== -1 && !writer.spilled) {
      this.#publish(offset, call.id, packKind(Submission.Request, flags, target), hint, deadlineMs, writer.length)
    } else {
      this.#defer(call, packKind(Submission.Request, flags, target), hint, deadlineMs)
    }
    if (!this.#busy) this.#setBusy(true)
    this.#startPolling()
    return new Promise((resolve, reject) => {
      call.resolve = resolve
      call.reject = reject
    })
  }

  /** Sends a control message, in order with the calls around it. */
  control(message: ControlMessage): void {
    if (this.#lost !== undefined) return
    this.#enqueue(packKind(Submission.Control, 0, 0), 0, 0, 0, encodeMessage(message))
    this.#pending.flush()
  }

  /** Settles what has arrived. Called by the doorbell; harmless at any time. */
  drain(): void {
    if (this.#draining) return
    this.#draining = true
    this.#end.in.wake()
    const found = this.#take()
    this.#draining = false
    if (!this.#pending.isEmpty) this.#flushPending()
    if (found) this.#pollUntilMs = nowMs() + this.#pollBudgetMs()
    if (!this.#polling) this.#rest(found)
  }

  /** Waits in shared memory, for a process that is about to exit. False when the time ran out. */
  blockUntil(done: () => boolean, timeoutMs: number): boolean {
    const untilMs = nowMs() + timeoutMs
    while (!done()) {
      const leftMs = untilMs - nowMs()
      if (leftMs <= 0) return false
      // Short naps: room in the submission ring is announced by a doorbell that a blocked thread cannot hear.
      this.#end.in.block(Math.min(leftMs, 5))
      this.drain()
    }
    return true
  }

  /** The I/O thread is gone: everything in flight rejects, and nothing is accepted any more. */
  lose(error: (sent: 'no' | 'maybe') => IoKernelError): void {
    this.drain()
    this.#lost = error('no')
    for (const call of this.#slots.all()) {
      if (!call.waiting) continue
      this.#reject(call, error(this.#unsent.has(call.id) ? 'no' : 'maybe'))
    }
    this.#setBusy(false)
  }

  invariants(): void {
    this.#end.invariants()
  }

  // ---- Submission ------------------------------------------------------------------------------------------------

  #publish(offset: number, callId: number, kind: number, hint: number, deadlineMs: number, length: number): void {
    const out = this.#end.out
    const at = offset >> 2
    out.words[at + WORD_KIND] = kind
    out.words[at + WORD_CALL] = callId
    out.words[at + WORD_A] = hint
    out.words[at + WORD_B] = deadlineMs
    out.words[at + WORD_C] = length
    out.commit(length)
    this.#end.wakeReader()
  }

  #defer(call: CallSlot, kind: number, hint: number, deadlineMs: number): void {
    const writer = this.#writer
    if (!this.#pending.isEmpty && this.#pending.bytes + writer.length > this.#host.limits.pendingBytesMax) {
      this.#slots.settle(call)
      this.#slots.free(call)
      throw tooMuchPending(this.#pending.bytes)
    }
    // Spilled memory is the writer's own and it will not touch it again; everything else is lent and copied.
    const payload = writer.spilled ? writer.written() : Buffer.from(writer.written())
    this.#unsent.set(call.id, { sinceMs: nowMs(), deadlineMs })
    this.#enqueue(kind, call.id, hint, deadlineMs, payload)
    this.#flushPending()
  }

  /** Cuts what is longer than a record into pieces. The first says the total. */
  #enqueue(kind: number, callId: number, hint: number, deadlineMs: number, payload: Uint8Array): void {
    const max = this.#end.out.payloadMax
    const total = payload.length
    this.#pending.push({ kind, call: callId, a: hint, b: deadlineMs, c: total, time: 0, payload: payload.subarray(0, max) })
    const piece = packKind(Submission.Piece, 0, 0)
    for (let at = max; at < total; at += max) {
      this.#pending.push({ kind: piece, call: callId, a: 0, b: 0, c: 0, time: 0, payload: payload.subarray(at, at + max) })
    }
  }

  #flushPending(): void {
    if (this.#unsent.size > 0) this.#expireUnsent()
    if (this.#pending.flush()) this.#unsent.clear()
  }

  /** The I/O thread keeps deadlines, but it cannot know of calls that have not reached it. */
  #expireUnsent(): void {
    const now = nowMs()
    for (const [callId, { sinceMs, deadlineMs }] of this.#unsent) {
      if (deadlineMs === 0 || now - sinceMs < deadlineMs) continue
      this.#rejectUnsent(
        callId,
        new DeadlineError('the deadline passed before the request could be handed to the I/O thread: the channel was full', 'kernel-busy', {
          sent: 'no',
        }),
      )
    }
  }

  /** Settles a call that still waits whole in the backlog. False when it has begun to leave. */
  #rejectUnsent(callId: number, error: IoKernelError): boolean {
    const call = this.#slots.find(callId)
    if (call === undefined || !call.waiting || !this.#unsent.delete(callId)) return false
    let first = false
    this.#pending.withdraw((record) => {
      if (record.call !== callId) return false
      if (kindOf(record.kind) === Submission.Request) first = true
      return first
    })
    if (!first) return false
    this.#reject(call, error)
    this.#slots.free(call)
    return true
  }

  #observe(call: CallSlot, options: CallOptions): void {
    if (options.onTiming !== undefined) call.submittedAtMs = nowMs()
    if (options.signal === undefined) return
    const callId = call.id
    call.onAbort = () => this.#abort(callId)
    options.signal.addEventListener('abort', call.onAbort, { once: true })
  }

  #abort(callId: number): void {
    this.drain()
    const call = this.#slots.find(callId)
    if (call === undefined || !call.waiting) return
    if (this.#rejectUnsent(callId, abortedBefore(call.options?.signal))) return
    this.#enqueue(packKind(Submission.Cancel, 0, 0), callId, 0, 0, EMPTY)
    this.#flushPending()
  }

  // ---- Completion ------------------------------------------------------------------------------------------------

  /** Takes records until there are none or the time is over. True when there was any. */
  #take(): boolean {
    const incoming = this.#end.in
    const words = incoming.words
    let count = 0
    let startedMs = 0
    for (;;) {
      const offset = incoming.peek()
      if (offset === -1) break
      const at = offset >> 2
      if (kindOf(words[at + WORD_KIND] as number) === Completion.Reply) this.#reply(offset, at)
      else this.#other(offset, at)
      incoming.next(offset)
      if (++count % CLOCK_EVERY === 0) {
        this.#end.release()
        const now = nowMs()
        if (startedMs === 0) startedMs = now
        else if (now - startedMs > this.#host.limits.drainMsMax) break
      }
    }
    this.#end.release()
    return count > 0
  }

  #reply(offset: number, at: number): void {
    const incoming = this.#end.in
    const words = incoming.words
    const call = this.#slots.find(words[at + WORD_CALL] as number)
    if (call === undefined) return
    if (call.waiting) {
      const view = this.#view
      const start = offset + HEADER_BYTES
      view.bytes = incoming.bytes
      view.start = start
      view.end = start + (words[at] as number)
      if (call.pieces !== undefined) this.#assemble(call, view)
      const upstreamUs = words[at + WORD_C] as number
      this.#replyUs += (upstreamUs - this.#replyUs) / 8
      this.#resolve(call, this.#factsOf(words[at + WORD_A] as number), offset, at)
    }
    this.#slots.free(call)
  }

  #resolve(call: CallSlot, facts: Cloneable, offset: number, at: number): void {
    const operation = call.operation as AnyOperation
    const resolve = call.resolve as (value: unknown) => void
    const reject = call.reject as (error: unknown) => void
    const observed = call.submittedAtMs !== 0 ? { options: call.options, submittedAtMs: call.submittedAtMs } : undefined
    const pickedUpMs = observed === undefined ? 0 : nowMs()
    let value: unknown
    let failure: unknown
    let failed = false
    try {
      value = operation.decode(this.#view, call.args, facts)
    } catch (error) {
      failure = error
      failed = true
    }
    call.submittedAtMs = 0
    this.#slots.settle(call)
    if (observed !== undefined) {
      const completedMs = this.#end.in.times[(offset >> 3) + TIME] as number
      const upstreamMs = (this.#end.in.words[at + WORD_C] as number) / 1000
      observed.options?.onTiming?.({
        queuedMs: Math.max(0, completedMs - upstreamMs - observed.submittedAtMs),
        upstreamMs,
        waitingForApplicationMs: Math.max(0, pickedUpMs - completedMs),
        applicationMs: nowMs() - pickedUpMs,
      })
    }
    if (failed) reject(failure)
    else resolve(value)
  }

  #assemble(call: CallSlot, view: ReplyView): void {
    const pieces = call.pieces as Buffer[]
    pieces.push(Buffer.from(view.bytes.subarray(view.start, view.end)))
    view.bytes = Buffer.concat(pieces)
    view.start = 0
    view.end = view.bytes.length
    call.pieces = undefined
  }

  #other(offset: number, at: number): void {
    const incoming = this.#end.in
    const words = incoming.words
    const start = offset + HEADER_BYTES
    const end = start + (words[at] as number)
    const kind = words[at + WORD_KIND] as number
    const number = words[at + WORD_CALL] as number
    switch (kindOf(kind)) {
      case Completion.ReplyPiece: {
        const call = this.#slots.find(number)
        if (call?.waiting !== true) return
        call.pieces ??= []
        call.pieces.push(Buffer.from(incoming.bytes.subarray(start, end)))
        return
      }
      case Completion.Failed: {
        const call = this.#slots.find(number)
        if (call === undefined) return
        if (call.waiting) this.#reject(call, rebuildError(decodeErrorDescription(incoming.bytes, start, end)))
        if ((flagsOf(kind) & CallFlag.Held) === 0) this.#slots.free(call)
        return
      }
      case Completion.Released: {
        const call = this.#slots.find(number)
        if (call !== undefined && !call.waiting) this.#slots.free(call)
        return
      }
      case Completion.Push: {
        const facts = this.#factsOf(words[at + WORD_A] as number)
        this.#host.onPush(number, incoming.bytes, start, end, facts, (flagsOf(kind) & CallFlag.More) !== 0)
        return
      }
      case Completion.Event: {
        const event = decodeEvent(incoming.bytes, start, end)
        if (event.type === 'facts') this.#facts.set(event.id, event.facts)
        else if (event.type === 'facts-gone') this.#forgetFacts(event.id)
        else this.#host.onEvent(event)
        return
      }
    }
  }

  #reject(call: CallSlot, error: unknown): void {
    const reject = call.reject as (error: unknown) => void
    call.submittedAtMs = 0
    this.#slots.settle(call)
    reject(error)
  }

  #factsOf(id: number): Cloneable {
    if (id !== this.#factsId) {
      this.#factsId = id
      this.#factsNow = this.#facts.get(id)
    }
    return this.#factsNow
  }

  #forgetFacts(id: number): void {
    this.#facts.delete(id)
    if (this.#factsId === id) this.#factsId = -1
  }

  // ---- Sleeping and polling --------------------------------------------------------------------------------------

  #pollBudgetMs(): number {
    // Twice the usual reply time, if that is short enough to be worth looking instead of sleeping.
    const budgetUs = 2 * this.#replyUs + 20
    return budgetUs <= this.#host.limits.pollUsMax ? budgetUs / 1000 : 0
  }

  #startPolling(): void {
    if (this.#polling) return
    const budgetMs = this.#pollBudgetMs()
    if (budgetMs === 0) return
    this.#pollUntilMs = nowMs() + budgetMs
    this.#polling = true
    this.#end.in.wake()
    setImmediate(this.#pollTurn)
  }

  #poll(): void {
    this.#draining = true
    const found = this.#take()
    this.#draining = false
    if (!this.#pending.isEmpty) this.#flushPending()
    const now = nowMs()
    if (found) this.#pollUntilMs = now + this.#pollBudgetMs()
    if (this.#slots.waiting > 0 && now < this.#pollUntilMs) {
      setImmediate(this.#pollTurn)
      return
    }
    this.#polling = false
    this.#rest(found)
  }

  /** Sleeps if there is nothing to do, or comes back in the next turn of the event loop. */
  #rest(found: boolean): void {
    if (found || !this.#end.in.sleep()) {
      // Answers resolved in this turn usually lead to new calls: look once more before announcing sleep.
      this.#polling = true
      setImmediate(this.#pollTurn)
      return
    }
    if (this.#slots.waiting === 0 && this.#pending.isEmpty && this.#busy) this.#setBusy(false)
  }

  #setBusy(busy: boolean): void {
    if (this.#busy === busy) return
    this.#busy = busy
    this.#host.setBusy(busy)
  }
}

const EMPTY = new Uint8Array(0)

function tooManyInFlight(max: number): LocalError {
  return new LocalError(
    'IN_FLIGHT_LIMIT',
    `${max} calls are in flight (inFlightMax): await some of them, or raise the limit in createKernel({ limits })`,
  )
}

function tooMuchPending(bytes: number): LocalError {
  return new LocalError(
    'PENDING_BYTES_LIMIT',
    `requests of ${bytes} bytes already wait for the I/O thread (pendingBytesMax): send less at once, or raise the limit in createKernel({ limits })`,
  )
}

function abortedBefore(signal: AbortSignal | undefined): AbortedError {
  return new AbortedError('the call was aborted before it was sent', { sent: 'no', cause: signal?.reason })
}

/**
 * The application end of a channel: turns calls into records and records into settled promises.
 *
 * Rules:
 * 1. Every call that is accepted settles exactly once: by a record of the I/O thread, by `lose`, or here while it still
 *    waits for room.
 * 2. Nothing is published of a request whose `encode` threw.
 * 3. The thread never waits here. A full ring makes requests wait in the backlog; a full table refuses them.
 * 4. A reply that is in the ring beats an abort that fires now: the ring is drained first.
 *
 * Theory of operation: `call` encodes straight into the ring. `drain` runs when the doorbell rings, and by itself for a
 * short while after a call when replies have lately come that fast (`pollUsMax`): looking is cheaper than being woken.
 * When it finds nothing any more it announces sleep. It gives the event loop back after `drainMsMax`.
 *
 * Limits: `inFlightMax` slots, `pendingBytesMax`.
 */
import { AsyncResource } from 'node:async_hooks'
import type { CallSort } from '../channel/backlog.ts'
import type { ChannelEnd } from '../channel/channel.ts'
import {
  type ControlMessage,
  decodeErrorDescription,
  decodeEvent,
  type EventMessage,
  encodeMessage,
} from '../channel/messages.ts'
import {
  CallFlag,
  Completion,
  flagsOf,
  kindOf,
  PRIORITIES,
  packKind,
  Submission,
  TIME,
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
import { ByteWriter } from '../plugin/byte-writer.ts'
import { DeadlineError, type IoKernelError, rebuildError } from '../plugin/errors.ts'
import type { CallOptions, ReplyBytes } from '../plugin/protocol.ts'
import { nowMs } from '../shared/clock.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { shielded } from '../shared/shield.ts'
import { Aborts } from './aborts.ts'
import { abortedBefore, placed, tooManyInFlight } from './call-errors.ts'
import type { PieceSink, StreamOpener } from './incoming-stream.ts'
import type { PushRecord } from './interests.ts'
import { openReply } from './opened-reply.ts'
import { type Origin, Origins } from './origins.ts'
import { Poller } from './poller.ts'
import { ReplyView, tellTiming } from './reply-view.ts'
import { type AnyOperation, type CallSlot, CallSlots } from './slots.ts'
import { UnsentRequests } from './unsent.ts'

/** Room asked for before the length of a request is known; a longer one spills into private memory and is copied. */
const OPEN_BYTES = 2048

/** Records between two looks at the clock. */
const CLOCK_EVERY = 64

export interface ExchangeHost {
  readonly limits: KernelLimits
  /** Keeps the process alive while somebody waits for an answer. */
  setBusy(busy: boolean): void
  onEvent(event: EventMessage): void
  onPush(interest: number, frame: ReplyBytes, push: PushRecord): void
}

export class Exchange {
  readonly #end: ChannelEnd
  readonly #host: ExchangeHost
  readonly #slots: CallSlots
  readonly #unsent: UnsentRequests
  readonly #writer: ByteWriter
  readonly #scratch: Buffer
  readonly #origins = new Origins()
  readonly #view = new ReplyView()
  #busy = false
  #draining = false
  #lost: IoKernelError | undefined
  readonly #poller: Poller
  readonly #expireUnsent = (callId: number): void => {
    this.#rejectUnsent(callId, new DeadlineError(NEVER_LEFT, 'kernel-busy', { sent: 'no' }))
  }
  readonly #aborts = new Aborts((callId) => this.#abort(callId))

  constructor(end: ChannelEnd, host: ExchangeHost) {
    this.#end = end
    this.#host = host
    this.#slots = new CallSlots(host.limits.inFlightMax)
    this.#unsent = new UnsentRequests(end.out, host.limits.pendingBytesMax, () => end.wakeReader())
    this.#poller = new Poller(end.in, host.limits.pollUsMax, {
      take: () => this.#takeAndFlush(),
      waiting: () => this.#slots.waiting,
      onRest: () => this.#onRest(),
    })
    this.#scratch = Buffer.allocUnsafe(OPEN_BYTES)
    this.#writer = new ByteWriter(0, 1 << 30)
  }

  /** Calls whose caller still waits. */
  get waiting(): number {
    return this.#slots.waiting
  }

  /** True while the I/O thread owes this one anything: answers, or the taking of records. */
  get owed(): boolean {
    return this.#slots.taken > 0 || !this.#end.out.isEmpty() || !this.#unsent.isEmpty
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
    sink?: PieceSink,
    opener?: StreamOpener,
  ): Promise<unknown> {
    if (this.#lost !== undefined) throw this.#lost
    const signal = options?.signal
    if (signal?.aborted === true) throw abortedBefore(signal)
    const out = this.#end.out
    const writer = this.#writer
    const offset = this.#unsent.isEmpty ? out.begin(OPEN_BYTES) : -1
    writer.lengthMax = requestBytesMax
    if (offset === -1) writer.lend(this.#scratch, 0, this.#scratch.length)
    else writer.lend(out.bytes, offset + HEADER_BYTES, out.payloadLimit())
    const hint = operation.encode(writer, args)
    const fingerprint = operation.fingerprint === undefined ? 0 : operation.fingerprint(args)
    const priority = options?.priority === undefined ? NORMAL : PRIORITIES.indexOf(options.priority)
    const direct = offset !== -1 && !writer.spilled
    if (!direct) this.#unsent.assertRoom(writer.length)
    const call = this.#slots.take()
    if (call === undefined) throw tooManyInFlight(this.#host.limits.inFlightMax)
    call.operation = operation
    call.args = args
    call.options = options
    if (options !== undefined) this.#observe(call, options)
    if (sink !== undefined) {
      call.sink = sink
      sink.begun(call.id)
    }
    call.opener = opener
    const kind = packKind(Submission.Request, flags, target)
    if (direct) {
      const at = offset >> 2
      out.words[at + WORD_D] = fingerprint
      out.words[at + WORD_E] = priority
      this.#publish(offset, call.id, kind, hint, deadlineMs, writer.length)
    } else {
      this.#defer(call, kind, hint, deadlineMs, { fingerprint, priority })
    }
    if (!this.#busy) this.#setBusy(true)
    this.#poller.begin(this.#slots.waiting === 1)
    return new Promise((resolve, reject) => {
      call.resolve = resolve
      call.reject = reject
    })
  }

  /** The reader of a streamed reply has taken so many bytes. */
  credit(callId: number, bytes: number): void {
    if (this.#slots.find(callId)?.waiting !== true) return
    this.#unsent.add(packKind(Submission.Credit, 0, 0), callId, bytes, 0, EMPTY)
    this.#flushAdded()
  }

  /** Nobody waits for this call any more. */
  cancel(callId: number): void {
    this.#abort(callId)
  }

  /** Sends a control message, in order with the calls around it. */
  control(message: ControlMessage): void {
    if (this.#lost !== undefined) return
    this.#unsent.add(packKind(Submission.Control, 0, 0), 0, 0, 0, encodeMessage(message))
    this.#flushAdded()
  }

  /** Settles what has arrived. Called by the doorbell; harmless at any time. */
  drain(): void {
    if (this.#draining) return
    this.#end.in.wake()
    this.#poller.drained(this.#takeAndFlush())
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

  #defer(call: CallSlot, kind: number, hint: number, deadlineMs: number, sort: CallSort): void {
    const writer = this.#writer
    // Spilled memory is the writer's own and it will not touch it again; everything else is lent and copied.
    const payload = writer.spilled ? writer.written() : Buffer.from(writer.written())
    this.#unsent.addCall(kind, call.id, hint, deadlineMs, payload, sort)
    this.#flushAdded()
  }

  #flushAdded(): void {
    this.#unsent.flushAdded(this.#expireUnsent)
  }

  /** Settles a call that still waits whole on this thread. False when it has begun to leave. */
  #rejectUnsent(callId: number, error: IoKernelError): boolean {
    const call = this.#slots.find(callId)
    if (call?.waiting !== true || !this.#unsent.withdraw(callId)) return false
    this.#reject(call, error)
    this.#slots.free(call)
    return true
  }

  #observe(call: CallSlot, options: CallOptions): void {
    if (options.onTiming !== undefined) {
      call.submittedAtMs = nowMs()
      // A drain has the context of nobody, or of somebody else.
      call.onTiming = AsyncResource.bind(options.onTiming)
    }
    if (options.signal !== undefined) this.#aborts.add(options.signal, call.id)
  }

  #abort(callId: number): void {
    this.drain()
    const call = this.#slots.find(callId)
    if (call === undefined || !call.waiting) return
    if (this.#rejectUnsent(callId, abortedBefore(call.options?.signal))) return
    this.#unsent.add(packKind(Submission.Cancel, 0, 0), callId, 0, 0, EMPTY)
    this.#flushAdded()
  }

  // ---- Completion ------------------------------------------------------------------------------------------------

  #takeAndFlush(): number {
    this.#draining = true
    const found = this.#take()
    this.#draining = false
    if (!this.#unsent.isEmpty) this.#unsent.flush(this.#expireUnsent)
    return found
  }

  /** Takes records until there are none or the time is over. Says how many. */
  #take(): number {
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
    return count
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
      view.end = start + (words[at + WORD_LENGTH] as number)
      if (call.pieces !== undefined) view.prepend(call.pieces)
      this.#resolve(call, this.#origins.of(words[at + WORD_A] as number), offset, at)
    }
    this.#slots.free(call)
  }

  #resolve(call: CallSlot, origin: Origin, offset: number, at: number): void {
    const operation = call.operation as AnyOperation
    const resolve = call.resolve as (value: unknown) => void
    const reject = call.reject as (error: unknown) => void
    const onTiming = call.onTiming
    const submittedAtMs = call.submittedAtMs
    const pickedUpMs = onTiming === undefined ? 0 : nowMs()
    let value: unknown
    let failure: unknown
    let failed = false
    try {
      if (call.sink === undefined) value = operation.decode(this.#view, call.args, origin.facts)
      else call.sink.take(this.#view.copy(), origin.facts)
    } catch (error) {
      failure = placed(error, origin.endpoint)
      failed = true
    }
    this.#settle(call)
    if (onTiming !== undefined) {
      const completedMs = this.#end.in.times[(offset >> 3) + TIME] as number
      const upstreamMs = (this.#end.in.words[at + WORD_C] as number) / 1000
      tellTiming(onTiming, submittedAtMs, upstreamMs, completedMs, pickedUpMs)
    }
    if (failed) reject(failure)
    else resolve(value)
  }

  #open(call: CallSlot, opener: StreamOpener, offset: number, at: number): void {
    openReply(call, opener, (onTiming, submittedAtMs) => {
      const { words, times } = this.#end.in
      const upstreamMs = (words[at + WORD_C] as number) / 1000
      tellTiming(onTiming, submittedAtMs, upstreamMs, times[(offset >> 3) + TIME] as number, nowMs())
    })
  }

  #settle(call: CallSlot): void {
    const signal = call.options?.signal
    if (signal !== undefined) this.#aborts.remove(signal, call.id)
    this.#slots.settle(call)
  }

  #other(offset: number, at: number): void {
    const incoming = this.#end.in
    const words = incoming.words
    const start = offset + HEADER_BYTES
    const end = start + (words[at + WORD_LENGTH] as number)
    const kind = words[at + WORD_KIND] as number
    const number = words[at + WORD_CALL] as number
    switch (kindOf(kind)) {
      case Completion.ReplyPiece: {
        const call = this.#slots.find(number)
        if (call?.waiting !== true) return
        const piece = Buffer.from(incoming.bytes.subarray(start, end))
        if (call.opener !== undefined) this.#open(call, call.opener, offset, at)
        if (call.sink !== undefined) call.sink.take(piece, this.#origins.of(words[at + WORD_A] as number).facts)
        else if ((flagsOf(kind) & CallFlag.Restart) !== 0) call.pieces = undefined
        else if (call.pieces === undefined) call.pieces = [piece]
        else call.pieces.push(piece)
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
        const connection = words[at + WORD_A] as number
        const { facts } = this.#origins.of(connection)
        const flags = flagsOf(kind)
        const more = (flags & CallFlag.More) !== 0
        const asks = (flags & CallFlag.Asks) !== 0
        this.#host.onPush(number, { bytes: incoming.bytes, start, end }, { facts, more, asks, connection })
        return
      }
      case Completion.Event: {
        const event = decodeEvent(incoming.bytes, start, end)
        if (event.type === 'facts') this.#origins.set(event.id, event)
        else if (event.type === 'facts-gone') this.#origins.delete(event.id)
        else shielded(() => this.#host.onEvent(event))
        return
      }
    }
  }

  #reject(call: CallSlot, error: unknown): void {
    const reject = call.reject as (error: unknown) => void
    this.#settle(call)
    reject(error)
  }

  #onRest(): void {
    if (this.#slots.waiting === 0 && this.#unsent.isEmpty) this.#setBusy(false)
  }

  #setBusy(busy: boolean): void {
    if (this.#busy === busy) return
    this.#busy = busy
    this.#host.setBusy(busy)
  }
}

const EMPTY = new Uint8Array(0)
const NORMAL = PRIORITIES.indexOf('normal')
const NEVER_LEFT = 'the deadline passed before the request could be handed to the I/O thread: the channel was full'

/**
 * Both ends of one channel in one thread: the application's exchange and the I/O thread's attachment, with a peer that
 * the test plays.
 *
 * Rules: nothing happens by itself. Doorbells and immediates are remembered and run when the test says so, so that
 * every order of the two threads' turns can be tried. The test replaces `setImmediate` and the clock while a pair
 * exists: `install` and `restore`.
 */
import { applicationEnd, type ChannelEnd, channelMemory, ioEnd } from '../channel/channel.ts'
import type { ControlMessage, EventMessage } from '../channel/messages.ts'
import { slotOf } from '../channel/records.ts'
import { Attachment, type AttachmentHost } from '../io/attachment.ts'
import { type Call, CallList, CallState } from '../io/call.ts'
import { Client } from '../io/client.ts'
import { DeadlineWheel } from '../io/deadlines.ts'
import { RequestStore } from '../io/request-store.ts'
import { Settlement } from '../io/settlement.ts'
import type { Upstream } from '../io/upstream.ts'
import { Exchange } from '../main/exchange.ts'
import { AbortedError, describeError } from '../plugin/errors.ts'
import { KERNEL_LIMITS, type KernelLimits } from '../shared/limits.ts'

export const TARGET = 3

export class Pair implements AttachmentHost {
  readonly limits: KernelLimits
  readonly store: RequestStore = new RequestStore()
  readonly settlement: Settlement
  readonly app: Exchange
  readonly io: Attachment
  readonly client: Client
  /** The ends, for looking at the rings. */
  readonly appEnd: ChannelEnd
  readonly ioEnd: ChannelEnd
  /** Calls the I/O side has and has not answered, tombstones included. */
  readonly held: CallList = new CallList()
  readonly controls: ControlMessage[] = []
  readonly events: EventMessage[] = []
  readonly pushes: { readonly interest: number; readonly bytes: Buffer; readonly more: boolean }[] = []
  /** Deadlines as they reached the I/O side. */
  readonly deadlines: number[] = []
  busy = false
  now = 1_000.5
  appRung = false
  ioRung = false
  #immediates: (() => void)[] = []
  /** Slots of calls that the I/O side has not finished. */
  readonly #slots = new Set<number>()
  readonly #real = { setImmediate: globalThis.setImmediate, now: performance.now }

  constructor(limits: Partial<KernelLimits> = {}) {
    this.limits = { ...KERNEL_LIMITS, submissionBytes: 4_096, completionBytes: 4_096, pollUsMax: 0, ...limits }
    const memory = channelMemory(this.limits.submissionBytes, this.limits.completionBytes)
    this.settlement = new Settlement(new DeadlineWheel(this.now), this.store)
    this.#install()
    this.appEnd = applicationEnd(memory, {
      ring: () => {
        this.ioRung = true
      },
    })
    this.ioEnd = ioEnd(memory, {
      ring: () => {
        this.appRung = true
      },
    })
    this.app = new Exchange(this.appEnd, {
      limits: this.limits,
      setBusy: (busy) => {
        this.busy = busy
      },
      onEvent: (event) => {
        this.events.push(event)
      },
      onPush: (interest, { bytes, start, end }, { more }) => {
        this.pushes.push({ interest, bytes: Buffer.from(bytes.subarray(start, end)), more })
      },
    })
    this.io = new Attachment(this.ioEnd, this)
    this.client = new Client(this.io, TARGET, undefined as unknown as Upstream)
    this.io.setClient(TARGET, this.client)
    this.app.drain()
    this.drainIo()
  }

  #install(): void {
    globalThis.setImmediate = ((action: () => void) => this.#immediates.push(action)) as unknown as typeof setImmediate
    performance.now = () => this.now
  }

  restore(): void {
    globalThis.setImmediate = this.#real.setImmediate
    performance.now = this.#real.now
  }

  // ---- Turns --------------------------------------------------------------------------------------------------------

  /** Turns that are due: what a thread would do next by itself. */
  get due(): readonly ('app' | 'io' | 'immediate')[] {
    const immediate = this.#immediates.length > 0 ? (['immediate'] as const) : []
    return [...(this.appRung ? (['app'] as const) : []), ...(this.ioRung ? (['io'] as const) : []), ...immediate]
  }

  turn(which: 'app' | 'io' | 'immediate'): void {
    if (which === 'io') this.drainIo()
    else if (which === 'app') {
      this.appRung = false
      this.app.drain()
    } else this.#immediates.shift()?.()
    this.invariants()
  }

  drainIo(): void {
    this.ioRung = false
    if (this.io.drain()) this.ioRung = true
  }

  /** Turns until nothing is due. */
  settle(): void {
    for (let count = 0; this.due.length > 0; count++) {
      if (count > 1_000_000) throw new Error('the two ends never come to rest')
      this.turn(this.due[count % this.due.length] as 'app')
    }
  }

  invariants(): void {
    this.app.invariants()
    this.io.invariants()
  }

  // ---- The peer
  // ------------------------------------------------------------------------------------------------------

  payload(call: Call): Buffer {
    return Buffer.from(call.chunk?.bytes.subarray(call.offset, call.offset + call.length) as Buffer)
  }

  reply(call: Call, bytes: Uint8Array): void {
    this.#finish(call)
    this.settlement.reply(call, 0, bytes as Buffer, 0, bytes.length, this.now)
  }

  /** A piece of a reply with more to come, as connections pass them on. */
  piece(call: Call, bytes: Buffer): void {
    if (call.state === CallState.Tombstone) return
    if (this.io.piece(call, 0, bytes, 0, bytes.length, this.now)) return
    this.settlement.settleEarly(call, describeError(new Error('overflow')), this.now)
  }

  fail(call: Call, error: Error): void {
    this.#finish(call)
    this.settlement.fail(call, describeError(error), this.now)
  }

  expire(call: Call, error: Error): void {
    this.settlement.settleEarly(call, describeError(error), this.now)
  }

  #finish(call: Call): void {
    this.held.remove(call)
    this.#slots.delete(slotOf(call.id))
  }

  // ---- AttachmentHost
  // ------------------------------------------------------------------------------------------------

  nowMs(): number {
    return this.now
  }

  onControl(_attachment: Attachment, message: ControlMessage): void {
    this.controls.push(message)
  }

  onCall(_attachment: Attachment, call: Call, deadlineMs: number, nowMs: number): void {
    const slot = slotOf(call.id)
    if (this.#slots.has(slot)) throw new Error(`slot ${slot} was used again before the final record about it`)
    call.client = this.client
    this.client.calls++
    this.deadlines.push(deadlineMs)
    if (call.cancelled) return this.settlement.fail(call, describeError(ABORTED), nowMs)
    this.#slots.add(slot)
    call.state = CallState.Written
    call.writtenAtMs = nowMs
    this.held.push(call)
  }

  onCredit(call: Call, bytes: number): void {
    call.unread -= bytes
  }

  onCancel(call: Call): void {
    if (call.state === CallState.Arriving) call.cancelled = true
    else if (call.state === CallState.Written) this.settlement.settleEarly(call, describeError(ABORTED), this.now)
  }

  drainLater(): void {
    this.ioRung = true
  }
}

const ABORTED = new AbortedError('aborted', { sent: 'no' })

/**
 * A lane of the scheduler's simulator: what `LaneSet`, `LaneCalls` and `LaneCare` see of a connection, without one.
 *
 * Rules: answers come in the order of the places that calls have on it. A call that was rescued leaves a ghost in its
 * place, which is answered as any other.
 */
import { CallFlag } from '../channel/records.ts'
import { type Call, CallList, CallState } from '../io/call.ts'
import type { ConnectionOwner, Phase } from '../io/connection-owner.ts'
import type { LiveConnection } from '../io/live-connection.ts'
import type { Settlement } from '../io/settlement.ts'
import type { IoKernelError } from '../plugin/errors.ts'
import type { VirtualWorld } from './virtual-world.ts'

export interface LaneListener {
  /** A call is the `place`th to be written, behind `before`. */
  written(call: Call, place: number, alone: boolean, before: readonly Call[]): void
  closed(): void
}

/** How long a reset takes. */
const RESET_MS = 1
const NOTHING = Buffer.alloc(0)

export class SimulatedLane {
  readonly unanswered: CallList = new CallList()
  readonly unflushed: Call | undefined = undefined
  readonly endpoint: { readonly id: string } = { id: 'server' }
  readonly canAudit = false
  /** How long it took to connect: a round trip. */
  readonly connectMs: number
  phase: Phase = 'opening'
  isHeld = false
  tainted = false
  readyAtMs = 0
  lastHeardMs = 0
  /** When the process behind it has worked off what it was given. */
  freeAtMs = 0
  readonly #world: VirtualWorld
  readonly #owner: ConnectionOwner
  readonly #settlement: Settlement
  readonly #listener: LaneListener
  #alone = false
  #lastAnsweredMs = 0
  #written = 0
  #answered = 0
  #reason: IoKernelError | undefined

  constructor(
    world: VirtualWorld,
    owner: ConnectionOwner,
    settlement: Settlement,
    connectMs: number,
    listener: LaneListener,
  ) {
    this.connectMs = connectMs
    this.#world = world
    this.#owner = owner
    this.#settlement = settlement
    this.#listener = listener
  }

  /** It is all of a connection that lanes are asked for. */
  get asConnection(): LiveConnection {
    return this as unknown as LiveConnection
  }

  get hasRoom(): boolean {
    return this.phase === 'ready' && !this.isHeld
  }

  get isIdle(): boolean {
    return this.unanswered.count === 0 && this.phase !== 'scripting'
  }

  get taken(): boolean {
    return this.#alone && this.unanswered.count > 0
  }

  get headSinceMs(): number {
    const head = this.unanswered.first
    return head === undefined ? 0 : Math.max(head.writtenAtMs, this.#lastAnsweredMs)
  }

  opened(): void {
    if (this.phase !== 'opening') return
    this.phase = 'ready'
    this.readyAtMs = this.#world.nowMs()
    this.#owner.onReady(this.asConnection)
  }

  submit(call: Call, nowMs: number, alone: boolean): void {
    if (this.phase !== 'ready') throw new Error(`a call is written on a lane that is ${this.phase}`)
    const before: Call[] = []
    for (let each = this.unanswered.first; each !== undefined; each = each.next) before.push(each)
    if (this.tainted) throw new Error('a call is written before the reset')
    if ((call.flags & CallFlag.Taints) !== 0) this.tainted = true
    call.writtenAtMs = nowMs
    call.state = CallState.Written
    this.#listener.written(call, ++this.#written, alone, before)
    this.#alone = alone
    this.unanswered.push(call)
  }

  get lastAnsweredMs(): number {
    return this.#lastAnsweredMs
  }

  substitute(call: Call, by: Call): void {
    this.unanswered.replace(call, by)
  }

  /** `place`: the how manieth call that was written. */
  answer(place: number): void {
    if (this.phase === 'closed') return
    if (place !== ++this.#answered) throw new Error('a lane answers in order')
    const call = this.unanswered.first as Call
    const nowMs = this.#world.nowMs()
    this.lastHeardMs = nowMs
    if (call.service !== undefined) this.#owner.onAnswered?.(this.asConnection, call)
    this.#lastAnsweredMs = nowMs
    this.unanswered.remove(call)
    this.#settlement.reply(call, 1, NOTHING, 0, 0, nowMs)
    if (this.#reason !== undefined && this.isIdle) this.destroy(this.#reason)
    else this.#owner.onProgress(this.asConnection)
  }

  reset(done: () => void): boolean {
    this.phase = 'scripting'
    this.#world.read(RESET_MS, () => {
      if (this.phase !== 'scripting') return
      this.phase = 'ready'
      this.tainted = false
      done()
    })
    return true
  }

  audit(done: (found: string | undefined) => void): void {
    done(undefined)
  }

  retire(reason: IoKernelError): void {
    if (this.phase === 'closed' || this.#reason !== undefined) return
    this.#reason = reason
    this.phase = 'draining'
    if (this.isIdle) return this.destroy(reason)
    this.#owner.onRetiring?.(this.asConnection)
  }

  destroy(reason: IoKernelError): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    this.#listener.closed()
    this.#owner.onClosed(this.asConnection, reason)
  }
}

/**
 * Calls on their way to a lane, and on their way back from one that was lost.
 *
 * Rules:
 * 1. Calls that may share a lane and calls that want one to themselves wait apart, each fairly between clients and
 *    priorities: neither blocks the other.
 * 2. When a lane is lost: what was not written goes to the next one, unnoticed; what was written fails as `maybe`, or
 *    is sent again where the call is idempotent and its `callRetriesMax` and the retry budget allow.
 * 3. A call goes back to the front: it had its turn.
 */
import { CallFlag } from '../channel/records.ts'
import { describeError, type IoKernelError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import { type Call, CallList, CallState } from './call.ts'
import type { IoEnvironment } from './environment.ts'
import { FairQueue } from './fair-queue.ts'
import type { LaneSet } from './lane-set.ts'
import type { LiveConnection } from './live-connection.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { Scheduler, Waiting } from './scheduler.ts'
import type { Settlement } from './settlement.ts'

export interface LaneCallsHost {
  readonly environment: IoEnvironment
  readonly limits: UpstreamLimits
  readonly settlement: Settlement
  readonly scheduler: Scheduler
  readonly budget: RetryBudget
  lanes(): LaneSet
  isClosed(): boolean
}

export class LaneCalls implements Waiting {
  readonly #host: LaneCallsHost
  readonly #scheduler: Scheduler
  readonly #sharing = new FairQueue()
  readonly #alone = new FairQueue()
  /** Calls that the peer did not execute: they are not sent again in the same breath. */
  readonly #parked = new CallList()
  /** A call changed sides in this round. */
  #moved = false

  constructor(host: LaneCallsHost) {
    this.#host = host
    this.#scheduler = host.scheduler
  }

  get isEmpty(): boolean {
    return this.#sharing.isEmpty && this.#alone.isEmpty
  }

  get count(): number {
    return this.#sharing.count + this.#alone.count
  }

  // ---- Waiting ----------------------------------------------------------------------------------------------

  get sharing(): number {
    return this.#sharing.count
  }

  get sharingSinceMs(): number {
    return this.#sharing.peek()?.arrivedAtMs ?? Number.POSITIVE_INFINITY
  }

  get alone(): number {
    return this.#alone.count
  }

  get aloneSinceMs(): number {
    return this.#alone.peek()?.arrivedAtMs ?? Number.POSITIVE_INFINITY
  }

  // ---- On the way there -------------------------------------------------------------------------------------

  /** False when the call has to wait: there is no room, or others were here first. */
  write(call: Call, nowMs: number): boolean {
    const shares = this.#scheduler.shares(call)
    const queue = shares ? this.#sharing : this.#alone
    if (!queue.isEmpty) return false
    const lanes = this.#host.lanes()
    const lane = lanes.choose(call, shares, this, nowMs)
    if (lane === undefined) return false
    lanes.write(lane, call, shares, nowMs)
    return true
  }

  wait(call: Call, nowMs: number): void {
    call.state = CallState.Queued
    this.#queueOf(call).push(call)
    this.#host.lanes().grow(this, nowMs)
  }

  /** There may be room. */
  pump(): void {
    if (this.isEmpty) return
    const nowMs = this.#host.environment.nowMs()
    do {
      this.#moved = false
      this.#pumpFrom(this.#alone, nowMs)
      this.#pumpFrom(this.#sharing, nowMs)
    } while (this.#moved)
    if (!this.isEmpty) this.#host.lanes().grow(this, nowMs)
  }

  // ---- On the way back --------------------------------------------------------------------------------------

  /**
   * A lane's preparations for this call were out of date. Its connection is in the middle of a read, and pumps after.
   */
  sendAgain(call: Call): void {
    call.renewed = true
    this.#putBack(call)
  }

  /** The peer says that it did nothing for this call. False when it is not sent again. */
  park(call: Call): boolean {
    if (call.state === CallState.Tombstone || this.#host.isClosed()) return false
    // Only the peer's word says that nothing was done, and a script of the peer's may have made that word up.
    const { environment, limits } = this.#host
    if (!this.#takeRetry(call, environment.nowMs())) return false
    call.state = CallState.Queued
    this.#parked.push(call)
    if (this.#parked.count === 1) environment.after(limits.reconnectMinMs, () => this.#unpark())
    return true
  }

  /** The head of this lane is late. Whoever stands behind it and may be executed twice goes to another one. */
  rescue(lane: LiveConnection): void {
    const { environment, settlement } = this.#host
    const nowMs = environment.nowMs()
    const rescued: Call[] = []
    let call = lane.unanswered.first?.next
    while (call !== undefined && call !== lane.unflushed) {
      const following: Call | undefined = call.next
      if (call.state === CallState.Written && this.#mayRetry(call, nowMs)) {
        lane.substitute(call, settlement.ghostOf(call))
        rescued.push(call)
      }
      call = following
    }
    if (rescued.length === 0) return
    // The peer still works on what was taken from it: until it is through, nobody else shall stand behind that.
    lane.isHeld = true
    for (const each of rescued.reverse()) this.#putBack(each)
    this.pump()
  }

  /** What a lost lane owes. */
  takeBack(connection: LiveConnection, error: IoKernelError): void {
    const { settlement, environment } = this.#host
    const nowMs = environment.nowMs()
    const maybe = describeError(error, { sent: 'maybe' })
    const unsent = describeError(error, { sent: 'no' })
    const { unanswered, unflushed } = connection
    const again: Call[] = []
    let fresh = false
    // From the oldest on: what the retry budget has goes to those who have waited longest.
    for (let call = unanswered.shift(); call !== undefined; call = unanswered.shift()) {
      if (call === unflushed) fresh = true
      const isWanted = call.state !== CallState.Tombstone && !this.#host.isClosed()
      if (isWanted && (fresh || this.#mayRetry(call, nowMs))) again.push(call)
      else settlement.fail(call, fresh ? unsent : maybe, nowMs)
    }
    for (const call of again.reverse()) this.#putBack(call)
  }

  /** Nobody will be asked: who waits is told why. */
  fail(error: IoKernelError): void {
    const unsent = describeError(error, { sent: 'no' })
    const maybe = describeError(error, { sent: 'maybe' })
    const nowMs = this.#host.environment.nowMs()
    for (const list of [this.#sharing, this.#alone, this.#parked]) {
      for (let call = list.shift(); call !== undefined; call = list.shift()) {
        this.#host.settlement.fail(call, call.retries === 0 ? unsent : maybe, nowMs)
      }
    }
  }

  /** Writes what there is room for. */
  #pumpFrom(queue: FairQueue, nowMs: number): void {
    const lanes = this.#host.lanes()
    for (let call = queue.peek(); call !== undefined; call = queue.peek()) {
      const right = this.#queueOf(call)
      if (right !== queue) {
        // What is known of it has changed as it waited: it must not stand in the way of others here.
        queue.shift()
        right.push(call)
        this.#moved = true
        continue
      }
      const shares = queue === this.#sharing
      const lane = lanes.choose(call, shares, this, nowMs)
      if (lane === undefined) return
      queue.shift()
      lanes.write(lane, call, shares, nowMs)
    }
  }

  #queueOf(call: Call): FairQueue {
    return this.#scheduler.shares(call) ? this.#sharing : this.#alone
  }

  #putBack(call: Call): void {
    call.state = CallState.Queued
    this.#queueOf(call).unshift(call)
  }

  #unpark(): void {
    for (let call = this.#parked.shift(); call !== undefined; call = this.#parked.shift())
      this.#queueOf(call).push(call)
    this.pump()
  }

  #mayRetry(call: Call, nowMs: number): boolean {
    return call.replyBytes === 0 && this.#takeRetry(call, nowMs)
  }

  #takeRetry(call: Call, nowMs: number): boolean {
    if ((call.flags & CallFlag.Idempotent) === 0 || call.retries >= this.#host.limits.callRetriesMax) return false
    if (!this.#host.budget.take(nowMs)) return false
    call.retries++
    return true
  }
}

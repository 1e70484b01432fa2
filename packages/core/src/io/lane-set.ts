/**
 * The lanes of one upstream: which addresses are tried when, and which lane a call goes to.
 *
 * Rules:
 * 1. When the name moves: connect and handshake the new address, switch, drain the old. A lane to an address that is
 *    gone serves until there is another.
 * 2. An address that fails waits (see `EndpointSet`) while the next one is tried at once; one that does not answer is
 *    not waited for alone: after `ATTEMPT_DELAY_MS` another is tried beside it, and the first to be ready wins.
 * 3. A back-off is ended by a handshake, never by a connect, and begins anew only after a lane that lived.
 * 4. Where no lane has to stay open (`lanesMin` 0), the end of one is the matter of its call. A set without lanes is at
 *    rest: nothing is wrong, and the next call opens one.
 * 5. Elastic lanes gather at one address: what they share, and what role it has, is known of that one. Lanes of a pool
 *    spread over all.
 */

import { CallFlag } from '../channel/records.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { type IoKernelError, LocalError, RefusedError, RemoteError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Call } from './call.ts'
import type { ConnectionOwner } from './connection-owner.ts'
import { EndpointSet } from './endpoint-set.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import { LaneCare, PLANNED_ENDS } from './lane-care.ts'
import type { LiveConnection } from './live-connection.ts'
import { NEVER } from './reply-matcher.ts'
import type { Scheduler, Waiting } from './scheduler.ts'

export interface LaneHost {
  readonly environment: IoEnvironment
  readonly limits: UpstreamLimits
  readonly authority: string
  readonly scheduler: Scheduler
  open(endpoint: Endpoint, owner: ConnectionOwner): LiveConnection
  /** Calls back at once where no credentials are asked for. */
  withCredentials(then: (failure: LocalError | undefined) => void): void
  /** There is a (new) lane. */
  onLaneReady(): void
  /** A lane is gone, or could not be had; its calls are the host's. */
  onLaneClosed(connection: LiveConnection, error: IoKernelError): void
  /** Why there is no lane, or not another one. */
  onTrouble(reason: string): void
  /** There is room on a lane. */
  onRoom(): void
  /** Lanes to these addresses are no longer wanted. */
  onAddressesGone(reason: IoKernelError): void
  onNotExecuted(call: Call): boolean
  onStale(call: Call): void
  /** A push, or a request of the peer's. False when nobody takes it. */
  onUnasked(lane: LiveConnection, bytes: Buffer, start: number, end: number, asks: boolean): boolean
  /** Calls wait for a lane. */
  hasWaiting(): boolean
  /** Takes idempotent calls from behind the head of a lane that is late. */
  rescue(lane: LiveConnection): void
  /** A lane is dropped because of what a call left behind on it. */
  onPolluted(lane: LiveConnection, found: string): void
  /** Lanes go to all addresses, and not to one. */
  readonly spreads: boolean
  /** May one more lane be opened? */
  mayOpenLane(): boolean
  /** Closes a connection that somebody else does not need. False when there is none. */
  makeRoom(): boolean
  /** Callers rely on the order of their calls: lanes are left as they are. */
  readonly ordered: boolean
}

/** RFC 8305 section 5: the next address is tried when the one before has not answered for this long. */
const ATTEMPT_DELAY_MS = 250

export class LaneSet implements ConnectionOwner {
  readonly endpoints: EndpointSet
  readonly #host: LaneHost
  readonly #care: LaneCare
  #lanes: LiveConnection[] = []
  readonly #opening = new Set<LiveConnection>()
  readonly #draining = new Set<LiveConnection>()
  /** Lanes that wait for credentials before they are opened. */
  #asking = 0
  #timer: Timer | undefined
  #closed = false
  /** The last lane ended as it should, and none is needed. */
  #atRest = false

  constructor(host: LaneHost) {
    this.#host = host
    this.#care = new LaneCare({
      environment: host.environment,
      limits: host.limits,
      scheduler: host.scheduler,
      authority: host.authority,
      lanes: () => this.#lanes,
      hasWaiting: () => host.hasWaiting(),
      onRoom: () => host.onRoom(),
      rescue: (lane) => host.rescue(lane),
      onPolluted: (lane, found) => host.onPolluted(lane, found),
    })
    this.endpoints = new EndpointSet(host.limits.reconnectMinMs, host.limits.reconnectMaxMs)
  }

  /** Lanes that were ready and are not closed. */
  get lanes(): readonly LiveConnection[] {
    return this.#lanes
  }

  /** There is no lane, and nothing is wrong: the next call opens one. */
  get atRest(): boolean {
    return this.#atRest && this.#lanes.length === 0
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints.replace(endpoints)
    this.endpoints.forgive()
    this.ensure()
    this.#retireStale()
  }

  /** Open, and on their way. */
  get count(): number {
    return this.#lanes.length + this.#opening.size + this.#asking
  }

  get draining(): number {
    return this.#draining.size
  }

  /** A lane for one more call, or undefined when it has to wait. */
  choose(call: Call, shares: boolean, waiting: Waiting, nowMs: number): LiveConnection | undefined {
    const choice = this.#host.scheduler.choose(call, shares, this.#lanes, waiting, nowMs)
    return choice < 0 ? undefined : this.#lanes[choice]
  }

  write(lane: LiveConnection, call: Call, shares: boolean, nowMs: number): void {
    lane.submit(call, nowMs, !shares)
    if (this.#host.ordered) return
    this.#care.busy()
    // Nothing will answer it: what it leaves behind is looked after now.
    if ((call.flags & CallFlag.Silent) !== 0) this.#care.settled(lane)
  }

  /** Calls have to wait: opens more lanes where the scheduler asks for them. */
  grow(waiting: Waiting, nowMs: number): void {
    if (this.#closed) return
    if (!this.#host.ordered) this.#care.busy()
    const opening = this.#opening.size + this.#asking
    if (!this.#lanes.some((lane) => this.#isCurrent(lane))) return this.ensure()
    let more = this.#host.scheduler.more(waiting, this.#lanes, opening, nowMs)
    for (; more > 0; more--) {
      const endpoint = this.#nextAddress(nowMs)
      if (endpoint === undefined) return
      if (!this.#host.mayOpenLane() && (!this.#host.makeRoom() || !this.#host.mayOpenLane())) return
      this.#openAt(endpoint)
    }
  }

  /** Closes a lane that does nothing, for somebody who needs a connection more. False when there is none. */
  giveUpIdle(): boolean {
    if (this.#lanes.length <= this.#host.scheduler.lanesMin) return false
    const idle = this.#lanes.findLast((lane) => lane.isQuiet && lane.phase === 'ready')
    idle?.retire(new LocalError('LANE_IDLE', 'a session needs the connection more'))
    return idle !== undefined
  }

  /** Nobody waits for this call's reply: a lane that works for nobody goes too, for its peer may take long. */
  abandon(call: Call): void {
    const lane = this.#lanes.find(({ unanswered }) => unanswered === call.list)
    if (lane?.unanswered.isForsaken === true) lane.destroy(ABANDONED)
  }

  /** A lane, where there shall be one. */
  ensure(): void {
    if (!this.#atRest || this.#host.hasWaiting()) this.wake()
  }

  /** A lane, for somebody who waits for one. */
  wake(): void {
    if (this.#closed || this.#asking > 0) return
    if (this.#lanes.some((lane) => this.#isCurrent(lane) && lane.phase === 'ready')) return
    const sinceMs = this.#host.environment.nowMs() - ATTEMPT_DELAY_MS
    // An attempt that hangs, or goes to an address that is gone, is nothing to wait for.
    const isTried = [...this.#opening].some((each) => this.#isCurrent(each) && each.lastHeardMs > sinceMs)
    if (isTried) this.#tryBesideSoon()
    else this.#openOne()
  }

  /** A connection, of whatever purpose, did not come to be: its address waits. */
  noteFailure(connection: LiveConnection, error: IoKernelError): void {
    const { environment } = this.#host
    const nowMs = environment.nowMs()
    const { id } = connection.endpoint
    if (error instanceof RefusedError) this.endpoints.refused(id, nowMs, environment.randomUnit())
    else this.endpoints.failed(id, nowMs, environment.randomUnit())
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#care.stop()
  }

  // ---- ConnectionOwner --------------------------------------------------------------------------------------

  onReady(connection: LiveConnection): void {
    this.#opening.delete(connection)
    this.endpoints.succeeded(connection.endpoint.id)
    const enough = this.#single && this.#lanes.some((lane) => this.#isCurrent(lane))
    if (enough || !this.#isCurrent(connection)) {
      connection.destroy(SURPLUS)
      return this.ensure()
    }
    this.#lanes = [...this.#lanes, connection]
    this.#host.scheduler.connected?.(connection.connectMs)
    if (!this.#host.ordered) this.#care.added(connection)
    this.#retireStale()
    if (this.#single) for (const other of [...this.#opening]) other.destroy(SURPLUS)
    this.#host.onLaneReady()
  }

  onRetiring(connection: LiveConnection): void {
    this.#lanes = this.#lanes.filter((lane) => lane !== connection)
    this.#care.removed(connection)
    this.#draining.add(connection)
    this.ensure()
  }

  /** Another address may be the primary now. Without one there is nothing better, and reads still work here. */
  onRoleLost(connection: LiveConnection): void {
    if (this.endpoints.ids.length < 2) return
    const { environment, authority } = this.#host
    this.endpoints.failed(connection.endpoint.id, environment.nowMs(), environment.randomUnit())
    connection.retire(
      new RemoteError('ROLE_LOST', `${authority} at ${connection.endpoint.id} takes no writes any more`),
    )
  }

  onClosed(connection: LiveConnection, error: IoKernelError): void {
    const wasOpening = this.#opening.delete(connection)
    const wasLane = this.#lanes.includes(connection)
    const mayEnd = wasLane && this.#host.scheduler.lanesMin === 0
    const wasGone = wasOpening && !this.#isCurrent(connection)
    const isPlanned = mayEnd || wasGone || PLANNED_ENDS.includes(error.code)
    if (mayEnd) this.#judge(connection)
    this.#lanes = this.#lanes.filter((lane) => lane !== connection)
    this.#care.removed(connection)
    this.#draining.delete(connection)
    const isNews = error !== SURPLUS && !wasGone && (wasLane || (wasOpening && this.#wasNeeded))
    if (isNews) this.#atRest = isPlanned && this.#host.scheduler.lanesMin === 0
    this.#host.onLaneClosed(connection, error)
    if (this.#closed || error === SURPLUS) return
    if (isPlanned) {
      this.ensure()
    } else if (wasOpening) {
      this.noteFailure(connection, error)
      this.#host.onTrouble(error.message)
      if (this.#opening.size > 0) this.#tryBesideSoon()
      else this.ensure()
    } else if (wasLane) {
      this.#lost(connection)
      this.#host.onTrouble(error.message)
    }
    // Calls that were taken back may go to a lane that is there.
    if (this.#lanes.length > 0) this.#host.onRoom()
  }

  onProgress(connection: LiveConnection): void {
    if (this.#host.ordered || this.#care.settled(connection)) this.#host.onRoom()
  }

  onAnswered(connection: LiveConnection, call: Call): void {
    this.#host.scheduler.answered?.(call, connection, connection.lastHeardMs)
  }

  onDirty(connection: LiveConnection): void {
    if (!this.#host.ordered) this.#care.dirty(connection)
  }

  onStale(_connection: LiveConnection, call: Call): void {
    this.#host.onStale(call)
  }

  onPush(connection: LiveConnection, bytes: Buffer, start: number, end: number): void {
    this.#host.onUnasked(connection, bytes, start, end, false)
  }

  onAsked(connection: LiveConnection, bytes: Buffer, start: number, end: number): boolean {
    return this.#host.onUnasked(connection, bytes, start, end, true)
  }

  onStray(): void {}

  onNotExecuted(_connection: LiveConnection, call: Call): boolean {
    return this.#host.onNotExecuted(call)
  }

  /** An attempt that failed decides something only where no other runs, and somebody waits for it. */
  get #wasNeeded(): boolean {
    return this.#opening.size === 0 && (!this.#atRest || this.#host.hasWaiting())
  }

  /**
   * Where connections come and go, the end of one is its call's matter and no trouble. But an address that breaks them
   * before it has answered anything waits while there is another to go to: else, as the least used, it would get most.
   */
  #judge(lane: LiveConnection): void {
    if (lane.unanswered.count === 0 || hasAnswered(lane)) return
    const { id } = lane.endpoint
    const nowMs = this.#host.environment.nowMs()
    const hasOther = this.endpoints.ids.some((each) => each !== id && this.endpoints.retryAtMs(each) <= nowMs)
    if (hasOther) this.endpoints.failed(id, nowMs, this.#host.environment.randomUnit())
  }

  // ---- Opening ----------------------------------------------------------------------------------------------

  get #single(): boolean {
    return this.#host.scheduler.lanesMax === 1
  }

  /** Where one more lane goes; undefined while the address has to wait. */
  #nextAddress(nowMs: number): Endpoint | undefined {
    if (this.#host.spreads) {
      const used = [...this.#lanes, ...this.#opening].map(({ endpoint }) => endpoint.id)
      return this.endpoints.leastUsed(nowMs, used)
    }
    const first = this.#lanes.find((lane) => this.#isCurrent(lane))?.endpoint
    return first === undefined || this.endpoints.retryAtMs(first.id) > nowMs ? undefined : first
  }

  /** One more at this address. */
  #openAt(endpoint: Endpoint): void {
    this.#asking++
    this.#host.withCredentials((failure) => {
      this.#asking--
      if (this.#closed) return
      if (failure !== undefined) this.#host.onTrouble(failure.message)
      else if (this.endpoints.has(endpoint.id)) this.#opening.add(this.#host.open(endpoint, this))
      // The others may have ended meanwhile.
      this.ensure()
    })
  }

  /** Opens one more lane at the first address that may be tried, or later when all of them wait. */
  #openOne(): void {
    const nowMs = this.#host.environment.nowMs()
    const endpoint = this.endpoints.pick(nowMs, this.#trying())
    if (endpoint === undefined) return this.#tryLater()
    this.#asking++
    this.#host.withCredentials((failure) => {
      this.#asking--
      if (this.#closed) return
      if (failure !== undefined) {
        this.endpoints.failed(endpoint.id, nowMs, this.#host.environment.randomUnit())
        this.#host.onTrouble(failure.message)
        return this.#tryLater()
      }
      this.#opening.add(this.#host.open(endpoint, this))
      this.#tryBesideSoon()
    })
  }

  #tryBesideSoon(): void {
    this.#at(this.#host.environment.nowMs() + ATTEMPT_DELAY_MS, () => this.#tryBeside())
  }

  /** The attempt under way is slow: another address runs beside it, if there is one. */
  #tryBeside(): void {
    if (this.#opening.size > 0 && this.#lanes.length === 0) this.#openOne()
  }

  /** Comes back when an address that is not being tried may be tried again. */
  #tryLater(): void {
    const nextMs = this.endpoints.nextTryMs(this.#trying())
    if (nextMs !== undefined) this.#at(nextMs, () => (this.#opening.size > 0 ? this.#tryBeside() : this.ensure()))
  }

  #at(atMs: number, action: () => void): void {
    const { environment } = this.#host
    this.#timer?.cancel()
    this.#timer = environment.after(Math.max(1, atMs - environment.nowMs()), () => {
      if (!this.#closed) action()
    })
  }

  #trying(): ReadonlySet<string> {
    return new Set([...this.#opening].map(({ endpoint }) => endpoint.id))
  }

  /** One that lived is replaced at once; one that did not makes its address wait. */
  #lost(connection: LiveConnection): void {
    const { environment, limits } = this.#host
    const nowMs = environment.nowMs()
    const { id } = connection.endpoint
    const lived = nowMs - connection.readyAtMs >= limits.reconnectMaxMs
    if (lived || (this.#host.spreads && this.#answers(id, connection))) this.endpoints.provedWell(id)
    else this.endpoints.failed(id, nowMs, environment.randomUnit())
    this.ensure()
  }

  /** Of a pool each call has its connection: that one broke says nothing of an address that has answered others. */
  #answers(id: string, lost: LiveConnection): boolean {
    return hasAnswered(lost) || this.#lanes.some((lane) => hasAnswered(lane) && lane.endpoint.id === id)
  }

  /** Lanes to addresses that the name no longer stands for drain once there is another. */
  #retireStale(): void {
    if (!this.atRest && !this.#lanes.some((lane) => this.#isCurrent(lane))) return
    const gone = new LocalError('ADDRESS_GONE', `${this.#host.authority} moved to other addresses`, { sent: 'maybe' })
    for (const lane of this.#lanes.filter((each) => !this.#isCurrent(each))) lane.retire(gone)
    this.#host.onAddressesGone(gone)
  }

  #isCurrent(connection: LiveConnection): boolean {
    return this.endpoints.has(connection.endpoint.id)
  }
}

/** It has answered a call: its peer is there, and does what it should. */
function hasAnswered({ lastAnsweredMs }: LiveConnection): boolean {
  return lastAnsweredMs !== NEVER
}

const ABANDONED = new LocalError('LANE_ABANDONED', 'the call that the connection worked for was given up')
const SURPLUS = new LocalError('SURPLUS', 'another connection was faster')

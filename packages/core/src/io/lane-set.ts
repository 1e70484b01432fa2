/**
 * The lanes of one upstream: which addresses are tried when, and which lane a call goes to.
 *
 * Rules:
 * 1. When the name moves: connect and handshake the new address, switch, drain the old. A lane to an address that is
 *    gone serves until there is another.
 * 2. An address that fails waits (see `EndpointSet`) while the next one is tried at once; one that does not answer is
 *    not waited for alone: after `ATTEMPT_DELAY_MS` another is tried beside it, and the first to be ready wins.
 * 3. A back-off is ended by a handshake, never by a connect, and begins anew only after a lane that lived.
 */

import type { Endpoint } from '../plugin/discovery.ts'
import { type IoKernelError, LocalError, RefusedError, RemoteError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Call } from './call.ts'
import type { ConnectionOwner } from './connection-owner.ts'
import { EndpointSet } from './endpoint-set.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { LiveConnection } from './live-connection.ts'
import { Choice, type Scheduler } from './scheduler.ts'

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
}

/** RFC 8305 section 5: the next address is tried when the one before has not answered for this long. */
const ATTEMPT_DELAY_MS = 250

export class LaneSet implements ConnectionOwner {
  readonly endpoints: EndpointSet
  readonly #host: LaneHost
  #lanes: LiveConnection[] = []
  readonly #opening = new Set<LiveConnection>()
  /** Lanes that wait for credentials before they are opened. */
  #asking = 0
  #timer: Timer | undefined
  #closed = false

  constructor(host: LaneHost) {
    this.#host = host
    this.endpoints = new EndpointSet(host.limits.reconnectMinMs, host.limits.reconnectMaxMs)
  }

  /** Lanes that were ready and are not closed. */
  get lanes(): readonly LiveConnection[] {
    return this.#lanes
  }

  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.endpoints.replace(endpoints)
    this.endpoints.forgive()
    this.ensure()
    this.#retireStale()
  }

  /** A lane for one more call, or undefined when it has to wait. Opens another lane where the scheduler asks for it. */
  choose(): LiveConnection | undefined {
    const choice = this.#host.scheduler.choose(this.#lanes, this.#opening.size + this.#asking)
    if (choice >= 0) return this.#lanes[choice]
    if (choice === Choice.Open) this.#openOne()
    return undefined
  }

  /** As many lanes as there shall always be. */
  ensure(): void {
    if (this.#closed) return
    const current = this.#lanes.filter((lane) => this.#isCurrent(lane) && lane.phase === 'ready').length
    if (current + this.#opening.size + this.#asking < this.#host.scheduler.lanesMin) this.#openOne()
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
  }

  // ---- ConnectionOwner --------------------------------------------------------------------------------------

  onReady(connection: LiveConnection): void {
    this.#opening.delete(connection)
    this.endpoints.succeeded(connection.endpoint.id)
    const { lanesMin } = this.#host.scheduler
    const enough = this.#single && this.#lanes.filter((lane) => this.#isCurrent(lane)).length >= lanesMin
    if (enough || !this.#isCurrent(connection)) return connection.destroy(SURPLUS)
    this.#lanes = [...this.#lanes, connection]
    this.#retireStale()
    if (this.#single) for (const other of [...this.#opening]) other.destroy(SURPLUS)
    this.#host.onLaneReady()
  }

  onRetiring(connection: LiveConnection): void {
    this.#lanes = this.#lanes.filter((lane) => lane !== connection)
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
    this.#lanes = this.#lanes.filter((lane) => lane !== connection)
    this.#host.onLaneClosed(connection, error)
    if (this.#closed || error === SURPLUS) return
    if (wasOpening) {
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

  onProgress(): void {
    this.#host.onRoom()
  }

  onPush(): void {
    // Pushes on a lane belong to nobody: interests have a connection of their own.
  }

  onStray(): void {}

  onNotExecuted(_connection: LiveConnection, call: Call): boolean {
    return this.#host.onNotExecuted(call)
  }

  // ---- Opening ----------------------------------------------------------------------------------------------

  get #single(): boolean {
    return this.#host.scheduler.lanesMax === 1
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
    if (nowMs - connection.readyAtMs >= limits.reconnectMaxMs) this.endpoints.provedWell(id)
    else this.endpoints.failed(id, nowMs, environment.randomUnit())
    this.ensure()
  }

  /** Lanes to addresses that the name no longer stands for drain once there is another. */
  #retireStale(): void {
    if (!this.#lanes.some((lane) => this.#isCurrent(lane))) return
    const gone = new LocalError('ADDRESS_GONE', `${this.#host.authority} moved to other addresses`, { sent: 'maybe' })
    for (const lane of this.#lanes.filter((each) => !this.#isCurrent(each))) lane.retire(gone)
    this.#host.onAddressesGone(gone)
  }

  #isCurrent(connection: LiveConnection): boolean {
    return this.endpoints.has(connection.endpoint.id)
  }
}

const SURPLUS = new LocalError('SURPLUS', 'another connection was faster')

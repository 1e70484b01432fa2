/**
 * An upstream on the I/O thread: addresses, lanes, and the queue in front of them.
 *
 * Rules:
 * 1. The queue lives here, not in the server: a call is bound to a lane as late as possible, by the scheduler.
 * 2. When the name moves: connect and handshake the new address, switch, drain the old. No call that is not yet written
 *    fails.
 * 3. When a lane is lost: what was not written goes to the next one, unnoticed; what was written fails as `maybe`, or
 *    is sent again where the call is idempotent and the retry budget allows.
 * 4. A back-off is ended by a handshake, not by a connect; and begun anew only after a connection that lived.
 * 5. While there is nobody to ask, calls wait for their deadline in a bounded queue (`whenDown: 'wait'`) or fail at
 *    once. After a refusal (password, permission) they fail with that refusal.
 */
import type { UpstreamConfiguration } from '../channel/messages.ts'
import { CallFlag } from '../channel/records.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { IoProtocol } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { describeError, type IoKernelError, LocalError, RefusedError, RemoteError } from '../plugin/errors.ts'
import type { UpstreamState, UpstreamStatus } from '../plugin/protocol.ts'
import { type Call, CallList, CallState } from './call.ts'
import type { Client } from './client.ts'
import { ConnectionFactory, type FactoryServices, type OpenedConnection } from './connection-factory.ts'
import { Credentials } from './credentials.ts'
import { EndpointSet } from './endpoint-set.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import { InterestHub } from './interest-hub.ts'
import type { ConnectionOwner, LiveConnection, Purpose } from './live-connection.ts'
import { Monitor } from './monitor.ts'
import { RetryBudget } from './retry-budget.ts'
import { Choice, oneLane, pool, type Scheduler } from './scheduler.ts'
import { SessionPool } from './session-pool.ts'
import { Troubles } from './troubles.ts'

/** RFC 8305 section 5: the next address is tried when the one before has not answered for this long. */
const ATTEMPT_DELAY_MS = 250

export class Upstream implements ConnectionOwner {
  readonly configuration: UpstreamConfiguration
  readonly clients: Set<Client> = new Set()
  readonly sessions: SessionPool
  readonly interests: InterestHub
  readonly credentials: Credentials
  /** Stops the name watch; set by who started it. */
  onClose: (() => void) | undefined
  readonly #services: FactoryServices
  readonly #environment: IoEnvironment
  readonly #endpoints: EndpointSet
  readonly #scheduler: Scheduler
  readonly #budget: RetryBudget
  readonly #queue = new CallList()
  /** Calls that the peer did not execute, on their way back into the queue. */
  readonly #parked = new CallList()
  readonly #monitor: Monitor
  readonly #troubles: Troubles
  readonly #factory: ConnectionFactory
  #lanes: LiveConnection[] = []
  readonly #opening = new Set<LiveConnection>()
  #asking = 0
  /** Tries the next address: when a back-off ends, or beside an attempt that is slow. */
  #laneTimer: Timer | undefined
  #lendersTimer: Timer | undefined
  #refusal: RefusedError | undefined
  /** The last failure; shown while no lane is ready. */
  #reason: string | undefined
  /** What the applications were told. */
  #told: UpstreamState = { status: 'connecting', endpoints: [], reason: undefined }
  #closed = false

  constructor(configuration: UpstreamConfiguration, protocol: IoProtocol<Cloneable>, services: FactoryServices) {
    this.configuration = configuration
    this.#services = services
    this.#environment = services.environment
    this.#factory = new ConnectionFactory(configuration, protocol, services, () => this.#attachments())
    const { limits, lanes, authority } = configuration
    this.#endpoints = new EndpointSet(limits.reconnectMinMs, limits.reconnectMaxMs)
    this.#scheduler = lanes === 'one' ? oneLane : pool(limits.lanesMax)
    this.#budget = new RetryBudget(limits.retryPercent, limits.retriesPerSecond, this.#environment.nowMs())
    this.#troubles = new Troubles(authority, this.#environment)
    this.credentials = new Credentials(this.#environment, limits.handshakeTimeoutMs, () => this.#askCredentials())
    const shared = {
      environment: this.#environment,
      limits,
      authority,
      settlement: services.settlement,
      endpoint: () => this.#endpointInUse(),
      onOpenFailed: (connection: LiveConnection, error: IoKernelError) => this.#openFailed(connection, error),
    }
    this.sessions = new SessionPool({
      ...shared,
      open: (endpoint, owner) => this.#open('session', endpoint, owner),
      onPush: () => undefined,
    })
    this.interests = new InterestHub({ ...shared, open: (endpoint, owner) => this.#open('push', endpoint, owner) })
    this.#monitor = new Monitor({
      ...shared,
      serial: lanes === 'one',
      watched: () => this.#lanes[0]?.endpoint,
      lanes: () => this.#lanes,
      open: (endpoint, owner) => this.#open('monitor', endpoint, owner),
      giveUp: (lane, reason) =>
        lane.destroy(new RemoteError('LANE_SILENT', `${authority} at ${lane.endpoint.id}: ${reason}`)),
    })
  }

  /** Bytes were handed to a socket and have not left. */
  get hasUnsent(): boolean {
    return this.#factory.hasUnsent
  }

  addClient(client: Client): void {
    this.clients.add(client)
    this.#factory.introduceAll(client.attachment)
    client.attachment.event({ type: 'state', target: client.target, state: this.#told })
  }

  // ---- Calls ----------------------------------------------------------------------------------------------

  submit(call: Call, nowMs: number): void {
    this.#budget.earn(1)
    if ((call.flags & CallFlag.Exclusive) !== 0) {
      const error = this.#reasonToFail()
      if (error !== undefined) return this.#services.settlement.fail(call, describeError(error, { sent: 'no' }), nowMs)
      return this.sessions.borrowFor(call)
    }
    if (this.#queue.first === undefined) {
      const choice = this.#scheduler.choose(this.#lanes, this.#opening.size)
      if (choice >= 0) return (this.#lanes[choice] as LiveConnection).submit(call, nowMs)
      if (choice === Choice.Open) this.#openLane()
    }
    const error = this.#reasonToFail()
    if (error !== undefined) return this.#services.settlement.fail(call, describeError(error, { sent: 'no' }), nowMs)
    call.state = CallState.Queued
    this.#queue.push(call)
  }

  onProgress(): void {
    if (this.#queue.first !== undefined) this.#pump()
  }

  // ---- Names ----------------------------------------------------------------------------------------------

  onEndpoints(endpoints: readonly Endpoint[]): void {
    if (this.#closed) return
    this.#endpoints.replace(endpoints)
    this.#endpoints.forgive()
    this.#ensureLanes()
    this.#retireStale()
    this.#tellState()
  }

  onTrouble(reason: string): void {
    if (this.#closed || !this.#endpoints.isEmpty) return
    this.#setReason(reason)
    this.#failIfDown()
  }

  // ---- ConnectionOwner of the lanes -----------------------------------------------------------------------

  onReady(connection: LiveConnection): void {
    this.#opening.delete(connection)
    this.#refusal = undefined
    this.#endpoints.succeeded(connection.endpoint.id)
    // Of several attempts that ran side by side, the first wins where one lane is all there may be.
    const surplus = this.configuration.lanes === 'one' && this.#lanes.some((lane) => this.#isCurrent(lane.endpoint.id))
    if (surplus || !this.#isCurrent(connection.endpoint.id)) {
      connection.destroy(new LocalError('SURPLUS', 'another connection was faster'))
      return
    }
    this.#lanes = [...this.#lanes, connection]
    this.#retireStale()
    for (const other of [...this.#opening]) {
      if (this.configuration.lanes === 'one') other.destroy(new LocalError('SURPLUS', 'another connection was faster'))
    }
    this.#reason = undefined
    this.#troubles.over()
    this.#tellState()
    this.#pump()
    this.sessions.pump()
    this.interests.pump()
  }

  onClosed(connection: LiveConnection, error: IoKernelError): void {
    const wasOpening = this.#opening.delete(connection)
    const wasLane = this.#lanes.includes(connection)
    this.#lanes = this.#lanes.filter((lane) => lane !== connection)
    this.#takeBack(connection, error)
    if (this.#closed) return
    if (wasOpening && error.code !== 'SURPLUS') this.#openFailed(connection, error)
    else if (wasLane) {
      this.#setReason(error.message)
      this.#laneLost(connection)
      this.#tellState()
    }
  }

  onPush(): void {
    // Pushes on a lane belong to nobody: interests have a connection of their own.
  }

  onStray(): void {}

  onNotExecuted(_connection: LiveConnection, call: Call): boolean {
    const nowMs = this.#environment.nowMs()
    if (call.state === CallState.Tombstone || this.#closed || !this.#budget.take(nowMs)) return false
    call.retries++
    call.state = CallState.Queued
    // Not in the same breath: the peer has just said that it cannot.
    this.#parked.push(call)
    if (this.#parked.count === 1)
      this.#environment.after(this.configuration.limits.reconnectMinMs, () => this.#unpark())
    return true
  }

  // ---- End ------------------------------------------------------------------------------------------------

  /** Nobody uses it any more, or the kernel closes. What is left is rejected. */
  close(error: IoKernelError): void {
    if (this.#closed) return
    this.#closed = true
    this.onClose?.()
    this.#laneTimer?.cancel()
    this.#lendersTimer?.cancel()
    this.#monitor.stop()
    this.#failQueue(error)
    this.sessions.close(error)
    this.interests.close(error)
    this.#factory.closeAll(error)
    this.#tellState()
  }

  // ---- Lanes ----------------------------------------------------------------------------------------------

  #pump(): void {
    const nowMs = this.#environment.nowMs()
    while (this.#queue.first !== undefined) {
      const choice = this.#scheduler.choose(this.#lanes, this.#opening.size)
      if (choice === Choice.Open) this.#openLane()
      if (choice < 0) return
      ;(this.#lanes[choice] as LiveConnection).submit(this.#queue.shift() as Call, nowMs)
    }
  }

  #unpark(): void {
    for (let call = this.#parked.shift(); call !== undefined; call = this.#parked.shift()) this.#queue.push(call)
    this.#pump()
  }

  #ensureLanes(): void {
    if (this.#closed) return
    const current = this.#lanes.filter((lane) => this.#isCurrent(lane.endpoint.id) && lane.phase === 'ready').length
    if (current + this.#opening.size + this.#asking < this.#scheduler.lanesMin) this.#openLane()
  }

  /** Opens one more lane at the first address that may be tried, or later when all of them wait. */
  #openLane(): void {
    const nowMs = this.#environment.nowMs()
    const endpoint = this.#endpoints.pick(nowMs, this.#trying())
    if (endpoint === undefined) return this.#tryLater()
    this.#asking++
    this.#withCredentials((failure) => {
      this.#asking--
      if (this.#closed) return
      if (failure !== undefined) {
        this.#endpoints.failed(endpoint.id, nowMs, this.#environment.randomUnit())
        this.#setReason(failure.message)
        return this.#tryLater()
      }
      this.#opening.add(this.#open('lane', endpoint, this).connection)
      this.#tellState()
      this.#at(this.#environment.nowMs() + ATTEMPT_DELAY_MS, () => this.#tryBeside())
    })
  }

  /** The attempt under way is slow: another address runs beside it, if there is one. */
  #tryBeside(): void {
    if (this.#opening.size > 0 && this.#lanes.length === 0) this.#openLane()
  }

  /** Comes back when an address that is not being tried may be tried again. */
  #tryLater(): void {
    const nextMs = this.#endpoints.nextTryMs(this.#trying())
    if (nextMs !== undefined) this.#at(nextMs, () => (this.#opening.size > 0 ? this.#tryBeside() : this.#ensureLanes()))
  }

  #at(atMs: number, action: () => void): void {
    this.#laneTimer?.cancel()
    this.#laneTimer = this.#environment.after(Math.max(1, atMs - this.#environment.nowMs()), () => {
      if (!this.#closed) action()
    })
  }

  #trying(): ReadonlySet<string> {
    return new Set([...this.#opening].map(({ endpoint }) => endpoint.id))
  }

  /** A connection, of whatever purpose, did not come to be. */
  #openFailed(connection: LiveConnection, error: IoKernelError): void {
    const nowMs = this.#environment.nowMs()
    const unit = this.#environment.randomUnit()
    const { id } = connection.endpoint
    if (error instanceof RefusedError) {
      this.#refusal = error
      this.#endpoints.refused(id, nowMs, unit)
      this.#failQueue(error)
      this.sessions.failWaiting(error)
    } else {
      this.#endpoints.failed(id, nowMs, unit)
    }
    this.#setReason(error.message)
    this.#failIfDown()
    if (connection.purpose === 'lane') return this.#ensureLanes()
    this.#lendersTimer?.cancel()
    this.#lendersTimer = this.#environment.after(Math.max(1, this.#endpoints.retryAtMs(id) - nowMs), () => {
      this.sessions.pump()
      this.interests.pump()
    })
  }

  /**
   * A lane was lost that had been ready. One that lived is replaced at once; one that did not makes its address wait.
   */
  #laneLost(connection: LiveConnection): void {
    const nowMs = this.#environment.nowMs()
    const { id } = connection.endpoint
    if (nowMs - connection.readyAtMs >= this.configuration.limits.reconnectMaxMs) this.#endpoints.provedWell(id)
    else this.#endpoints.failed(id, nowMs, this.#environment.randomUnit())
    this.#ensureLanes()
  }

  /** Lanes to addresses that the name no longer stands for: they drain once there is another. */
  #retireStale(): void {
    const reason = new LocalError('ADDRESS_GONE', `${this.configuration.authority} moved to other addresses`, {
      sent: 'maybe',
    })
    if (!this.#lanes.some((lane) => this.#isCurrent(lane.endpoint.id))) return
    const stale = this.#lanes.filter((lane) => !this.#isCurrent(lane.endpoint.id))
    this.#lanes = this.#lanes.filter((lane) => this.#isCurrent(lane.endpoint.id))
    for (const lane of stale) lane.retire(reason)
    this.sessions.retireExcept((id) => this.#isCurrent(id), reason)
    this.interests.retireExcept((id) => this.#isCurrent(id), reason)
  }

  /** Calls of a lost lane: unwritten ones first in the queue again, idempotent ones too, the others rejected. */
  #takeBack(connection: LiveConnection, error: IoKernelError): void {
    const { settlement } = this.#services
    const nowMs = this.#environment.nowMs()
    const maybe = describeError(error, { sent: 'maybe' })
    const { unanswered, unflushed } = connection
    const rejected: Call[] = []
    let fresh = unflushed !== undefined
    for (let call = unanswered.last; call !== undefined; call = unanswered.last) {
      unanswered.remove(call)
      const again = fresh || this.#mayRetry(call, nowMs)
      if (call === unflushed) fresh = false
      if (call.state === CallState.Tombstone || !again || this.#closed) {
        rejected.push(call)
        continue
      }
      call.state = CallState.Queued
      this.#queue.unshift(call)
    }
    for (const call of rejected.reverse()) settlement.fail(call, maybe, nowMs)
    this.#failIfDown()
  }

  #mayRetry(call: Call, nowMs: number): boolean {
    if (call.state === CallState.Tombstone || call.replyBytes > 0) return false
    if ((call.flags & CallFlag.Idempotent) === 0 || !this.#budget.take(nowMs)) return false
    call.retries++
    return true
  }

  #open(purpose: Purpose, endpoint: Endpoint, owner: ConnectionOwner): OpenedConnection {
    return this.#factory.open(purpose, endpoint, this.credentials.last, owner)
  }

  *#attachments(): Generator<Client['attachment']> {
    yield* new Set([...this.clients].map(({ attachment }) => attachment))
  }

  #endpointInUse(): Endpoint | undefined {
    const nowMs = this.#environment.nowMs()
    const lane = this.#lanes[0]
    if (lane !== undefined) return this.#endpoints.retryAtMs(lane.endpoint.id) <= nowMs ? lane.endpoint : undefined
    // Credentials are asked for by lanes: without one, nobody else gets in.
    return this.configuration.asksCredentials ? undefined : this.#endpoints.pick(nowMs, NONE)
  }

  #isCurrent(endpointId: string): boolean {
    return this.#endpoints.has(endpointId)
  }

  // ---- Credentials, state and refusals --------------------------------------------------------------------

  #withCredentials(then: (failure: LocalError | undefined) => void): void {
    if (!this.configuration.asksCredentials) return then(undefined)
    this.credentials.get((_value, failure) => then(failure))
  }

  #askCredentials(): void {
    for (const client of this.clients) {
      client.attachment.event({ type: 'credentials-wanted', target: client.target })
      return
    }
  }

  #status(): UpstreamStatus {
    if (this.#closed) return 'closed'
    if (this.#lanes.length > 0) return 'ready'
    return this.#reason === undefined ? 'connecting' : 'down'
  }

  #setReason(reason: string): void {
    this.#reason = reason
    this.#tellState()
    if (this.#status() !== 'down') return
    const heard = [...this.clients].some(({ listening }) => listening)
    this.#troubles.report(reason, heard)
  }

  #tellState(): void {
    const status = this.#status()
    const endpoints = this.#endpoints.ids
    const reason = status === 'ready' ? undefined : this.#reason
    const before = this.#told
    this.#told = { status, endpoints, reason }
    if (before.status === status && before.reason === reason && before.endpoints.join() === endpoints.join()) return
    for (const { attachment, target } of this.clients) attachment.event({ type: 'state', target, state: this.#told })
  }

  /** Why a call that cannot be written now should not wait; undefined when it should. */
  #reasonToFail(): IoKernelError | undefined {
    if (this.#lanes.length > 0)
      return this.#queue.count >= this.configuration.limits.queueMax ? this.#queueFull() : undefined
    if (this.#refusal !== undefined) return this.#refusal
    if (this.configuration.whenDown === 'fail' && this.#status() === 'down') return this.#down()
    return this.#queue.count >= this.configuration.limits.queueMax ? this.#queueFull() : undefined
  }

  #failIfDown(): void {
    if (this.configuration.whenDown !== 'fail' || this.#status() !== 'down') return
    this.#failQueue(this.#down())
    this.sessions.failWaiting(this.#down())
  }

  #failQueue(error: IoKernelError): void {
    const described = describeError(error, { sent: 'no' })
    const nowMs = this.#environment.nowMs()
    for (const list of [this.#queue, this.#parked]) {
      for (let call = list.shift(); call !== undefined; call = list.shift())
        this.#services.settlement.fail(call, described, nowMs)
    }
  }

  #down(): RemoteError {
    const { authority } = this.configuration
    return new RemoteError('UPSTREAM_DOWN', `${authority} cannot be reached: ${this.#reason ?? 'no address'}`, {
      sent: 'no',
      upstream: authority,
    })
  }

  #queueFull(): LocalError {
    const { authority, limits } = this.configuration
    return new LocalError('QUEUE_LIMIT', `${limits.queueMax} calls already wait for ${authority} (queueMax)`, {
      upstream: authority,
    })
  }
}

const NONE: ReadonlySet<string> = new Set()

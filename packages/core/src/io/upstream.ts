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
import type { EventMessage, UpstreamConfiguration } from '../channel/messages.ts'
import { CallFlag } from '../channel/records.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { IoProtocol } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { describeError, type IoKernelError, LocalError, RefusedError, RemoteError } from '../plugin/errors.ts'
import type { UpstreamState, UpstreamStatus } from '../plugin/protocol.ts'
import type { Attachment } from './attachment.ts'
import { type Call, CallList, CallState } from './call.ts'
import type { Client } from './client.ts'
import { ConnectionFactory, type FactoryServices, type OpenedConnection } from './connection-factory.ts'
import type { ConnectionOwner, Purpose } from './connection-owner.ts'
import { Credentials } from './credentials.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import { InterestHub } from './interest-hub.ts'
import { LaneSet } from './lane-set.ts'
import type { LiveConnection } from './live-connection.ts'
import { Monitor } from './monitor.ts'
import { RetryBudget } from './retry-budget.ts'
import { oneLane, pool } from './scheduler.ts'
import { SessionPool } from './session-pool.ts'
import { Troubles } from './troubles.ts'

export class Upstream {
  readonly configuration: UpstreamConfiguration
  readonly clients: Set<Client> = new Set()
  readonly sessions: SessionPool
  readonly interests: InterestHub
  readonly credentials: Credentials
  /** Stops the name watch; set by who started it. */
  onClose: (() => void) | undefined
  readonly #services: FactoryServices
  readonly #environment: IoEnvironment
  readonly #budget: RetryBudget
  readonly #queue = new CallList()
  /** Calls that the peer did not execute, on their way back into the queue. */
  readonly #parked = new CallList()
  readonly #monitor: Monitor
  readonly #troubles: Troubles
  readonly #factory: ConnectionFactory
  readonly #lanes: LaneSet
  /** Sessions and interests whose address has to wait. */
  #retryTimer: Timer | undefined
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
    this.#lanes = new LaneSet({
      ...shared,
      scheduler: lanes === 'one' ? oneLane : pool(limits.lanesMax),
      open: (endpoint, owner) => this.#open('lane', endpoint, owner).connection,
      withCredentials: (then) => this.#withCredentials(then),
      onLaneReady: () => this.#onLaneReady(),
      onLaneClosed: (connection, error) => this.#onLaneClosed(connection, error),
      onTrouble: (reason) => this.#setReason(reason),
      onRoom: () => this.#pump(),
      onAddressesGone: (reason) => this.#onAddressesGone(reason),
      onNotExecuted: (call) => this.#onNotExecuted(call),
    })
    this.sessions = new SessionPool({
      ...shared,
      open: (endpoint, owner) => this.#open('session', endpoint, owner),
    })
    this.interests = new InterestHub({ ...shared, open: (endpoint, owner) => this.#open('push', endpoint, owner) })
    this.#monitor = new Monitor({
      ...shared,
      serial: lanes === 'one',
      watched: () => this.#lanes.lanes[0]?.endpoint,
      lanes: () => this.#lanes.lanes,
      open: (endpoint, owner) => this.#open('monitor', endpoint, owner),
      giveUp: (lane, reason) =>
        lane.destroy(new RemoteError('LANE_SILENT', `${authority} at ${lane.endpoint.id}: ${reason}`)),
    })
  }

  /** Why calls wait; undefined while there is a lane. */
  get trouble(): string | undefined {
    return this.#lanes.lanes.length > 0 ? undefined : this.#reason
  }

  /** Bytes were handed to a socket and have not left. */
  get hasUnsent(): boolean {
    return this.#factory.hasUnsent
  }

  addClient(client: Client): void {
    this.clients.add(client)
    this.#factory.introduceAll(client.attachment)
    client.attachment.event(this.#stateFor(client.target))
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
      const lane = this.#lanes.choose()
      if (lane !== undefined) return lane.submit(call, nowMs)
    }
    const error = this.#reasonToFail()
    if (error !== undefined) return this.#services.settlement.fail(call, describeError(error, { sent: 'no' }), nowMs)
    call.state = CallState.Queued
    this.#queue.push(call)
  }

  addInterest(attachment: Attachment, interest: number, key: string, resumed: boolean): void {
    const error = resumed ? undefined : this.#reasonToFail()
    if (error === undefined) return this.interests.add(attachment, interest, key, resumed)
    attachment.event({ type: 'interest-failed', interest, error: describeError(error, { sent: 'no' }) })
  }

  // ---- Names ----------------------------------------------------------------------------------------------

  onEndpoints(endpoints: readonly Endpoint[]): void {
    if (this.#closed) return
    this.#lanes.setEndpoints(endpoints)
    this.#tellState()
  }

  onTrouble(reason: string): void {
    if (this.#closed || !this.#lanes.endpoints.isEmpty) return
    this.#setReason(reason)
  }

  // ---- End ------------------------------------------------------------------------------------------------

  /** Nobody uses it any more, or the kernel closes. What is left is rejected. */
  close(error: IoKernelError): void {
    if (this.#closed) return
    this.#closed = true
    this.onClose?.()
    this.#lanes.close()
    this.#retryTimer?.cancel()
    this.#monitor.stop()
    this.#failQueue(error)
    this.sessions.close(error)
    this.interests.close(error)
    this.#factory.closeAll(error)
    this.#tellState()
  }

  // ---- Lanes ------------------------------------------------------------------------------------------------

  #onLaneReady(): void {
    this.#refusal = undefined
    this.#reason = undefined
    this.#troubles.over()
    this.#tellState()
    this.#pump()
    this.sessions.pump()
    this.interests.pump()
  }

  #onLaneClosed(connection: LiveConnection, error: IoKernelError): void {
    if (error instanceof RefusedError) this.#refuse(error)
    this.#takeBack(connection, error)
    this.#tellState()
    this.#failIfDown()
  }

  #onAddressesGone(reason: IoKernelError): void {
    const isCurrent = (id: string): boolean => this.#lanes.endpoints.has(id)
    this.sessions.retireExcept(isCurrent, reason)
    this.interests.retireExcept(isCurrent, reason)
  }

  #onNotExecuted(call: Call): boolean {
    const nowMs = this.#environment.nowMs()
    if (call.state === CallState.Tombstone || this.#closed) return false
    // Only the peer's word says that nothing was done, and a script of the peer's may have made that word up.
    if ((call.flags & CallFlag.Idempotent) === 0 || !this.#budget.take(nowMs)) return false
    call.retries++
    call.state = CallState.Queued
    // Not in the same breath: the peer has just said that it cannot.
    this.#parked.push(call)
    const { reconnectMinMs } = this.configuration.limits
    if (this.#parked.count === 1) this.#environment.after(reconnectMinMs, () => this.#unpark())
    return true
  }

  #unpark(): void {
    for (let call = this.#parked.shift(); call !== undefined; call = this.#parked.shift()) this.#queue.push(call)
    this.#pump()
  }

  #pump(): void {
    if (this.#queue.first === undefined) return
    const nowMs = this.#environment.nowMs()
    for (let lane = this.#lanes.choose(); lane !== undefined; lane = this.#lanes.choose()) {
      lane.submit(this.#queue.shift() as Call, nowMs)
      if (this.#queue.first === undefined) return
    }
  }

  /** A session or a push connection did not come to be. */
  #openFailed(connection: LiveConnection, error: IoKernelError): void {
    if (error instanceof RefusedError) this.#refuse(error)
    this.#lanes.noteFailure(connection, error)
    this.#setReason(error.message)
    this.#retryTimer?.cancel()
    const waitMs = this.#lanes.endpoints.retryAtMs(connection.endpoint.id) - this.#environment.nowMs()
    this.#retryTimer = this.#environment.after(Math.max(1, waitMs), () => {
      this.sessions.pump()
      this.interests.pump()
    })
  }

  /** The peer will not let us in: whoever waits is told so, instead of that time has passed. */
  #refuse(error: RefusedError): void {
    this.#refusal = error
    this.#failQueue(error)
    this.sessions.failWaiting(error)
    this.interests.failWaiting(error)
  }

  /** Calls of a lost lane: unwritten ones first in the queue again, idempotent ones too, the others rejected. */
  #takeBack(connection: LiveConnection, error: IoKernelError): void {
    const { settlement } = this.#services
    const nowMs = this.#environment.nowMs()
    const maybe = describeError(error, { sent: 'maybe' })
    const unsent = describeError(error, { sent: 'no' })
    const { unanswered, unflushed } = connection
    const again: Call[] = []
    let fresh = false
    // From the oldest on: what the retry budget has goes to those who have waited longest.
    for (let call = unanswered.shift(); call !== undefined; call = unanswered.shift()) {
      if (call === unflushed) fresh = true
      const retry = call.state !== CallState.Tombstone && !this.#closed && (fresh || this.#mayRetry(call, nowMs))
      if (retry) again.push(call)
      else settlement.fail(call, fresh ? unsent : maybe, nowMs)
    }
    for (const call of again.reverse()) {
      call.state = CallState.Queued
      this.#queue.unshift(call)
    }
  }

  #mayRetry(call: Call, nowMs: number): boolean {
    if (call.replyBytes > 0) return false
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

  /** Where sessions, interests and probes go. */
  #endpointInUse(): Endpoint | undefined {
    const { lanes, endpoints } = this.#lanes
    const nowMs = this.#environment.nowMs()
    const lane = lanes[0]
    if (lane !== undefined) return endpoints.retryAtMs(lane.endpoint.id) <= nowMs ? lane.endpoint : undefined
    // Credentials are asked for by lanes: without one, nobody else gets in.
    return this.configuration.asksCredentials ? undefined : endpoints.pick(nowMs, NONE)
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
    if (this.#lanes.lanes.length > 0) return 'ready'
    return this.#reason === undefined ? 'connecting' : 'down'
  }

  #setReason(reason: string): void {
    this.#reason = reason
    this.#tellState()
    this.#failIfDown()
    if (this.#status() !== 'down') return
    const heard = [...this.clients].some(({ listening }) => listening)
    this.#troubles.report(reason, heard)
  }

  #tellState(): void {
    const status = this.#status()
    const endpoints = this.#lanes.endpoints.ids
    const reason = status === 'ready' ? undefined : this.#reason
    const before = this.#told
    this.#told = { status, endpoints, reason }
    if (before.status === status && before.reason === reason && before.endpoints.join() === endpoints.join()) return
    for (const { attachment, target } of this.clients) attachment.event(this.#stateFor(target))
  }

  #stateFor(target: number): EventMessage {
    const refusal = this.#refusal === undefined ? undefined : describeError(this.#refusal)
    return { type: 'state', target, state: this.#told, refusal }
  }

  /** Why a call that cannot be written now should not wait; undefined when it should. */
  #reasonToFail(): IoKernelError | undefined {
    if (this.#lanes.lanes.length === 0) {
      if (this.#refusal !== undefined) return this.#refusal
      if (this.configuration.whenDown === 'fail' && this.#status() === 'down') return this.#down()
    }
    return this.#queue.count >= this.configuration.limits.queueMax ? this.#queueFull() : undefined
  }

  #failIfDown(): void {
    if (this.configuration.whenDown !== 'fail' || this.#status() !== 'down') return
    this.#failQueue(this.#down())
    this.sessions.failWaiting(this.#down())
    this.interests.failWaiting(this.#down())
  }

  #failQueue(error: IoKernelError): void {
    const unsent = describeError(error, { sent: 'no' })
    const maybe = describeError(error, { sent: 'maybe' })
    const nowMs = this.#environment.nowMs()
    for (const list of [this.#queue, this.#parked]) {
      for (let call = list.shift(); call !== undefined; call = list.shift()) {
        this.#services.settlement.fail(call, call.retries === 0 ? unsent : maybe, nowMs)
      }
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

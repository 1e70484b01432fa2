/**
 * An upstream on the I/O thread: addresses, lanes, and the queue in front of them.
 *
 * Rules:
 * 1. The queue lives here (`lane-calls.ts`), not in the server: a call is bound to a lane as late as possible, by the
 *    scheduler.
 * 2. When the name moves: connect and handshake the new address, switch, drain the old. No call that is not yet written
 *    fails.
 * 3. A back-off is ended by a handshake, not by a connect; and begun anew only after a connection that lived.
 * 4. While there is nobody to ask, calls wait for their deadline in a bounded queue (`whenDown: 'wait'`) or fail at
 *    once. After a refusal (password, permission) they fail with that refusal.
 */
import type { EventMessage, UpstreamConfiguration } from '../channel/messages.ts'
import { CallFlag, PRIORITIES } from '../channel/records.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { IoProtocol } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { describeError, type IoKernelError, LocalError, RefusedError, RemoteError } from '../plugin/errors.ts'
import type { UpstreamState, UpstreamStatus } from '../plugin/protocol.ts'
import type { Attachment } from './attachment.ts'
import type { Call } from './call.ts'
import type { Client } from './client.ts'
import { ConnectionBudget } from './connection-budget.ts'
import { ConnectionFactory, type FactoryServices, type OpenedConnection } from './connection-factory.ts'
import type { ConnectionOwner, Purpose } from './connection-owner.ts'
import { Credentials } from './credentials.ts'
import { ElasticLanes } from './elastic.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import { InterestHub } from './interest-hub.ts'
import { LaneCalls } from './lane-calls.ts'
import { type Interests, LaneInterests } from './lane-interests.ts'
import { LaneSet } from './lane-set.ts'
import type { LiveConnection } from './live-connection.ts'
import { Monitor } from './monitor.ts'
import { RetryBudget } from './retry-budget.ts'
import { oneLane, pool, type Scheduler } from './scheduler.ts'
import { ServiceTimes } from './service-times.ts'
import { SessionPool } from './session-pool.ts'
import { Troubles } from './troubles.ts'

export class Upstream {
  readonly configuration: UpstreamConfiguration
  readonly clients: Set<Client> = new Set()
  readonly sessions: SessionPool
  readonly interests: Interests
  readonly credentials: Credentials
  /** Stops the name watch; set by who started it. */
  onClose: (() => void) | undefined
  readonly #services: FactoryServices
  readonly #environment: IoEnvironment
  readonly #budget: RetryBudget
  readonly #calls: LaneCalls
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
      onUnasked: (from: LiveConnection, bytes: Buffer, start: number, end: number, asks: boolean) =>
        this.interests.unasked(from, bytes, start, end, asks),
    }
    const connections = new ConnectionBudget(limits, () => ({
      lanes: this.#lanes.count,
      draining: this.#lanes.draining,
      sessions: this.sessions.count,
    }))
    const scheduler = schedulerFor(configuration, connections)
    const lifecycle = { budget: this.#budget, lanes: () => this.#lanes, isClosed: () => this.#closed }
    this.#calls = new LaneCalls({ ...shared, ...lifecycle, scheduler })
    this.#lanes = new LaneSet({
      ...shared,
      scheduler,
      spreads: lanes === 'pool',
      ordered: lanes === 'one',
      mayOpenLane: () => connections.mayOpenLane(),
      makeRoom: () => this.sessions.giveUpIdle(),
      hasWaiting: () => !this.#calls.isEmpty,
      rescue: (lane) => this.#calls.rescue(lane),
      onPolluted: (lane, found) => this.#onPolluted(lane, found),
      onStale: (call) => this.#calls.sendAgain(call),
      open: (endpoint, owner) => this.#open('lane', endpoint, owner).connection,
      withCredentials: (then) => this.#withCredentials(then),
      onLaneReady: () => this.#onLaneReady(),
      onLaneClosed: (connection, error) => this.#onLaneClosed(connection, error),
      onTrouble: (reason) => this.#setReason(reason),
      onRoom: () => {
        this.#calls.pump()
        if (this.sessions.isWaiting) this.sessions.pump()
      },
      onAddressesGone: (reason) => this.#onAddressesGone(reason),
      onNotExecuted: (call) => this.#calls.park(call),
    })
    this.sessions = new SessionPool({
      ...shared,
      mayOpen: () => connections.mayOpenSession(),
      makeRoom: () => this.#lanes.giveUpIdle(),
      openCancel: (endpoint, owner, token) =>
        this.#factory.open('cancel', endpoint, this.credentials.last, owner, token).connection,
      open: (endpoint, owner) => this.#open('session', endpoint, owner),
    })
    this.interests = configuration.unasked
      ? new LaneInterests({ ...shared, hasLane: () => this.#lanes.lanes.length > 0 })
      : new InterestHub({ ...shared, open: (endpoint, owner) => this.#open('push', endpoint, owner) })
    this.#monitor = new Monitor({
      ...shared,
      serial: lanes === 'one' && !configuration.correlated,
      watched: () => this.#lanes.lanes[0]?.endpoint,
      lanes: () => this.#lanes.lanes,
      canProbe: (endpoint) => this.#factory.canProbe(endpoint),
      open: (endpoint, owner) => this.#open('monitor', endpoint, owner),
      roleLost: (lane) => this.#lanes.onRoleLost(lane),
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
    if ((call.flags & CallFlag.Answer) !== 0) return this.#answer(call, nowMs)
    // Without sharing, whatever a call may do is undone before the next one.
    if (this.configuration.limits.lanesMax === 0) call.flags |= CallFlag.Taints
    if ((call.flags & CallFlag.Exclusive) !== 0) {
      const error = this.#reasonToFail()
      if (error !== undefined) return this.#services.settlement.fail(call, describeError(error, { sent: 'no' }), nowMs)
      return this.sessions.borrowFor(call)
    }
    if (this.#calls.write(call, nowMs)) return
    const error = this.#reasonToFail()
    if (error !== undefined) return this.#services.settlement.fail(call, describeError(error, { sent: 'no' }), nowMs)
    // Where callers rely on the order of their calls, all of them wait in one line.
    if (this.configuration.lanes === 'one') call.priority = NORMAL
    this.#calls.wait(call, nowMs)
  }

  /** A call on a lane was settled early, and nobody waits for its reply. */
  abandon(call: Call): void {
    if (this.configuration.lanes === 'pool') this.#lanes.abandon(call)
  }

  /** It goes where the question came from, or nowhere. */
  #answer(call: Call, nowMs: number): void {
    const connection = this.#factory.writable(call.fingerprint)
    if (connection !== undefined) return connection.submit(call, nowMs)
    const gone = new RemoteError('CONNECTION_LOST', 'the connection that the request came over is gone')
    this.#services.settlement.fail(call, describeError(gone, { sent: 'no' }), nowMs)
  }

  addInterest(attachment: Attachment, interest: number, key: string, resumed: boolean, answers: boolean): void {
    const error = resumed ? undefined : this.#reasonToFail()
    if (error === undefined) return this.interests.add(attachment, interest, key, resumed, answers)
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
    this.#calls.fail(error)
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
    this.#calls.pump()
    this.sessions.pump()
    this.interests.pump()
  }

  #onLaneClosed(connection: LiveConnection, error: IoKernelError): void {
    // Where there are lanes, one more that was refused is no news to those who wait.
    if (error instanceof RefusedError && this.#lanes.lanes.length === 0) this.#refuse(error)
    this.#calls.takeBack(connection, error)
    if (connection.readyAtMs > 0) this.interests.laneLost()
    // What failed while all was well is no reason for what comes.
    if (this.#told.status === 'ready') this.#reason = undefined
    this.#tellState()
    this.#failIfDown()
  }

  #onAddressesGone(reason: IoKernelError): void {
    const isCurrent = (id: string): boolean => this.#lanes.endpoints.has(id)
    this.sessions.retireExcept(isCurrent, reason)
    this.interests.retireExcept(isCurrent, reason)
  }

  #onPolluted(lane: LiveConnection, found: string): void {
    const { authority } = this.configuration
    const listening = [...this.clients].filter(({ listensToPollution }) => listensToPollution)
    for (const { attachment, target } of listening) {
      attachment.event({ type: 'polluted', target, pollution: { endpoint: lane.endpoint.id, found } })
    }
    if (listening.length > 0) return
    this.#environment.log(
      'warn',
      `${authority}: a call left state behind on a shared connection (${found}); it was dropped. ` +
        'What changes a connection belongs in a session or a transaction',
    )
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
    this.#calls.fail(error)
    this.sessions.failWaiting(error)
    this.interests.failWaiting(error)
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
    if (!this.configuration.asksCredentials) return endpoints.pick(nowMs, NONE)
    // Credentials are asked for by lanes: without one, nobody else gets in.
    this.#lanes.wake()
    return undefined
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
    if (this.#lanes.lanes.length > 0 || this.#lanes.atRest) return 'ready'
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
      // At rest, the next call finds out whether it still holds.
      if (this.#refusal !== undefined && !this.#lanes.atRest) return this.#refusal
      if (this.configuration.whenDown === 'fail' && this.#status() === 'down') return this.#down()
    }
    return this.#calls.count >= this.configuration.limits.queueMax ? this.#queueFull() : undefined
  }

  #failIfDown(): void {
    if (this.configuration.whenDown !== 'fail' || this.#status() !== 'down') return
    this.#calls.fail(this.#down())
    this.sessions.failWaiting(this.#down())
    this.interests.failWaiting(this.#down())
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

function schedulerFor({ lanes, limits, unasked }: UpstreamConfiguration, connections: ConnectionBudget): Scheduler {
  if (lanes === 'one') return oneLane
  // A peer that speaks unasked is heard over a lane: there is always one.
  const lanesMin = unasked ? 1 : limits.lanesMin
  const mayOpen = (): boolean => connections.mayOpenLane()
  if (limits.lanesMax === 0) return pool(connections.lanesMax, lanesMin, mayOpen)
  const lanesMax = Math.min(limits.lanesMax, connections.lanesMax)
  if (lanes === 'pool') return pool(lanesMax, lanesMin, mayOpen)
  return new ElasticLanes(lanesMax, { ...limits, lanesMin }, new ServiceTimes(limits.quickMsMax))
}

const NORMAL = PRIORITIES.indexOf('normal')
const NONE: ReadonlySet<string> = new Set()

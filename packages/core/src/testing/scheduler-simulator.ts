/**
 * A scheduler against a simulated server: virtual time, lanes that take time to open, callers who do not wait for each
 * other. What decides is the real thing (`LaneCalls`, `LaneSet`, `LaneCare`, a `Scheduler`); connections and the server
 * behind them are played here.
 *
 * Rules:
 * 1. Each lane is a process of the server that works off what was written on it, in order; the line to it takes half of
 *    the round trip each way.
 * 2. Whatever is written is looked at: what must never happen is found in `violations`.
 * 3. The seed decides everything.
 */
import { CallFlag } from '../channel/records.ts'
import type { Attachment } from '../io/attachment.ts'
import { type Call, CallState } from '../io/call.ts'
import type { Client } from '../io/client.ts'
import type { ConnectionOwner } from '../io/connection-owner.ts'
import { DeadlineWheel } from '../io/deadlines.ts'
import { ElasticLanes } from '../io/elastic.ts'
import { LaneCalls } from '../io/lane-calls.ts'
import { LaneSet } from '../io/lane-set.ts'
import type { LiveConnection } from '../io/live-connection.ts'
import { RequestStore } from '../io/request-store.ts'
import { RetryBudget } from '../io/retry-budget.ts'
import { oneLane, pool, type Scheduler } from '../io/scheduler.ts'
import { ServiceTimes } from '../io/service-times.ts'
import { Settlement } from '../io/settlement.ts'
import { type IoKernelError, RemoteError } from '../plugin/errors.ts'
import { UPSTREAM_LIMITS, type UpstreamLimits } from '../shared/limits.ts'
import type { Random } from './random.ts'
import { SimulatedLane } from './simulated-lane.ts'
import { VirtualWorld } from './virtual-world.ts'

/** Calls that are alike. */
export interface StatementClass {
  readonly name: string
  readonly fingerprint?: number
  readonly access: 'read' | 'write'
  readonly taints?: boolean
  readonly idempotent?: boolean
  readonly priority?: number
  /** Whose calls they are; classes of one number are of one client. */
  readonly client?: number
  /** How long the server works on one. */
  serviceMs(random: Random, nowMs: number): number
  /** Calls that come by themselves, in no rhythm. */
  readonly perSecond?: number
  /** Calls that are always in flight: one that is answered makes the next. */
  readonly inFlight?: number
}

export interface SimulatorOptions {
  readonly lanes?: 'elastic' | 'pool' | 'one'
  readonly roundTripMs?: number
  /** A handshake. */
  readonly openMs?: number
  /** Lanes that the server lets in. */
  readonly letsIn?: number
  readonly limits?: Partial<UpstreamLimits>
}

export interface Report {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

interface Asked {
  readonly statement: StatementClass
  readonly serviceMs: number
  readonly askedAtMs: number
  /** It was known to be quick when it was written. */
  shared: boolean
}

/** A call that takes longer puts those behind it at a disadvantage. */
const SLOW_MS = 50

export class SchedulerSimulator {
  readonly world: VirtualWorld
  readonly limits: UpstreamLimits
  readonly times: ServiceTimes
  readonly scheduler: Scheduler
  readonly violations: string[] = []
  /** The most lanes there were at once, and calls that stood behind a slow one. */
  mostLanes = 0
  behindSlow = 0
  rescued = 0
  /** Dials, in virtual time. */
  readonly dialledAtMs: number[] = []
  readonly #options: SimulatorOptions
  readonly #random: Random
  readonly #settlement: Settlement
  readonly #calls: LaneCalls
  readonly #lanes: LaneSet
  readonly #budget: RetryBudget
  readonly #asked = new Map<Call, Asked>()
  readonly #clients = new Map<number, Client>()
  readonly #took = new Map<string, number[]>()
  readonly #running = new Set<StatementClass>()
  #open = 0
  #number = 0
  #frozenUntilMs = 0

  constructor(random: Random, options: SimulatorOptions = {}) {
    this.#random = random
    this.#options = options
    this.world = new VirtualWorld(random)
    this.limits = { ...UPSTREAM_LIMITS, ...options.limits }
    this.times = new ServiceTimes(this.limits.quickMsMax)
    this.#settlement = new Settlement(new DeadlineWheel(this.world.nowMs()), new RequestStore())
    this.scheduler = this.#newScheduler()
    this.#budget = new RetryBudget(this.limits.retryPercent, this.limits.retriesPerSecond, this.world.nowMs())
    this.#calls = new LaneCalls({
      environment: this.world,
      limits: this.limits,
      settlement: this.#settlement,
      scheduler: this.scheduler,
      budget: this.#budget,
      lanes: () => this.#lanes,
      isClosed: () => false,
    })
    this.#lanes = this.#newLaneSet()
    this.#lanes.setEndpoints([{ id: 'server', host: '10.0.0.1', port: 1 }])
  }

  /** Lanes that are ready. */
  get lanes(): readonly LiveConnection[] {
    return this.#lanes.lanes
  }

  get waiting(): number {
    return this.#calls.count
  }

  /** Calls of this class come from now on. */
  start(...statements: readonly StatementClass[]): this {
    for (const statement of statements) {
      this.#running.add(statement)
      for (let count = statement.inFlight ?? 0; count > 0; count--) this.ask(statement)
      if (statement.perSecond !== undefined) this.#askLater(statement, statement.perSecond)
    }
    return this
  }

  stop(...statements: readonly StatementClass[]): this {
    for (const statement of statements) this.#running.delete(statement)
    return this
  }

  run(ms: number): this {
    this.world.run(ms)
    return this
  }

  /** The server does nothing for so long. */
  freeze(ms: number): this {
    this.#frozenUntilMs = this.world.nowMs() + ms
    return this
  }

  /** Forgets what was measured so far. */
  forget(): this {
    this.#took.clear()
    this.behindSlow = 0
    this.rescued = 0
    this.mostLanes = this.#lanes.lanes.length
    return this
  }

  report({ name }: StatementClass): Report {
    const took = (this.#took.get(name) ?? []).toSorted((one, other) => one - other)
    const at = (quantile: number): number => took[Math.min(took.length - 1, Math.floor(took.length * quantile))] ?? 0
    return { count: took.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }

  /** One call. */
  ask(statement: StatementClass): void {
    const nowMs = this.world.nowMs()
    const call = this.#settlement.pool.take()
    call.id = ++this.#number
    call.client = this.#clientOf(statement.client ?? 1)
    call.client.calls++
    call.flags =
      (statement.access === 'read' ? CallFlag.Read : 0) |
      (statement.taints ? CallFlag.Taints : 0) |
      ((statement.idempotent ?? statement.access === 'read') ? CallFlag.Idempotent : 0)
    call.fingerprint = statement.fingerprint ?? 0
    call.priority = statement.priority ?? 1
    call.arrivedAtMs = nowMs
    call.replyBytes = 0
    const serviceMs = statement.serviceMs(this.#random, nowMs)
    this.#asked.set(call, { statement, serviceMs, askedAtMs: nowMs, shared: false })
    this.#budget.earn(1)
    if (!this.#calls.write(call, nowMs)) this.#calls.wait(call, nowMs)
  }

  #askLater(statement: StatementClass, perSecond: number): void {
    this.world.after((-Math.log(1 - this.#random.unit()) / perSecond) * 1_000, () => {
      if (!this.#running.has(statement)) return
      this.ask(statement)
      this.#askLater(statement, perSecond)
    })
  }

  // ---- The server -----------------------------------------------------------------------------------------

  /** A call was written on a lane, as the `place`th of its life; `before` are those that stand there. */
  #written(lane: SimulatedLane, call: Call, place: number, alone: boolean, before: readonly Call[]): void {
    const nowMs = this.world.nowMs()
    const asked = this.#asked.get(call) as Asked
    asked.shared = !alone
    const { name, fingerprint = 0, access, taints = false } = asked.statement
    if (before.length > 0) this.#lookBehind(lane, name, before, nowMs)
    if (this.#options.lanes !== 'one') {
      if (before.length > 0 && (fingerprint === 0 || access === 'write' || taints)) this.#violated(`${name} shares`)
      if (before.length > 0 && alone) this.#violated(`${name} wants a lane to itself and has a used one`)
      if (before.some((other) => this.#asked.get(other)?.shared === false)) this.#violated(`${name} joins one alone`)
    }
    const halfMs = (this.#options.roundTripMs ?? 0.2) / 2
    lane.freeAtMs = Math.max(lane.freeAtMs, nowMs + halfMs) + asked.serviceMs
    this.#answerAt(lane, place, lane.freeAtMs + halfMs)
  }

  #lookBehind(lane: SimulatedLane, name: string, before: readonly Call[], nowMs: number): void {
    const { lateHeadMs } = this.limits
    const lateMs = nowMs - lane.headSinceMs
    const isLate = lateMs > lateHeadMs + 2 * this.times.roundTripMs
    if (isLate && this.#options.lanes !== 'one') this.#violated(`${name} is written behind a head of ${lateMs} ms`)
    if (before.some((call) => (this.#asked.get(call)?.serviceMs ?? 0) >= SLOW_MS)) this.behindSlow++
  }

  #answerAt(lane: SimulatedLane, place: number, atMs: number): void {
    this.world.read(Math.max(0, atMs - this.world.nowMs()), () => {
      if (this.world.nowMs() < this.#frozenUntilMs) {
        return this.world.read(this.#frozenUntilMs - this.world.nowMs(), () => lane.answer(place))
      }
      lane.answer(place)
    })
  }

  #violated(what: string): void {
    if (this.violations.length < 20) this.violations.push(`${Math.round(this.world.nowMs())} ms: ${what}`)
  }

  // ---- What is around the calls ---------------------------------------------------------------------------

  #newScheduler(): Scheduler {
    const { lanes = 'elastic' } = this.#options
    if (lanes === 'one') return oneLane
    if (lanes === 'pool') return pool(this.limits.lanesMax)
    return new ElasticLanes(this.limits.lanesMax, this.limits, this.times)
  }

  #newLaneSet(): LaneSet {
    const nothing = (): void => undefined
    return new LaneSet({
      environment: this.world,
      limits: this.limits,
      authority: 'simulated',
      scheduler: this.scheduler,
      spreads: false,
      open: (_endpoint, owner) => this.#openLane(owner),
      withCredentials: (then) => then(undefined),
      onLaneReady: () => {
        this.mostLanes = Math.max(this.mostLanes, this.#lanes.lanes.length)
        if (this.#lanes.lanes.length > this.scheduler.lanesMax) this.#violated('there are more lanes than lanesMax')
        this.#calls.pump()
      },
      onLaneClosed: (connection, error) => this.#calls.takeBack(connection, error),
      onTrouble: nothing,
      onRoom: () => this.#calls.pump(),
      onAddressesGone: nothing,
      onNotExecuted: (call) => this.#calls.park(call),
      onStale: (call) => this.#calls.sendAgain(call),
      hasWaiting: () => !this.#calls.isEmpty,
      rescue: (lane) => this.#calls.rescue(lane),
      onPolluted: nothing,
      onUnasked: () => false,
      mayOpenLane: () => true,
      makeRoom: () => false,
      ordered: this.#options.lanes === 'one',
    })
  }

  #openLane(owner: ConnectionOwner): LiveConnection {
    const { openMs = 5, letsIn = Number.POSITIVE_INFINITY } = this.#options
    this.dialledAtMs.push(this.world.nowMs())
    const lane = new SimulatedLane(this.world, owner, this.#settlement, this.#options.roundTripMs ?? 0.2, {
      written: (call, place, alone, before) => this.#written(lane, call, place, alone, before),
      closed: () => this.#open--,
    })
    const allowed = this.#open++ < letsIn
    this.world.read(openMs, () => (allowed ? lane.opened() : lane.destroy(REFUSED)))
    return lane.asConnection
  }

  #clientOf(number: number): Client {
    const known = this.#clients.get(number)
    if (known !== undefined) return known
    const attachment: Pick<Attachment, 'reply' | 'failed' | 'released' | 'forget'> = {
      reply: (call) => this.#settled(call),
      failed: (call, error) => this.#violated(`call ${call.id} fails: ${error.message}`),
      released: () => undefined,
      forget: () => undefined,
    }
    const client = { attachment, calls: 0, onIdle: undefined } as unknown as Client
    this.#clients.set(number, client)
    return client
  }

  #settled(call: Call): void {
    const asked = this.#asked.get(call)
    if (asked === undefined || call.state !== CallState.Written) return this.#violated(`call ${call.id} settles twice`)
    this.#asked.delete(call)
    if (call.retries > 0) this.rescued++
    const { statement, askedAtMs } = asked
    const took = this.#took.get(statement.name)
    const ms = this.world.nowMs() - askedAtMs
    if (took === undefined) this.#took.set(statement.name, [ms])
    else took.push(ms)
    if (statement.inFlight !== undefined && this.#running.has(statement)) {
      this.world.after(0, () => this.ask(statement))
    }
  }
}

const REFUSED: IoKernelError = new RemoteError('TOO_MANY', 'the server lets no more in')

/**
 * One connection on the fake network, with an owner and callers that write down what they are told.
 *
 * Rules: it asserts by itself what must never happen: a call settled twice, or freed without having been settled.
 */
import type { Attachment } from '../io/attachment.ts'
import type { Call } from '../io/call.ts'
import type { Client } from '../io/client.ts'
import type { ConnectionOwner, Purpose } from '../io/connection-owner.ts'
import { DeadlineWheel } from '../io/deadlines.ts'
import { LiveConnection } from '../io/live-connection.ts'
import { RequestStore } from '../io/request-store.ts'
import { failUnanswered } from '../io/session-pool.ts'
import { Settlement } from '../io/settlement.ts'
import { describeError, type ErrorDescription, type IoKernelError, LocalError } from '../plugin/errors.ts'
import type { TlsOptions } from '../plugin/protocol.ts'
import { UPSTREAM_LIMITS, type UpstreamLimits } from '../shared/limits.ts'
import type { FakePeer } from './fake-network.ts'
import { Random } from './random.ts'
import { Tagged, untagged } from './tagged.ts'
import { VirtualWorld } from './virtual-world.ts'

export interface BenchOptions {
  readonly limits?: Partial<UpstreamLimits>
  readonly purpose?: Purpose
  readonly correlated?: boolean
  readonly tls?: TlsOptions
  readonly random?: Random
  readonly protocol?: (protocol: Tagged) => void
  /** Replaces what the owner does. */
  readonly owner?: Partial<ConnectionOwner>
}

export class Bench implements ConnectionOwner {
  readonly world: VirtualWorld
  readonly store: RequestStore = new RequestStore()
  readonly settlement: Settlement
  readonly protocol: Tagged
  readonly connection: LiveConnection
  readonly limits: UpstreamLimits
  /** What the owner was told, in order. */
  readonly log: string[] = []
  closedWith: IoKernelError | undefined
  /** What became of each call, by its number. */
  readonly outcomes: Map<number, string[]> = new Map()
  readonly client: Client
  overflowing = false
  readonly #pieces = new Map<number, Buffer[]>()
  readonly #given: Partial<ConnectionOwner>
  #gathered: LiveConnection[] = []
  #number = 0
  #peer: FakePeer | undefined

  constructor(options: BenchOptions = {}) {
    this.world = new VirtualWorld(options.random ?? new Random(1))
    this.settlement = new Settlement(new DeadlineWheel(this.world.nowMs()), this.store)
    this.limits = { ...UPSTREAM_LIMITS, ...options.limits }
    this.protocol = new Tagged(options.correlated)
    options.protocol?.(this.protocol)
    this.#given = options.owner ?? {}
    this.client = { attachment: this.#attachment(), calls: 0, onIdle: undefined } as unknown as Client
    this.world.network.listen('peer', (peer) => {
      this.#peer = peer
    })
    this.world.endOfTurn = () => this.flush()
    this.connection = new LiveConnection(
      {
        id: 7,
        purpose: options.purpose ?? 'lane',
        endpoint: { id: 'peer', host: '10.0.0.1', port: 1 },
        host: 'peer.test',
        tls: options.tls,
        authority: 'tagged://peer',
        limits: this.limits,
        protocol: this.protocol,
      },
      this,
      {
        environment: this.world,
        store: this.store,
        settlement: this.settlement,
        rearm: () => undefined,
        flushLater: (connection) => this.#gathered.push(connection),
      },
      options.correlated ?? false,
    )
  }

  get peer(): FakePeer {
    return this.#peer as FakePeer
  }

  /** Connected. */
  open(): this {
    this.world.run(this.world.network.latencyMs)
    return this
  }

  flush(): void {
    const connections = this.#gathered
    this.#gathered = []
    for (const connection of connections) connection.flush()
  }

  run(ms: number = 10): this {
    this.flush()
    this.world.run(ms)
    return this
  }

  /** The peer sends, and it arrives. */
  arrive(...frames: readonly Buffer[]): this {
    this.peer.send(Buffer.concat(frames))
    return this.run()
  }

  /** Submits a call at the end of this turn's gathering. Returns its number. */
  call(text: string, hint: number = 0): number {
    const call = this.prepare(text, hint)
    this.connection.submit(call, this.world.nowMs())
    return call.id
  }

  prepare(text: string, hint: number = 0): Call {
    const call = this.settlement.pool.take()
    const bytes = Buffer.from(text)
    const chunk = this.store.take(bytes.length)
    call.id = ++this.#number
    call.client = this.client
    call.hint = hint
    call.flags = 0
    call.chunk = chunk
    call.offset = chunk.used
    call.length = bytes.length
    chunk.used += bytes.length
    chunk.bytes.set(bytes, call.offset)
    call.arrivedAtMs = this.world.nowMs()
    this.client.calls++
    this.outcomes.set(call.id, [])
    return call
  }

  /** Settles a written call for its caller before its reply has come. */
  expire(number: number): void {
    for (let call = this.connection.unanswered.first; call !== undefined; call = call.next) {
      if (call.id === number) return this.settlement.settleEarly(call, describeError(EXPIRED), this.world.nowMs())
    }
    throw new Error(`call ${number} is not unanswered`)
  }

  /** All that happened to a call, as one line. */
  outcome(number: number): string {
    return (this.outcomes.get(number) ?? []).join(', ')
  }

  // ---- ConnectionOwner
  // -----------------------------------------------------------------------------------------------

  onReady(connection: LiveConnection): void {
    this.log.push('ready')
    this.#given.onReady?.(connection)
  }

  onClosed(connection: LiveConnection, error: IoKernelError): void {
    this.log.push(`closed ${error.code}`)
    this.closedWith = error
    failUnanswered(connection, error, this.settlement, this.world.nowMs())
    this.#given.onClosed?.(connection, error)
  }

  onProgress(connection: LiveConnection): void {
    this.#given.onProgress?.(connection)
  }

  onPush(connection: LiveConnection, bytes: Buffer, start: number, end: number): void {
    this.log.push(`push ${untagged(bytes.subarray(start, end))}`)
    this.#given.onPush?.(connection, bytes, start, end)
  }

  onStray(connection: LiveConnection, bytes: Buffer, start: number, end: number, flags: number): void {
    this.log.push(`stray ${untagged(bytes.subarray(start, end))}`)
    this.#given.onStray?.(connection, bytes, start, end, flags)
  }

  onNotExecuted(connection: LiveConnection, call: Call): boolean {
    return this.#given.onNotExecuted?.(connection, call) ?? false
  }

  // ---- What callers see
  // ------------------------------------------------------------------------------------------------

  #attachment(): Attachment {
    const fake: Pick<Attachment, 'reply' | 'piece' | 'restart' | 'failed' | 'released' | 'forget'> = {
      reply: (call, _facts, bytes, start, end) => {
        const whole = Buffer.concat([...(this.#pieces.get(call.id) ?? []), bytes.subarray(start, end)])
        this.#tell(call, `reply ${untagged(whole)}`)
      },
      piece: (call, _facts, bytes, start, end) => {
        if (this.overflowing) return false
        const pieces = this.#pieces.get(call.id) ?? []
        this.#pieces.set(call.id, [...pieces, Buffer.from(bytes.subarray(start, end))])
        return true
      },
      restart: (call) => this.#pieces.delete(call.id),
      failed: (call, error: ErrorDescription, held) => {
        this.#tell(call, `${error.code} ${error.sent}${held ? ' held' : ''}`)
      },
      released: (call) => this.#tell(call, 'released'),
      forget: () => undefined,
    }
    return fake as Attachment
  }

  #tell(call: Call, what: string): void {
    const outcomes = this.outcomes.get(call.id)
    if (outcomes === undefined) throw new Error(`nobody made call ${call.id}`)
    const last = outcomes.at(-1)
    const mayFollow = last === undefined || (last.endsWith(' held') && what === 'released')
    if (!mayFollow) throw new Error(`call ${call.id}: '${what}' after '${last}'`)
    if (last === undefined && what === 'released') throw new Error(`call ${call.id} was released before it was settled`)
    outcomes.push(what)
  }
}

const EXPIRED = new LocalError('DEADLINE', 'too late', { sent: 'maybe' })

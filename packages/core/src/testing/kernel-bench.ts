/**
 * The whole I/O kernel in a virtual world, with application threads at its channels and peers of the `lines` protocol.
 *
 * Rules: everything that moves is an event of the virtual time; two runs with the same seed are the same. Names are
 * moved by the test (`move`), through a discovery of its own.
 */
import { applicationEnd, type ChannelEnd, channelMemory, ioEnd } from '../channel/channel.ts'
import type { EventMessage, UpstreamConfiguration } from '../channel/messages.ts'
import { CallFlag } from '../channel/records.ts'
import type { Attachment } from '../io/attachment.ts'
import { IoKernel } from '../io/kernel.ts'
import { Exchange } from '../main/exchange.ts'
import type { PieceSink } from '../main/incoming-stream.ts'
import type { AnyOperation } from '../main/slots.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { IoProtocol } from '../plugin/connection.ts'
import type { Endpoint, IoDiscovery } from '../plugin/discovery.ts'
import type { IoKernelError } from '../plugin/errors.ts'
import type { CallOptions } from '../plugin/protocol.ts'
import { PLUGIN_API } from '../plugin/version.ts'
import { KERNEL_LIMITS, type KernelLimits, UPSTREAM_LIMITS, type UpstreamLimits } from '../shared/limits.ts'
import { line } from './line-peer.ts'
import linesIo from './lines/io.ts'
import { Random } from './random.ts'
import { VirtualWorld } from './virtual-world.ts'

export interface BenchUpstream {
  readonly at?: string
  readonly lanes?: 'one' | 'pool' | 'elastic'
  readonly limits?: Partial<UpstreamLimits>
  readonly whenDown?: 'wait' | 'fail'
  readonly handshake?: boolean
  readonly probe?: boolean
  readonly reset?: boolean
  readonly audit?: boolean
  readonly cancel?: boolean
  readonly correlated?: boolean
  readonly unasked?: boolean
  /** Calls that a connection may have unanswered. */
  readonly callsMax?: number
  readonly asksCredentials?: boolean
}

export interface BenchCall extends CallOptions {
  /** Counted by the thread, from 1, over all its targets. */
  readonly target?: number
  readonly session?: number
  readonly exclusive?: boolean
  /** It only reads. */
  readonly reads?: boolean
  readonly taints?: boolean
  /** Nothing answers it. */
  readonly silent?: boolean
  readonly fingerprint?: number
  readonly sink?: PieceSink
}

/** What became of a call: the text of its reply, or its error. */
export type BenchOutcome = { readonly text: string } | { readonly error: IoKernelError }

export class BenchThread {
  readonly app: Exchange
  readonly io: Attachment
  readonly events: EventMessage[] = []
  readonly pushes: string[] = []
  /** Connections over which the peer asked something. */
  readonly asked: number[] = []
  /** Does not look at its ring while set. */
  isBusy = false
  readonly #bench: KernelBench
  #rung = false

  constructor(bench: KernelBench, limits: KernelLimits) {
    this.#bench = bench
    const memory = channelMemory(limits.submissionBytes, limits.completionBytes)
    const { world } = bench
    let ioRung = false
    const far: ChannelEnd = ioEnd(memory, { ring: () => this.#ring() })
    const near: ChannelEnd = applicationEnd(memory, {
      ring: () => {
        if (ioRung) return
        ioRung = true
        world.after(0, () => {
          ioRung = false
          bench.kernel.drain(this.io)
        })
      },
    })
    this.app = new Exchange(near, {
      limits,
      setBusy: () => undefined,
      onEvent: (event) => this.events.push(event),
      onPush: (interest, { bytes, start, end }, { asks, connection }) => {
        if (asks) this.asked.push(connection)
        this.pushes.push(`${interest}:${bytes.toString('utf8', start, end - 1)}`)
      },
    })
    this.io = bench.kernel.attach(far)
    this.app.drain()
    bench.kernel.drain(this.io)
  }

  get statuses(): string[] {
    return this.events.flatMap((event) => (event.type === 'state' ? [event.state.status] : []))
  }

  /** Events of one kind, as they came. */
  seen<Type extends EventMessage['type']>(type: Type): Extract<EventMessage, { type: Type }>[] {
    return this.events.filter((event): event is Extract<EventMessage, { type: Type }> => event.type === type)
  }

  connect(target: number, upstream: BenchUpstream = {}): void {
    this.app.control({ type: 'connect', target, upstream: configuration(upstream) })
  }

  call(text: string, options: BenchCall = {}): Promise<BenchOutcome> {
    const session = options.session === undefined ? 0 : CallFlag.Session
    const flags =
      session |
      (options.exclusive ? CallFlag.Exclusive : 0) |
      (options.idempotent ? CallFlag.Idempotent : 0) |
      (options.reads ? CallFlag.Read : 0) |
      (options.taints ? CallFlag.Taints : 0) |
      (options.silent ? CallFlag.Silent : 0) |
      (options.sink ? CallFlag.Stream : 0)
    const { fingerprint, sink } = options
    const operation = fingerprint === undefined ? LINE : { ...LINE, fingerprint: () => fingerprint }
    const target = options.session ?? options.target ?? 1
    const promise = this.app.call(operation, text, target, flags, options.deadlineMs ?? 30_000, 1 << 30, options, sink)
    return promise.then(
      (reply) => ({ text: sink === undefined && options.silent !== true ? (reply as string).slice(0, -1) : '' }),
      (error: IoKernelError) => ({ error }),
    )
  }

  /** Looks at what has come, after having been busy. */
  look(): void {
    this.isBusy = false
    this.app.drain()
  }

  #ring(): void {
    if (this.#rung) return
    this.#rung = true
    this.#bench.world.after(0, () => {
      this.#rung = false
      if (!this.isBusy) this.app.drain()
    })
  }
}

const LINE = line as unknown as AnyOperation

export class KernelBench {
  readonly world: VirtualWorld
  readonly kernel: IoKernel
  readonly threads: BenchThread[] = []
  readonly #limits: KernelLimits
  readonly #names = new Map<string, Name>()

  constructor(
    random: Random = new Random(1),
    limits: Partial<KernelLimits> = {},
    protocol: IoProtocol<Cloneable> = LINES,
  ) {
    this.world = new VirtualWorld(random)
    this.#limits = { ...KERNEL_LIMITS, pollUsMax: 0, ...limits }
    const protocols = new Map([[protocol.name, protocol]])
    const discoveries = new Map([['moved', { discovery: this.#discovery(), options: undefined }]])
    this.kernel = new IoKernel(this.#limits, { protocols, discoveries }, {}, this.world)
    this.thread()
  }

  thread(): BenchThread {
    const thread = new BenchThread(this, this.#limits)
    this.threads.push(thread)
    return thread
  }

  /** The first application thread. */
  get app(): BenchThread {
    return this.threads[0] as BenchThread
  }

  async run(ms: number): Promise<void> {
    await this.world.runAsync(ms)
    this.kernel.invariants()
    for (const { app } of this.threads) app.invariants()
  }

  /** From now on, the name stands for these addresses. */
  move(name: string, ids: readonly string[]): void {
    this.#name(name).set(ids.map((id) => ({ id, host: '10.0.0.1', port: 1 })))
  }

  #name(name: string): Name {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const fresh = new Name()
    this.#names.set(name, fresh)
    return fresh
  }

  #discovery(): IoDiscovery<Cloneable> {
    return {
      name: 'moved',
      api: PLUGIN_API,
      watch: (target) => this.#name(target).watch(),
    }
  }
}

class Name {
  #set: readonly Endpoint[] | undefined
  #changed: () => void = () => undefined

  set(endpoints: readonly Endpoint[]): void {
    this.#set = endpoints
    this.#changed()
  }

  async *watch(): AsyncGenerator<readonly Endpoint[]> {
    let last: readonly Endpoint[] | undefined
    for (;;) {
      const change = new Promise<void>((resolve) => {
        this.#changed = resolve
      })
      if (this.#set !== undefined && this.#set !== last) {
        last = this.#set
        yield last
      } else {
        await change
      }
    }
  }
}

const LINES = linesIo as unknown as IoProtocol<Cloneable>

function configuration(upstream: BenchUpstream): UpstreamConfiguration {
  const { at = 'a:1', lanes = 'one', whenDown = 'wait', handshake = true, asksCredentials = false } = upstream
  const moved = !at.includes(':')
  return {
    key: `lines ${at}`,
    protocol: 'lines',
    authority: `lines://${at}`,
    lanes,
    correlated: upstream.correlated ?? false,
    unasked: upstream.unasked ?? false,
    name: { discovery: moved ? 'moved' : 'static', target: at, portDefault: 1 },
    tls: undefined,
    io: {
      name: handshake ? 'tester' : null,
      asksCredentials,
      probe: upstream.probe ?? false,
      reset: upstream.reset ?? true,
      audit: upstream.audit ?? false,
      cancel: upstream.cancel ?? false,
      callsMax: upstream.callsMax ?? null,
    },
    limits: { ...UPSTREAM_LIMITS, ...upstream.limits },
    whenDown,
    asksCredentials,
  }
}

/**
 * The whole I/O kernel against a world that breaks: peers that die, stall, refuse and come back, names that move,
 * threads that do not look, callers that give up. Swarm testing: each run draws its own weights, and some things never
 * happen in it.
 *
 * Whatever dies when: every call settles exactly once, with its own answer or an error that says whether it may be
 * tried again; a request that is not idempotent is executed at most once, and one that is said to be unsent never was;
 * nobody sees another's reply; what a call leaves behind is reset before anybody else comes; a reader who stops is not
 * flooded; nothing is left behind.
 */
import { expect, test } from 'vitest'
import type { PieceSink } from '../main/incoming-stream.ts'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchThread, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { type Random, seedOfRun, withSeed } from '../testing/random.ts'

interface Weights {
  readonly upstream: BenchUpstream
  readonly threads: number
  readonly calls: number
  readonly exclusive: number
  readonly idempotent: number
  readonly aborts: number
  readonly shortDeadlines: number
  readonly large: number
  readonly sessions: number
  readonly interests: number
  readonly busyThreads: number
  readonly moves: number
  readonly outages: number
  readonly resets: number
  readonly halfCloses: number
  readonly silence: number
  readonly refusals: number
  readonly errors: number
  readonly garbage: number
  readonly reads: number
  readonly taints: number
  readonly dirty: number
  readonly stale: number
  readonly found: number
  readonly streams: number
  readonly slowReaders: number
}

/** The largest reply, and what is sent with it: an application may have that much more than it gave credit for. */
const LARGEST_BYTES = 31_000

function weights(random: Random): Weights {
  const some = (most: number): number => (random.chance(0.4) ? 0 : random.unit() * most)
  return {
    upstream: {
      at: 'name',
      lanes: random.pick(['one', 'pool', 'elastic', 'elastic']),
      whenDown: random.pick(['wait', 'wait', 'fail']),
      handshake: random.chance(0.8),
      probe: random.chance(0.5),
      reset: random.chance(0.7),
      audit: random.chance(0.4),
      cancel: random.chance(0.5),
      ...(random.chance(0.2) ? { callsMax: random.between(1, 3) } : {}),
      limits: {
        connectTimeoutMs: 200,
        handshakeTimeoutMs: 200,
        callDeadlineMs: 2_000,
        queueMax: random.pick([3, 100_000]),
        pipelineMax: random.pick([1, 8, 10_000]),
        unsentBytesMax: random.pick([500, 1 << 20]),
        sessionsMax: random.pick([1, 4]),
        sessionsIdleMax: random.below(3),
        lanesMax: random.pick([0, 1, 4, 4]),
        lanesMin: random.pick([0, 1, 1]),
        connectionsMax: random.pick([2, 4, 65]),
        windowMax: random.pick([2, 16]),
        quickMsMax: random.pick([2, 50]),
        lateHeadMs: random.pick([10, 40]),
        laneIdleMs: random.pick([300, 10_000]),
        laneLifeMs: random.pick([600, 1_800_000]),
        auditIntervalMs: 500,
        cancelTimeoutMs: 200,
        streamBytesMax: random.pick([300, 5_000, 1 << 20]),
        readerTimeoutMs: 500,
        replyBytesMax: random.pick([2_000, 1 << 20]),
        probeIntervalMs: 300,
        probeTimeoutMs: 100,
        laneSilenceMs: 400,
        drainTimeoutMs: 500,
        reconnectMinMs: 10,
        reconnectMaxMs: 200,
        retriesPerSecond: random.pick([0, 100]),
      },
    },
    threads: random.between(1, 3),
    calls: 0.2 + random.unit(),
    exclusive: some(0.3),
    idempotent: random.unit(),
    aborts: some(0.2),
    shortDeadlines: some(0.4),
    large: some(0.1),
    sessions: some(0.2),
    interests: some(0.3),
    busyThreads: some(0.3),
    moves: some(0.1),
    outages: some(0.1),
    resets: some(0.15),
    halfCloses: some(0.05),
    silence: some(0.1),
    refusals: some(0.05),
    errors: some(0.2),
    garbage: some(0.02),
    reads: random.unit(),
    taints: some(0.3),
    dirty: some(0.1),
    stale: some(0.1),
    found: some(0.3),
    streams: some(0.3),
    slowReaders: some(1),
  }
}

const ADDRESSES = ['x', 'y', 'z']
/** What an outcome may be called. Anything else is a surprise. */
const CODES = [
  'answered',
  'ABORTED',
  'ADDRESS_GONE',
  'CLOSED_BY_PEER',
  'CONNECTION_LOST',
  'CONNECT_TIMEOUT',
  'DEADLINE',
  'DENIED',
  'HANDSHAKE_TIMEOUT',
  'LANE_LIFE',
  'LANE_SILENT',
  'NOT_WELCOME',
  'OVERFLOW',
  'PLUGIN',
  'POLLUTED',
  'PROTOCOL',
  'QUEUE_LIMIT',
  'REPLY_TOO_LARGE',
  'RETIRED',
  'ROLE_LOST',
  'SESSION_CLOSED',
  'SESSION_LOST',
  'UPSTREAM_DOWN',
]

interface Caller {
  readonly number: number
  readonly idempotent: boolean
  settled: number
  executed: number
  sent: string | undefined
  /** Of a streamed reply: what has come, and what was given credit for. */
  text: string
  credited: number
}

/** What a peer keeps of one connection. */
interface PeerState {
  /** The call that may have left state behind, until the reset. */
  tainted: string | undefined
}

class Simulation {
  readonly outcomes = new Map<string, number>()
  readonly #random: Random
  readonly #weights: Weights
  readonly #bench: KernelBench
  readonly #callers: Caller[] = []
  /** Sessions that are ready, or asked for. */
  readonly #sessions = new Map<BenchThread, Map<number, 'asked' | 'closed'>>()
  readonly #interests = new Map<BenchThread, Set<number>>()
  readonly #flooded: string[] = []
  readonly #unreset: string[] = []
  #number = 0
  #connection = 0

  constructor(random: Random) {
    this.#random = random
    this.#weights = weights(random)
    this.#bench = new KernelBench(random, {
      submissionBytes: random.pick([4_096, 1 << 20]),
      completionBytes: random.pick([4_096, 1 << 20]),
      overflowBytesMax: random.pick([10_000, 1 << 28]),
    })
    while (this.#bench.threads.length < this.#weights.threads) this.#bench.thread()
    const { network } = this.#bench.world
    network.latencyMs = random.pick([0.1, 1, 10])
    network.faults = {
      delay: random.pick([0, 0.3]),
      delayMsMax: 50,
      reset: random.pick([0, 0, 0.005]),
      chunkBytesMax: random.pick([3, 100, Number.MAX_SAFE_INTEGER]),
      stall: random.pick([0, 0.02]),
    }
    for (const id of ADDRESSES) this.#listen(id)
    this.#bench.move('name', [random.pick(ADDRESSES)])
    for (const thread of this.#bench.threads) {
      thread.connect(1, this.#weights.upstream)
      this.#sessions.set(thread, new Map())
      this.#interests.set(thread, new Set())
    }
  }

  async go(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      this.#step()
      await this.#bench.run(this.#random.pick([0, 0.2, 1, 5, 30]))
    }
    await this.#calmDown()
    this.#check()
  }

  #step(): void {
    const random = this.#random
    const { weights: w, bench } = { weights: this.#weights, bench: this.#bench }
    const thread = random.pick(bench.threads)
    if (random.chance(w.calls)) for (let count = random.between(1, 4); count > 0; count--) this.#call(thread)
    if (random.chance(w.sessions)) this.#session(thread)
    if (random.chance(w.interests)) this.#interest(thread)
    if (random.chance(w.busyThreads)) thread.isBusy = true
    else if (thread.isBusy && random.chance(0.3)) thread.look()
    if (random.chance(w.moves))
      bench.move(
        'name',
        ADDRESSES.filter(() => random.chance(0.6)),
      )
    if (random.chance(w.outages)) {
      const id = random.pick(ADDRESSES)
      if (random.chance(0.5)) this.#listen(id)
      else bench.world.network.listen(id, random.pick([undefined, 'black-hole']))
    }
    const peer = random.pick([...bench.world.network.open(), undefined])
    if (random.chance(w.resets)) peer?.reset()
    if (random.chance(w.halfCloses)) peer?.end()
    // Bytes that the framer refuses: a whole reply too many would shift the order, which no client could notice.
    if (random.chance(w.garbage)) peer?.send('garbage\n')
  }

  #call(thread: BenchThread): void {
    const random = this.#random
    const w = this.#weights
    const caller: Caller = {
      number: ++this.#number,
      idempotent: random.chance(w.idempotent),
      settled: 0,
      executed: 0,
      sent: undefined,
      text: '',
      credited: 0,
    }
    this.#callers.push(caller)
    const controller = random.chance(w.aborts) ? new AbortController() : undefined
    if (controller !== undefined) this.#bench.world.after(random.unit() * 60, () => controller.abort())
    const mine = [...(this.#sessions.get(thread) ?? [])].filter(([, state]) => state === 'asked')
    const session = mine.length > 0 && random.chance(0.5) ? random.pick(mine)[0] : undefined
    const ready = session === undefined || thread.seen('session-ready').some((event) => event.session === session)
    const length = random.chance(w.large) ? random.below(30_000) : random.below(20)
    const alone = session === undefined && random.chance(w.exclusive)
    const taints = w.upstream.lanes !== 'one' && session === undefined && random.chance(w.taints)
    const sink =
      (alone || (session !== undefined && ready)) && random.chance(w.streams) ? this.#reader(thread, caller) : undefined
    const text = `${taints ? 't' : 'r'} ${caller.number} ${length} ${'x'.repeat(random.chance(w.large) ? 5_000 : 3)}`
    const promise = thread.call(text, {
      idempotent: caller.idempotent,
      exclusive: alone,
      reads: random.chance(w.reads),
      fingerprint: random.below(3),
      taints,
      priority: random.pick(['high', 'normal', 'low']),
      deadlineMs: random.chance(w.shortDeadlines) ? random.between(1, 50) : random.between(200, 2_000),
      ...(controller === undefined ? {} : { signal: controller.signal }),
      ...(session === undefined || !ready ? {} : { session }),
      ...(sink === undefined ? {} : { sink }),
    })
    void promise.then((outcome) => {
      caller.settled++
      const said = sink === undefined ? undefined : caller.text.slice(0, -1)
      const code = 'text' in outcome ? this.#own(said ?? outcome.text, caller) : outcome.error.code
      if ('error' in outcome) caller.sent = outcome.error.sent
      this.outcomes.set(code, (this.outcomes.get(code) ?? 0) + 1)
    })
  }

  /** Reads a reply as it comes: at once, some time later, or not for long. */
  #reader(thread: BenchThread, caller: Caller): PieceSink {
    const { streamBytesMax = 0 } = this.#weights.upstream.limits ?? {}
    const slow = this.#random.chance(this.#weights.slowReaders)
    let id = 0
    return {
      begun: (callId) => {
        id = callId
      },
      take: (bytes) => {
        caller.text += bytes.toString()
        const unread = caller.text.length - caller.credited
        if (unread > streamBytesMax + LARGEST_BYTES)
          this.#flooded.push(`call ${caller.number} has ${unread} unread bytes`)
        this.#bench.world.after(slow ? this.#random.below(800) : 0, () => {
          thread.app.credit(id, bytes.length)
          caller.credited += bytes.length
        })
      },
    }
  }

  /** `answered` for the caller's own answer, or an error of his own from the peer. */
  #own(text: string, caller: Caller): string {
    // What is out of date is seen where it cannot be sent again, or was already.
    const [mark = '', number] = text.replace('-stale\n', '').split(' ')
    const own = Number(number) === caller.number
    if (['ok', '~ok', 'rest', '-error', '-again'].includes(mark) && own) return 'answered'
    return `crossed: ${text.slice(0, 40)} came to ${caller.number}`
  }

  #session(thread: BenchThread): void {
    const mine = this.#sessions.get(thread) as Map<number, 'asked' | 'closed'>
    const open = [...mine].filter(([, state]) => state === 'asked')
    if (open.length > 0 && this.#random.chance(0.5)) {
      const session = this.#random.pick(open)[0]
      mine.set(session, 'closed')
      return thread.app.control({ type: 'close-session', session })
    }
    const session = mine.size + 1
    mine.set(session, 'asked')
    thread.app.control({ type: 'open-session', session, target: 1, deadlineMs: this.#random.between(5, 500) })
  }

  #interest(thread: BenchThread): void {
    const mine = this.#interests.get(thread) as Set<number>
    if (mine.size > 0 && this.#random.chance(0.4)) {
      const interest = this.#random.pick([...mine])
      mine.delete(interest)
      return thread.app.control({ type: 'drop-interest', interest })
    }
    const interest = ++this.#number
    mine.add(interest)
    const key = `k${this.#random.below(3)}`
    thread.app.control({ type: 'add-interest', interest, target: 1, key, resumed: false, answers: false })
  }

  // ---- The peers ------------------------------------------------------------------------------------------

  #listen(id: string): void {
    this.#bench.world.network.listen(id, (peer) => {
      const number = ++this.#connection
      const state: PeerState = { tainted: undefined }
      let rest = ''
      let silent = false
      peer.onData = (bytes) => {
        const texts = (rest + bytes.toString()).split('\n')
        rest = texts.pop() as string
        if (this.#random.chance(this.#weights.silence)) silent = true
        for (const text of texts) this.#serve(text, peer, silent, number, state)
      }
    })
  }

  /** In order, as one peer does; a silent one executes and says nothing. */
  #serve(text: string, peer: FakePeer, silent: boolean, connection: number, state: PeerState): void {
    const random = this.#random
    const say = (reply: string): void => {
      if (!silent) peer.send(`${reply}\n`)
    }
    if (text.startsWith('hello'))
      return say(random.chance(this.#weights.refusals) ? '-denied' : `welcome ${connection}`)
    if (text === 'ping') return say('pong')
    if (text.startsWith('cancel ')) return peer.end()
    if (text === 'audit') return say(random.chance(this.#weights.found) ? 'settings' : 'clean')
    if (text === 'reset') {
      state.tainted = undefined
      return say('ok')
    }
    if (text.startsWith('sub ')) {
      say(`!+${text.slice(4)}`)
      return say(`!${text.slice(4)} push`)
    }
    if (text.startsWith('unsub ')) return say(`!-${text.slice(6)}`)
    const [, number, length] = text.split(' ')
    const caller = this.#callers.find((each) => each.number === Number(number))
    if (caller === undefined) throw new Error(`a request arrived damaged: ${text.slice(0, 60)}`)
    if (state.tainted !== undefined) this.#unreset.push(`${number} comes after ${state.tainted}, without a reset`)
    if (text.startsWith('t ')) state.tainted = text.slice(0, 10)
    if (random.chance(this.#weights.stale)) {
      say('-stale')
      return say(`rest ${number}`)
    }
    if (random.chance(this.#weights.errors)) {
      const verdict = random.pick(['error', 'again', 'error'])
      if (verdict === 'again' && !silent) return say(`-again ${number}`)
      caller.executed++
      return say(`-error ${number}`)
    }
    caller.executed++
    say(`${random.chance(this.#weights.dirty) ? '~' : ''}ok ${number} ${'y'.repeat(Number(length))}`)
  }

  // ---- The end --------------------------------------------------------------------------------------------

  /** The world is well again; everything that waits must come to an end. */
  async #calmDown(): Promise<void> {
    const bench = this.#bench
    for (const thread of bench.threads) thread.look()
    await bench.run(3_000)
    for (const thread of bench.threads) {
      thread.app.control({ type: 'disconnect', target: 1, deadlineMs: 500 })
    }
    await bench.run(5_000)
  }

  #check(): void {
    const bench = this.#bench
    const waiting = this.#callers.filter(({ settled }) => settled !== 1)
    expect(waiting).toEqual([])
    expect(this.#flooded).toEqual([])
    expect(this.#unreset).toEqual([])
    for (const code of this.outcomes.keys()) expect(CODES, code).toContain(code)
    for (const { number, executed, idempotent, sent } of this.#callers) {
      if (!idempotent) expect(executed, `call ${number} was executed ${executed} times`).toBeLessThanOrEqual(1)
      if (sent === 'no' && !idempotent) expect(executed, `call ${number} is said to be unsent`).toBe(0)
    }
    for (const thread of bench.threads) {
      expect(thread.app.waiting).toBe(0)
      expect(thread.app.owed).toBe(false)
      expect(thread.seen('disconnected')).toHaveLength(1)
      expect([...thread.io.calls()]).toEqual([])
      expect(thread.io.overflowBytes).toBe(0)
    }
    expect(bench.world.network.open()).toEqual([])
  }
}

/** Many short runs find more than few long ones: each has other weights. */
const RUNS = 120

test('every call settles exactly once with its own answer, whatever dies when', async () => {
  const total = new Map<string, number>()
  const first = seedOfRun()
  const runs = process.env['SEED'] === undefined ? RUNS : 1
  for (let run = 0; run < runs; run++) {
    await withSeed(async (random) => {
      const simulation = new Simulation(random)
      await simulation.go(60)
      for (const [code, count] of simulation.outcomes) total.set(code, (total.get(code) ?? 0) + count)
    }, first + run)
  }
  if (runs < RUNS) return
  // The swarm must have met the ordinary ends: otherwise it simulates something else.
  for (const code of [
    'answered',
    'ABORTED',
    'DEADLINE',
    'CONNECTION_LOST',
    'QUEUE_LIMIT',
    'UPSTREAM_DOWN',
    'SESSION_LOST',
  ]) {
    expect(total.get(code) ?? 0, code).toBeGreaterThan(0)
  }
}, 120_000)

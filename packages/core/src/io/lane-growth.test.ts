/**
 * How many connections there are, and who gets them: growth and its refusal, the budget that lanes and sessions share,
 * priorities, and addresses that are not what was asked for. Over the channel, in a virtual world.
 */
import { describe, expect, test } from 'vitest'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Connection, IoProtocol } from '../plugin/connection.ts'
import { RoleError } from '../plugin/errors.ts'
import { frame, type Script, send } from '../plugin/script.ts'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { linePeer } from '../testing/line-peer.ts'
import linesIo, { type LinesIo } from '../testing/lines/io.ts'
import { type Random, withSeed } from '../testing/random.ts'

const BOTH = ['elastic', 'pool'] as const

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

async function all(calls: readonly Promise<BenchOutcome>[]): Promise<string[]> {
  return (await Promise.all(calls)).map(short)
}

/** A server that answers what begins with `hold` when it is told to, and lets only so many in. */
class Server {
  letsIn = Number.POSITIVE_INFINITY
  most = 0
  readonly bench: KernelBench
  #held: (() => void)[] = []

  constructor(bench: KernelBench, id: string = 'a:1') {
    this.bench = bench
    bench.world.network.listen(id, (peer) => {
      this.most = Math.max(this.most, this.open)
      const allowed = this.open <= this.letsIn
      linePeer((text) => this.#answer(text, peer, allowed))(peer)
    })
  }

  get open(): number {
    return this.bench.world.network.open().length
  }

  get holds(): number {
    return this.#held.length
  }

  release(): void {
    for (const answer of this.#held.splice(0)) answer()
  }

  #answer(text: string, peer: FakePeer, allowed: boolean): string | undefined {
    if (text.startsWith('hello')) return allowed ? 'welcome' : 'too many'
    if (!text.startsWith('hold')) return text
    this.#held.push(() => peer.send(`${text}\n`))
    return undefined
  }
}

async function serving(upstream: BenchUpstream, random?: Random): Promise<{ bench: KernelBench; server: Server }> {
  const bench = random === undefined ? new KernelBench() : new KernelBench(random)
  const server = new Server(bench)
  bench.app.connect(1, upstream)
  await bench.run(20)
  return { bench, server }
}

function openSession(bench: KernelBench, session: number, deadlineMs: number = 10_000): void {
  bench.app.app.control({ type: 'open-session', session, target: 1, deadlineMs })
}

describe('growth', () => {
  test('opens as many lanes as there are calls that want one, and no more', async () => {
    for (const lanes of BOTH) {
      for (const wanted of [1, 2, 5, 10, 30]) {
        const { bench, server } = await serving({ lanes })
        const calls = Array.from({ length: wanted }, (_, index) => bench.app.call(`hold ${index}`))
        await bench.run(100)
        expect(server.open).toBe(Math.min(wanted, 10))
        for (let round = 0; round < 5; round++) {
          server.release()
          await bench.run(10)
        }
        expect(await all(calls)).toEqual(calls.map((_, index) => `hold ${index}`))
      }
    }
  })

  test('of an elastic upstream makes few handshakes at once', async () => {
    const { bench } = await serving({ lanes: 'elastic' })
    bench.world.network.latencyMs = 50
    for (let count = 0; count < 50; count++) void bench.app.call(`hold ${count}`)
    await bench.run(10)
    expect(bench.world.network.dialled.length).toBeLessThanOrEqual(1 + 4)
  })

  test('that is refused backs off, and what there is goes on serving', async () => {
    for (const lanes of BOTH) {
      const { bench, server } = await serving({ lanes })
      server.letsIn = 2
      const calls = Array.from({ length: 200 }, (_, index) => bench.app.call(`c ${index}`, { deadlineMs: 20_000 }))
      calls.push(...Array.from({ length: 8 }, (_, index) => bench.app.call(`hold ${index}`, { deadlineMs: 20_000 })))
      for (let round = 0; round < 100; round++) {
        await bench.run(100)
        server.release()
      }
      expect((await all(calls)).filter((text) => !text.startsWith('c ') && !text.startsWith('hold'))).toEqual([])
      expect(bench.app.statuses.at(-1)).toBe('ready')
      // Ten seconds of back-off from 50 ms to 5 s.
      expect(bench.world.network.dialled.length).toBeLessThan(60)
    }
  })

  test('goes to every address for a pool, and to one for elastic lanes', async () => {
    for (const [lanes, addresses] of [
      ['pool', 3],
      ['elastic', 1],
    ] as const) {
      const bench = new KernelBench()
      for (const id of ['x', 'y', 'z']) new Server(bench, id)
      bench.move('name', ['x', 'y', 'z'])
      bench.app.connect(1, { at: 'name', lanes })
      await bench.run(20)
      for (let count = 0; count < 9; count++) void bench.app.call(`hold ${count}`)
      await bench.run(100)
      expect(bench.world.network.open()).toHaveLength(9)
      expect(new Set(bench.world.network.open().map(({ id }) => id)).size).toBe(addresses)
    }
  })
})

describe('connectionsMax', () => {
  test('is never passed by lanes and sessions together, whoever comes, goes and dies', async () => {
    await withSeed(async (random) => {
      for (let round = 0; round < 30; round++) await anyLoad(random)
    })
  }, 60_000)

  test('keeps a place for sessions while every lane works', async () => {
    for (const lanes of BOTH) {
      const { bench, server } = await serving({ lanes, limits: { connectionsMax: 4, sessionsReserved: 2 } })
      for (let count = 0; count < 20; count++) void bench.app.call(`hold ${count}`)
      await bench.run(100)
      expect(server.open).toBe(2)
      openSession(bench, 1)
      openSession(bench, 2)
      openSession(bench, 3)
      await bench.run(100)
      expect(bench.app.seen('session-ready').map(({ session }) => session)).toEqual([1, 2])
      expect(server.open).toBe(4)
    }
  })

  test('idle lanes make room for sessions, and idle sessions for lanes', async () => {
    const { bench, server } = await serving({ lanes: 'elastic', limits: { connectionsMax: 4 } })
    for (const text of ['a', 'b', 'c']) void bench.app.call(`hold ${text}`)
    await bench.run(50)
    server.release()
    await bench.run(50)
    expect(server.open).toBe(3)
    for (const session of [1, 2, 3]) openSession(bench, session)
    await bench.run(100)
    expect(bench.app.seen('session-ready')).toHaveLength(3)
    expect(server.open).toBe(4)
    for (const session of [1, 2, 3]) bench.app.app.control({ type: 'close-session', session })
    await bench.run(50)
    const calls = ['x', 'y', 'z'].map((text) => bench.app.call(`hold ${text}`))
    await bench.run(100)
    expect(server.holds).toBe(3)
    server.release()
    await bench.run(50)
    expect(await all(calls)).toEqual(['hold x', 'hold y', 'hold z'])
    expect(server.most).toBe(4)
  })
})

/** There is always one lane: it comes beside those that end. Where none ends before its time, the bound is exact. */
async function anyLoad(random: Random): Promise<void> {
  const lanesEnd = random.chance(0.5)
  const connectionsMax = random.between(2, 6)
  const limits = {
    connectionsMax,
    sessionsReserved: random.between(1, connectionsMax - 1),
    sessionsIdleMax: random.below(4),
    laneIdleMs: 1_000,
    laneLifeMs: lanesEnd ? 2_000 : 1_800_000,
    reconnectMinMs: 10,
    reconnectMaxMs: 100,
    drainTimeoutMs: 300,
  }
  const { bench, server } = await serving({ lanes: random.pick(BOTH), limits }, random)
  const sessions = new Set<number>()
  let next = 0
  for (let step = 0; step < 80; step++) {
    const text = `${random.chance(0.4) ? 'hold' : 'c'} ${step}`
    const sort = random.chance(0.3) ? { reads: true, fingerprint: 2 } : {}
    for (let count = random.below(4); count > 0; count--) {
      void bench.app.call(text, { ...sort, exclusive: random.chance(0.2), deadlineMs: 500 })
    }
    if (random.chance(0.3)) {
      sessions.add(++next)
      openSession(bench, next, 500)
    } else if (sessions.size > 0 && random.chance(0.4)) {
      const session = random.pick([...sessions])
      sessions.delete(session)
      bench.app.app.control({ type: 'close-session', session })
    }
    if (random.chance(0.3)) server.release()
    if (lanesEnd && random.chance(0.05)) random.pick([...bench.world.network.open(), undefined])?.reset()
    await bench.run(random.pick([1, 5, 100]))
  }
  expect(server.most).toBeLessThanOrEqual(connectionsMax + (lanesEnd ? 1 : 0))
}

describe('priorities', () => {
  test('while calls wait, the higher get more of the turns, and none waits for ever', async () => {
    const { bench, server } = await serving({ lanes: 'pool', limits: { lanesMax: 1 } })
    const order: string[] = []
    void bench.app.call('hold')
    for (const priority of ['low', 'normal', 'high'] as const) {
      for (let count = 0; count < 200; count++) {
        void bench.app.call(priority, { priority }).then((outcome) => order.push(short(outcome)))
      }
    }
    await bench.run(20)
    server.release()
    await bench.run(3_000)
    expect(order).toHaveLength(600)
    const first = order.slice(0, 105)
    expect(first.filter((text) => text === 'high').length).toBeGreaterThan(70)
    expect(first.filter((text) => text === 'normal').length).toBeGreaterThan(15)
    expect(first.filter((text) => text === 'low').length).toBeGreaterThan(2)
  })

  test('are of no account where callers rely on the order of their calls', async () => {
    const { bench, server } = await serving({ lanes: 'one', limits: { pipelineMax: 1 } })
    const order: string[] = []
    void bench.app.call('hold')
    const priorities = ['low', 'high', 'normal', 'low', 'high'] as const
    for (const [index, priority] of priorities.entries()) {
      void bench.app.call(`c${index}`, { priority }).then((outcome) => order.push(short(outcome)))
    }
    await bench.run(20)
    server.release()
    await bench.run(100)
    expect(order).toEqual(['c0', 'c1', 'c2', 'c3', 'c4'])
  })

  test('a batch of one thread does not hold up the few calls of another', async () => {
    const { bench, server } = await serving({ lanes: 'pool', limits: { lanesMax: 1 } })
    const other = bench.thread()
    other.connect(1, { lanes: 'pool', limits: { lanesMax: 1 } })
    void bench.app.call('hold')
    await bench.run(20)
    let batch = 0
    for (let count = 0; count < 5_000; count++) void bench.app.call('batch', { deadlineMs: 0 }).then(() => batch++)
    await bench.run(5)
    const user = other.call('user')
    let before = -1
    void user.then(() => {
      before = batch
    })
    server.release()
    await bench.run(200)
    expect(short(await user)).toBe('user')
    expect(before).toBeLessThan(5)
  })
})

/** The lines protocol, whose peers say what they are: `primary` or anything else. */
function withRoles(role: (id: string) => string): IoProtocol<Cloneable> {
  function* asked(
    connection: Connection,
    script: (() => Script<Cloneable>) | undefined,
    id: string,
  ): Script<Cloneable> {
    const facts = script === undefined ? undefined : yield* script.call(connection)
    yield* send(Buffer.from('ping\n'))
    yield* frame()
    if (role(id) !== 'primary') throw new RoleError(`${id} is a ${role(id)}`)
    return facts
  }
  return {
    ...(linesIo as unknown as IoProtocol<Cloneable>),
    connection(options, place) {
      const connection = linesIo.connection(options as LinesIo, place)
      const { handshake } = connection
      connection.handshake = () => asked(connection, handshake, place.endpoint.id)
      connection.probe = () => asked(connection, undefined, place.endpoint.id)
      return connection
    },
  }
}

describe('an address that is not what was asked for', () => {
  test('is passed over at the handshake, and left when a probe says so', async () => {
    for (const lanes of ['one', ...BOTH] as const) {
      let primary = 'y'
      const bench = new KernelBench(
        undefined,
        {},
        withRoles((id) => (id === primary ? 'primary' : 'standby')),
      )
      for (const id of ['x', 'y', 'z']) new Server(bench, id)
      bench.move('name', ['x', 'y', 'z'])
      bench.app.connect(1, { at: 'name', lanes, limits: { probeIntervalMs: 500 } })
      await bench.run(500)
      const first = bench.app.call('first')
      await bench.run(50)
      expect(short(await first)).toBe('first')
      primary = 'z'
      await bench.run(5_000)
      const second = bench.app.call('second')
      await bench.run(100)
      expect(short(await second)).toBe('second')
      const asked = bench.world.network.peers.filter((peer) => peer.received.toString().includes('\nsecond\n'))
      expect(asked.map(({ id }) => id)).toEqual(['z'])
    }
  })

  test('by the word of an error is left, and the call that got it fails with that error', async () => {
    for (const lanes of BOTH) {
      const bench = new KernelBench()
      const answer = (id: string) => (text: string) => (text === 'write' && id === 'x' ? '-readonly' : text)
      for (const id of ['x', 'y']) bench.world.network.listen(id, linePeer(answer(id)))
      bench.move('name', ['x', 'y'])
      bench.app.connect(1, { at: 'name', lanes })
      await bench.run(20)
      const calls: Promise<BenchOutcome>[] = []
      for (let count = 0; count < 6; count++) {
        calls.push(bench.app.call('write'))
        await bench.run(100)
      }
      const said = await all(calls)
      expect(said.filter((text) => text === '-readonly').length).toBeLessThanOrEqual(2)
      expect(said.at(-1)).toBe('write')
    }
  })
})

/**
 * Calls that are given up while they run on a lent connection: the peer is asked, over another connection, to cancel
 * them, and that hits nobody else. And silent calls of a session. Rule 4 of `session-pool.ts`, over the channel.
 */
import { describe, expect, test } from 'vitest'
import { CallFlag } from '../channel/records.ts'
import type { AnyOperation } from '../main/slots.ts'
import type { FakePeer } from '../testing/fake-network.ts'
import { type BenchOutcome, type BenchUpstream, KernelBench } from '../testing/kernel-bench.ts'
import { line } from '../testing/line-peer.ts'
import { type Random, withSeed } from '../testing/random.ts'

function short(outcome: BenchOutcome): string {
  return 'text' in outcome ? outcome.text : `${outcome.error.code} ${outcome.error.sent}`
}

/**
 * A server whose connections have numbers, and which works on one line at a time on each: what begins with `run` is
 * answered when it is told to, or when it is cancelled.
 */
class Server {
  /** What happened, in order: `3< line`, `cancel 3`. */
  readonly log: string[] = []
  /** Lines that a cancel hit. */
  readonly hit: string[] = []
  /** How long a cancel takes to be carried out. */
  cancelMs = 0
  readonly bench: KernelBench
  readonly #connections: { readonly peer: FakePeer; readonly waiting: string[] }[] = []

  constructor(bench: KernelBench) {
    this.bench = bench
    bench.world.network.listen('a:1', (peer) => this.#accept(peer))
  }

  /** Finishes what runs on this connection. */
  finish(number: number): void {
    const connection = this.#connections[number]
    if (connection?.waiting[0]?.startsWith('run') !== true) return
    connection.peer.send(`done ${connection.waiting.shift()}\n`)
    this.#work(number)
  }

  finishAll(): void {
    for (const number of this.#connections.keys()) this.finish(number)
  }

  #accept(peer: FakePeer): void {
    const number = this.#connections.push({ peer, waiting: [] }) - 1
    let rest = ''
    peer.onData = (bytes) => {
      const texts = (rest + bytes.toString()).split('\n')
      rest = texts.pop() as string
      for (const text of texts) this.#take(number, text, peer)
    }
  }

  #take(number: number, text: string, peer: FakePeer): void {
    if (text.startsWith('cancel ')) {
      this.bench.world.after(this.cancelMs, () => {
        this.log.push(text)
        this.#cancel(Number(text.slice(7)))
        peer.end()
      })
      return
    }
    if (text.startsWith('hello')) return peer.send(`welcome ${number}\n`)
    this.log.push(`${number}< ${text}`)
    this.#connections[number]?.waiting.push(text)
    this.#work(number)
  }

  #cancel(number: number): void {
    const connection = this.#connections[number]
    const running = connection?.waiting[0]
    if (connection === undefined || running === undefined) return
    this.hit.push(connection.waiting.shift() as string)
    connection.peer.send('-cancelled\n')
    this.#work(number)
  }

  #work(number: number): void {
    const { peer, waiting } = this.#connections[number] as { peer: FakePeer; waiting: string[] }
    while (waiting.length > 0 && waiting[0]?.startsWith('run') === false) {
      const text = waiting.shift() as string
      if (!text.startsWith('say')) peer.send(text === 'reset' ? 'ok\n' : `${text}\n`)
    }
  }
}

async function serving(upstream: BenchUpstream = {}, random?: Random): Promise<{ bench: KernelBench; server: Server }> {
  const bench = random === undefined ? new KernelBench() : new KernelBench(random)
  const server = new Server(bench)
  bench.app.connect(1, { cancel: true, ...upstream })
  await bench.run(20)
  return { bench, server }
}

async function session(bench: KernelBench, number: number): Promise<void> {
  bench.app.app.control({ type: 'open-session', session: number, target: 1, deadlineMs: 1_000 })
  await bench.run(20)
}

const SAY = { ...line, name: 'say', decode: () => 'left' } as unknown as AnyOperation

/** A call that nothing answers. */
function say(bench: KernelBench, text: string, number: number, deadlineMs: number = 1_000): Promise<string> {
  const flags = CallFlag.Session | CallFlag.Silent
  const promise = bench.app.app.call(SAY, text, number, flags, deadlineMs, 1 << 20, undefined)
  return promise.then(String, (error: { code: string; sent: string }) => `${error.code} ${error.sent}`)
}

describe('a call that is given up while it runs', () => {
  test('is cancelled over another connection, and the session goes on on its own', async () => {
    for (const how of ['abort', 'deadline']) {
      const { bench, server } = await serving()
      await session(bench, 1)
      const controller = new AbortController()
      const run = bench.app.call('run', {
        session: 1,
        ...(how === 'abort' ? { signal: controller.signal } : { deadlineMs: 30 }),
      })
      await bench.run(20)
      controller.abort()
      await bench.run(50)
      expect(short(await run)).toMatch(/^(ABORTED|DEADLINE) maybe$/)
      expect(server.hit).toEqual(['run'])
      const next = bench.app.call('next', { session: 1 })
      await bench.run(50)
      expect(short(await next)).toBe('next')
      expect(server.log).toEqual(['1< run', 'cancel 1', '1< next'])
      expect(bench.app.seen('session-lost')).toEqual([])
      expect(bench.app.app.owed).toBe(false)
    }
  })

  test('lets nothing be written until it is answered and the canceller is closed', async () => {
    for (const first of ['answer', 'canceller']) {
      const { bench, server } = await serving()
      server.cancelMs = first === 'answer' ? 100 : 0
      await session(bench, 1)
      const controller = new AbortController()
      void bench.app.call('run', { session: 1, signal: controller.signal })
      await bench.run(20)
      controller.abort()
      const next = bench.app.call('run next', { session: 1 })
      if (first === 'answer') {
        await bench.run(10)
        server.finish(1)
        await bench.run(30)
        expect(server.log).toEqual(['1< run'])
      }
      await bench.run(200)
      server.finish(1)
      await bench.run(20)
      // A late cancel found nothing to hit.
      expect(server.hit).toEqual(first === 'answer' ? [] : ['run'])
      expect(short(await next)).toBe('done run next')
      expect(server.log).toEqual(['1< run', 'cancel 1', '1< run next'])
    }
  })

  test('that has its connection to itself gives it back after it, or loses it where it cannot', async () => {
    for (const cancel of [true, false]) {
      const { bench, server } = await serving({ cancel })
      const run = bench.app.call('run', { exclusive: true, deadlineMs: 30 })
      await bench.run(200)
      expect(short(await run)).toBe('DEADLINE maybe')
      const next = bench.app.call('next', { exclusive: true })
      await bench.run(50)
      expect(short(await next)).toBe('next')
      expect(server.log).toEqual(cancel ? ['1< run', 'cancel 1', '1< next'] : ['1< run', '2< next'])
      expect(bench.app.app.owed).toBe(false)
    }
  })

  test('costs its connection when it is not answered within cancelTimeoutMs', async () => {
    const { bench, server } = await serving({ limits: { cancelTimeoutMs: 300 } })
    server.cancelMs = 1_000
    await session(bench, 1)
    const run = bench.app.call('run', { session: 1, deadlineMs: 30 })
    await bench.run(40)
    const held = bench.app.call('held', { session: 1 })
    await bench.run(1_500)
    expect(short(await run)).toBe('DEADLINE maybe')
    expect(short(await held)).toMatch(/ no$/)
    expect(bench.app.seen('session-lost').map((event) => event.session)).toEqual([1])
    expect(server.log).not.toContain('1< held')
    expect(bench.app.app.owed).toBe(false)
  })

  test('and whose session is given back meanwhile: reset first, then somebody else', async () => {
    const { bench, server } = await serving({ limits: { sessionsMax: 1 } })
    server.cancelMs = 50
    await session(bench, 1)
    void bench.app.call('run', { session: 1, deadlineMs: 20 })
    await bench.run(40)
    const held = bench.app.call('held', { session: 1 })
    await bench.run(1)
    bench.app.app.control({ type: 'close-session', session: 1 })
    bench.app.app.control({ type: 'open-session', session: 2, target: 1, deadlineMs: 5_000 })
    await bench.run(200)
    expect(short(await held)).toMatch(/ no$/)
    const mine = bench.app.call('mine', { session: 2 })
    await bench.run(50)
    expect(short(await mine)).toBe('mine')
    expect(server.log).toEqual(['1< run', 'cancel 1', '1< reset', '1< mine'])
  })

  test('among others of its session is not cancelled: nobody knows which of them runs', async () => {
    const { bench, server } = await serving()
    await session(bench, 1)
    const first = bench.app.call('run one', { session: 1, deadlineMs: 30 })
    const second = bench.app.call('run two', { session: 1 })
    await bench.run(100)
    expect(short(await first)).toBe('DEADLINE maybe')
    expect(server.log).toEqual(['1< run one', '1< run two'])
    server.finish(1)
    await bench.run(20)
    server.finish(1)
    await bench.run(20)
    expect(short(await second)).toBe('done run two')
  })

  test('whenever what ends: a cancel hits the call it was for or nobody', async () => {
    await withSeed(async (random) => {
      for (let round = 0; round < 60; round++) await cancelAnything(random)
    })
  }, 60_000)
})

async function cancelAnything(random: Random): Promise<void> {
  const { bench, server } = await serving({ limits: { sessionsMax: 2, cancelTimeoutMs: 200 } }, random)
  const outcomes = new Map<string, string>()
  const aborted = new Set<string>()
  for (const number of [1, 2])
    bench.app.app.control({ type: 'open-session', session: number, target: 1, deadlineMs: 1_000 })
  await bench.run(20)
  for (let number = 0; number < 30; number++) {
    server.cancelMs = random.pick([0, 5, 20, 300])
    const text = random.chance(0.6) ? `run ${number}` : `ask ${number}`
    const controller = new AbortController()
    const options = random.chance(0.2) ? { exclusive: true } : { session: random.between(1, 2) }
    void bench.app
      .call(text, { ...options, signal: controller.signal, deadlineMs: 2_000 })
      .then((outcome) => outcomes.set(text, short(outcome)))
    if (random.chance(0.5)) {
      bench.world.after(random.below(20), () => {
        aborted.add(text)
        controller.abort()
      })
    }
    await bench.run(random.pick([0, 3, 10, 30]))
    if (random.chance(0.5)) server.finishAll()
  }
  for (let count = 0; count < 100; count++) {
    server.finishAll()
    await bench.run(50)
  }
  for (const hit of server.hit) expect(aborted, `${hit} was hit`).toContain(hit)
  expect(outcomes.size).toBe(30)
  for (const [text, outcome] of outcomes) {
    expect([
      text,
      `done ${text}`,
      'ABORTED maybe',
      'ABORTED no',
      'DEADLINE no',
      'SESSION_CLOSED no',
      'SESSION_CLOSED maybe',
      'SESSION_LOST no',
    ]).toContain(outcome)
    if (outcome.endsWith(' no')) expect(server.log.filter((each) => each.endsWith(`< ${text}`))).toEqual([])
  }
  expect(bench.app.app.owed).toBe(false)
}

describe('silent calls of a session', () => {
  test('settle when they have left, in order with what is answered', async () => {
    const { bench, server } = await serving()
    await session(bench, 1)
    const order: string[] = []
    const calls = [
      say(bench, 'say a', 1).then(() => order.push('a')),
      bench.app.call('b', { session: 1 }).then(() => order.push('b')),
      say(bench, 'say c', 1).then(() => order.push('c')),
      bench.app.call('d', { session: 1 }).then(() => order.push('d')),
    ]
    await bench.run(50)
    await Promise.all(calls)
    expect(server.log).toEqual(['1< say a', '1< b', '1< say c', '1< d'])
    expect(order).toEqual(['a', 'c', 'b', 'd'])
    expect(bench.app.app.owed).toBe(false)
  })

  test('whose connection stalls wait; at the deadline they say maybe and leave no trace', async () => {
    const { bench } = await serving()
    await session(bench, 1)
    const peer = bench.world.network.open()[1] as FakePeer
    peer.pause()
    const said = say(bench, 'say a', 1, 50)
    await bench.run(200)
    expect(await said).toBe('DEADLINE maybe')
    expect(bench.app.app.owed).toBe(true)
    peer.resume()
    await bench.run(50)
    expect(bench.app.app.owed).toBe(false)
    const next = bench.app.call('next', { session: 1 })
    await bench.run(20)
    expect(short(await next)).toBe('next')
  })

  test('whose connection is lost say maybe, once', async () => {
    const { bench } = await serving()
    await session(bench, 1)
    const peer = bench.world.network.open()[1] as FakePeer
    peer.pause()
    const said = Promise.all(['say a', 'say b'].map((text) => say(bench, text, 1)))
    await bench.run(20)
    peer.reset()
    await bench.run(50)
    expect(await said).toEqual(['CONNECTION_LOST maybe', 'CONNECTION_LOST maybe'])
    expect(bench.app.app.owed).toBe(false)
  })

  test('made while a cancel is under way wait for its end', async () => {
    const { bench, server } = await serving()
    server.cancelMs = 50
    await session(bench, 1)
    void bench.app.call('run', { session: 1, deadlineMs: 20 })
    await bench.run(30)
    const said = say(bench, 'say a', 1)
    const next = bench.app.call('b', { session: 1 })
    await bench.run(200)
    expect([await said, short(await next)]).toEqual(['left', 'b'])
    expect(server.log).toEqual(['1< run', 'cancel 1', '1< say a', '1< b'])
  })

  test('of a session given back leave before the reset', async () => {
    const { bench, server } = await serving({ limits: { sessionsMax: 1 } })
    await session(bench, 1)
    const said = say(bench, 'say a', 1)
    bench.app.app.control({ type: 'close-session', session: 1 })
    await session(bench, 2)
    await bench.run(50)
    expect(await said).toBe('left')
    expect(server.log).toEqual(['1< say a', '1< reset'])
  })
})

test('where replies name what they answer, a call of a connection of its own costs it just the same', async () => {
  const bench = new KernelBench()
  bench.world.network.listen('a:1', () => undefined)
  bench.app.connect(1, { handshake: false, correlated: true })
  await bench.run(20)
  const slow = bench.app.call('slow', { exclusive: true, deadlineMs: 50 })
  await bench.run(100)
  const next = bench.app.call('next', { exclusive: true })
  await bench.run(20)
  expect(short(await slow)).toBe('DEADLINE maybe')
  expect(bench.world.network.open().map(({ received }) => received.toString())).toEqual(['', 'next\n'])
  bench.world.network.open()[1]?.send('answer\n')
  await bench.run(20)
  expect(short(await next)).toBe('answer')
})

/**
 * The I/O end of a channel: an application that does not look gets no more than its share of memory, loses nothing
 * without being told, and never stands in the way of another; submissions that were left in the ring are taken again,
 * in every order of the two threads' operations.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { type Doorbell, ioEnd } from '../channel/channel.ts'
import { packKind, Submission, WORD_CALL, WORD_KIND } from '../channel/records.ts'
import { RingConsumer, RingProducer, ringMemory } from '../channel/ring.ts'
import type { AnyOperation } from '../main/slots.ts'
import { KERNEL_LIMITS } from '../shared/limits.ts'
import { type Outcome, type Program, runSchedule } from '../testing/interleave.ts'
import { KernelBench } from '../testing/kernel-bench.ts'
import { line, linePeer } from '../testing/line-peer.ts'
import { Pair, TARGET } from '../testing/pair.ts'
import { type Random, withSeed } from '../testing/random.ts'
import { Attachment, type AttachmentHost } from './attachment.ts'

let pair: Pair | undefined
afterEach(() => {
  pair?.restore()
  pair = undefined
})

function open(limits: ConstructorParameters<typeof Pair>[0] = {}): Pair {
  pair = new Pair(limits)
  return pair
}

function call(each: Pair, text: string, options?: { signal: AbortSignal }): Promise<string> {
  const promise = each.app.call(
    line as unknown as AnyOperation,
    text,
    TARGET,
    0,
    0,
    1 << 20,
    options,
  ) as Promise<string>
  promise.catch(() => undefined)
  return promise
}

describe('pushes', () => {
  test('longer than a record arrive in pieces, in order, whole', () => {
    const each = open()
    const bytes = Buffer.alloc(30_000, 'push')
    each.io.push(4, 0, bytes, 0, bytes.length)
    each.io.push(5, 0, Buffer.from('small'), 0, 5)
    each.settle()
    const large = each.pushes.filter(({ interest }) => interest === 4)
    expect(Buffer.concat(large.map((push) => push.bytes)).equals(bytes)).toBe(true)
    expect(large.map(({ more }) => more)).toEqual([...Array.from({ length: large.length - 1 }, () => true), false])
    expect(each.pushes.at(-1)).toMatchObject({ interest: 5, more: false })
  })

  test('of nothing are pushes', () => {
    const each = open()
    each.io.push(4, 0, Buffer.alloc(0), 0, 0)
    each.settle()
    expect(each.pushes).toEqual([{ interest: 4, bytes: Buffer.alloc(0), more: false }])
  })

  test.each([0, 1, 100, 900])('of %i bytes to a thread that does not look are bounded, and leave one gap', (length) => {
    const each = open({ overflowBytesMax: 20_000 })
    const bytes = Buffer.alloc(length, 'p')
    for (let count = 0; count < 20_000; count++) each.io.push(4, 0, bytes, 0, length)
    expect(each.io.overflowBytes).toBeLessThanOrEqual(25_000)
    each.io.push(5, 0, Buffer.from('other'), 0, 5)
    each.settle()
    expect(each.pushes.length).toBeLessThan(2_000)
    expect(each.events.filter((event) => event.type === 'interest-gap' && event.interest === 4)).toHaveLength(1)
    const before = each.pushes.length
    each.io.push(4, 0, Buffer.from('after'), 0, 5)
    each.settle()
    expect(each.pushes.slice(before).map((push) => push.bytes.toString())).toEqual(['after'])
  })

  test('a gap never lies in the middle of one', () => {
    const each = open({ overflowBytesMax: 10_000 })
    for (let count = 0; count < 50; count++) {
      const bytes = Buffer.alloc(3_000, count)
      each.io.push(4, 0, bytes, 0, bytes.length)
    }
    each.settle()
    let whole = Buffer.alloc(0)
    for (const push of each.pushes) {
      whole = Buffer.concat([whole, push.bytes])
      if (push.more) continue
      expect(whole.equals(Buffer.alloc(3_000, whole[0]))).toBe(true)
      whole = Buffer.alloc(0)
    }
    expect(whole).toHaveLength(0)
  })
})

describe('submissions', () => {
  test('are not taken while answers wait: writing stops before reading does', () => {
    const each = open()
    for (let count = 0; count < 40; count++) void call(each, `${count}`.padEnd(100))
    each.drainIo()
    const held = each.held.count
    expect(held).toBeGreaterThan(0)
    while (each.held.first !== undefined) each.reply(each.held.first, Buffer.alloc(900))
    expect(each.io.overflowBytes).toBeGreaterThan(0)
    for (let round = 0; round < 5; round++) each.drainIo()
    expect(each.held.count).toBe(0)
    each.settle()
    expect(each.held.count).toBeGreaterThan(0)
  })

  test('a cancel of another generation, or of nobody, is ignored', async () => {
    const each = open()
    const promise = call(each, 'x')
    each.settle()
    const { out } = each.appEnd
    for (const id of [each.held.first?.id as number, 99].map((known) => known + (5 << 20))) {
      const offset = out.begin(0)
      out.words[(offset >> 2) + WORD_KIND] = packKind(Submission.Cancel, 0, 0)
      out.words[(offset >> 2) + WORD_CALL] = id
      out.commit(0)
    }
    each.drainIo()
    each.reply(each.held.first as never, Buffer.from('ok'))
    each.settle()
    expect(await promise).toBe('ok')
  })

  test('a drain gives the event loop back after drainMsMax, and goes on in the next turn', () => {
    const each = open({ submissionBytes: 1 << 20, drainMsMax: 2 })
    for (let count = 0; count < 2_000; count++) void call(each, 'x')
    const nowMs = each.nowMs.bind(each)
    let looks = 0
    each.nowMs = () => nowMs() + looks++
    expect(each.io.drain()).toBe(true)
    expect(each.held.count).toBeLessThan(1_000)
    let turns = 1
    while (each.io.drain()) turns++
    expect(turns).toBeGreaterThan(2)
    expect(each.held.count).toBe(2_000)
  })
})

test('a thread that does not look costs nobody else: the others are answered, its own calls overflow', async () => {
  const bench = new KernelBench(undefined, {
    overflowBytesMax: 50_000,
    submissionBytes: 1 << 16,
    completionBytes: 1 << 12,
  })
  bench.world.network.listen(
    'a:1',
    linePeer((text) => (text.startsWith('big') ? `${text}${'x'.repeat(5_000)}` : text)),
  )
  const slow = bench.app
  const quick = bench.thread()
  for (const thread of [slow, quick]) thread.connect(1)
  await bench.run(20)
  slow.isBusy = true
  const bigs = Array.from({ length: 60 }, () => slow.call('big'))
  await bench.run(20)
  for (let round = 0; round < 20; round++) {
    const outcome = quick.call(`quick ${round}`)
    await bench.run(5)
    expect(await outcome).toEqual({ text: `quick ${round}` })
  }
  slow.look()
  await bench.run(100)
  const outcomes = await Promise.all(bigs)
  const lost = outcomes.filter((outcome) => 'error' in outcome)
  expect(lost.length).toBeGreaterThan(0)
  expect(lost.length).toBeLessThan(60)
  for (const outcome of lost) expect(outcome).toMatchObject({ error: { code: 'OVERFLOW', sent: 'maybe' } })
  expect(slow.app.owed).toBe(false)
}, 30_000)

// ---- Submissions that were left, in every order of the atomic operations -------------------------------------

const KB = 1024
/** What fits the completion ring four times. */
const PUSH = Buffer.alloc(KB / 4 - 32)

class Bell implements Doorbell {
  readonly #word: Int32Array
  #heard = 0

  constructor(memory: SharedArrayBuffer) {
    this.#word = new Int32Array(memory)
  }

  ring(): void {
    Atomics.add(this.#word, 0, 1)
    Atomics.notify(this.#word, 0)
  }

  hear(): void {
    Atomics.wait(this.#word, 0, this.#heard)
    this.#heard = Atomics.load(this.#word, 0)
  }
}

/**
 * The I/O side has answers waiting and a submission left in its ring; one more answer comes from a socket while the
 * application makes room. The submission must be taken in the end.
 */
function leftInTheRing(drainLater: (bell: Bell) => void): readonly Program[] {
  const memory = { submission: ringMemory(KB), completion: ringMemory(KB) }
  const bells = { io: new SharedArrayBuffer(4), app: new SharedArrayBuffer(4) }
  const submitted = new RingProducer(memory.submission)
  submitted.words[(submitted.begin(0) >> 2) + WORD_KIND] = packKind(Submission.Cancel, 0, 0)
  submitted.commit(0)
  let io: { attachment: Attachment; bell: Bell; end: ReturnType<typeof ioEnd> }
  let app: { consumer: RingConsumer; bell: Bell; ioBell: Bell }
  const records = 6
  return [
    {
      prepare: () => {
        const bell = new Bell(bells.io)
        const host = {
          limits: KERNEL_LIMITS,
          nowMs: () => 1,
          drainLater: () => drainLater(bell),
        } as unknown as AttachmentHost
        const end = ioEnd(memory, new Bell(bells.app))
        io = { attachment: new Attachment(end, host), bell, end }
        for (let count = 0; count < records - 1; count++) io.attachment.push(1, 0, PUSH, 0, PUSH.length)
        io.attachment.drain()
      },
      run: () => {
        io.attachment.push(1, 0, PUSH, 0, PUSH.length)
        while (!io.end.in.isEmpty()) {
          io.bell.hear()
          while (io.attachment.drain());
        }
      },
    },
    {
      prepare: () => {
        app = { consumer: new RingConsumer(memory.completion), bell: new Bell(bells.app), ioBell: new Bell(bells.io) }
      },
      run: () => {
        const { consumer, bell, ioBell } = app
        for (let taken = 0; taken < records; ) {
          consumer.wake()
          for (let offset = consumer.peek(); offset !== -1; offset = consumer.peek()) {
            consumer.next(offset)
            taken++
          }
          if (consumer.release()) ioBell.ring()
          if (taken < records && consumer.sleep()) bell.hear()
        }
      },
    },
  ]
}

function sample(random: Random, count: number, drainLater: (bell: Bell) => void): Outcome[] {
  const lost: Outcome[] = []
  for (let round = 0; round < count; round++) {
    // Long runs of one side, so that the rare orders are met too.
    let favoured = 0
    const outcome = runSchedule(leftInTheRing(drainLater), (able) => {
      if (random.chance(0.25)) favoured = random.below(2)
      return able.includes(favoured) ? favoured : (able[0] as number)
    })
    if (outcome.stuck.length > 0) lost.push(outcome)
  }
  return lost
}

test('submissions left in the ring are taken again, whoever empties the backlog, whenever room is made', async () => {
  await withSeed((random) => {
    expect(sample(random, 3_000, (bell) => bell.ring())).toEqual([])
  })
}, 30_000)

test('and the sample would notice: without the drain that is asked for, some order leaves them there', async () => {
  await withSeed((random) => {
    expect(sample(random, 3_000, () => undefined).length).toBeGreaterThan(0)
  })
}, 30_000)

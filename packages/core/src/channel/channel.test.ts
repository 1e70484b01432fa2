/**
 * A channel of two rings: full in both directions at once, records that wait in a backlog, who rings whom, and the same
 * between two real threads (which run the built `dist/`).
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { type Random, seedOfRun, withSeed } from '../testing/random.ts'
import { Backlog } from './backlog.ts'
import { applicationEnd, type ChannelEnd, channelMemory, ioEnd } from './channel.ts'
import { kindOf, WORD_CALL, WORD_KIND } from './records.ts'
import { HEADER_BYTES } from './ring.ts'

const KB = 1024

function record(number: number, payload: Uint8Array) {
  return { kind: 1, call: number, a: 0, b: 0, c: 0, time: 0.5, payload }
}

function take(end: ChannelEnd): { readonly number: number; readonly payload: Buffer } | undefined {
  const offset = end.in.peek()
  if (offset === -1) return undefined
  const length = end.in.words[offset >> 2] as number
  const payload = Buffer.from(end.in.bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length))
  expect(kindOf(end.in.words[(offset >> 2) + WORD_KIND] as number)).toBe(1)
  const number = end.in.words[(offset >> 2) + WORD_CALL] as number
  end.in.next(offset)
  return { number, payload }
}

describe('a backlog', () => {
  test('keeps the order, loses nothing, and counts its bytes', () => {
    const memory = channelMemory(KB, KB)
    const sender = applicationEnd(memory, { ring: () => undefined })
    const reader = ioEnd(memory, { ring: () => undefined })
    const backlog = new Backlog(sender.out, { published: () => sender.wakeReader() })
    for (let number = 0; number < 100; number++) backlog.push(record(number, Buffer.alloc(number, number)))
    expect(backlog.bytes).toBeGreaterThanOrEqual(4950)
    let expected = 0
    let rounds = 0
    while (expected < 100) {
      const done = backlog.flush()
      expect(backlog.isEmpty).toBe(done)
      sender.invariants()
      for (let taken = take(reader); taken !== undefined; taken = take(reader)) {
        expect(taken).toEqual({ number: expected, payload: Buffer.alloc(expected, expected) })
        expected++
      }
      reader.release()
      if (++rounds > 100) throw new Error('the backlog makes no progress')
    }
    expect(backlog.isEmpty).toBe(true)
    expect(backlog.bytes).toBe(0)
  })

  test('counts what a record costs, so that many empty ones do not slip through a limit', () => {
    const sender = applicationEnd(channelMemory(KB, KB), { ring: () => undefined })
    const backlog = new Backlog(sender.out, { published: () => undefined })
    for (let number = 0; number < 1_000; number++) backlog.push(record(number, Buffer.alloc(0)))
    expect(backlog.bytes).toBeGreaterThan(1_000 * HEADER_BYTES)
  })

  test('calls published after each record, and rings for room that appears', () => {
    const memory = channelMemory(KB, KB)
    let rung = 0
    const sender = applicationEnd(memory, { ring: () => undefined })
    const reader = ioEnd(memory, { ring: () => rung++ })
    let published = 0
    const backlog = new Backlog(sender.out, { published: () => void published++ })
    for (let number = 0; number < 60; number++) backlog.push(record(number, Buffer.alloc(20)))
    expect(backlog.flush()).toBe(false)
    expect(published).toBe(18)
    take(reader)
    reader.release()
    expect(rung).toBe(1)
    take(reader)
    reader.release()
    // It was rung for already: once is enough until the producer waits again.
    expect(rung).toBe(1)
  })

  test('lets records be withdrawn from any place', () => {
    const memory = channelMemory(KB, KB)
    const sender = applicationEnd(memory, { ring: () => undefined })
    const reader = ioEnd(memory, { ring: () => undefined })
    const backlog = new Backlog(sender.out, { published: () => undefined })
    const records = Array.from({ length: 40 }, (_, number) => record(number, Buffer.alloc(100)))
    for (const each of records) backlog.push(each)
    backlog.flush()
    for (const number of [20, 39, 39]) backlog.drop(records[number] as (typeof records)[number])
    const seen: number[] = []
    for (let round = 0; round < 20; round++) {
      for (let taken = take(reader); taken !== undefined; taken = take(reader)) seen.push(taken.number)
      reader.release()
      backlog.flush()
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, number) => number).filter((each) => each !== 20 && each !== 39))
    expect(backlog.bytes).toBe(0)
  })
})

/** One end of a channel that sends and takes by itself, and keeps a plain list of what it should see. */
class Side {
  readonly end: ChannelEnd
  readonly backlog: Backlog
  /** The other one must be told by a doorbell before it may act. */
  sleeping = false
  waits = false
  sent = 0
  taken = 0

  constructor(end: ChannelEnd) {
    this.end = end
    this.backlog = new Backlog(end.out, { published: () => end.wakeReader() })
  }
}

test('full in both directions at once: nothing is lost, reordered or waited for in vain', async () => {
  await withSeed((random) => {
    for (const bytes of [KB, 4 * KB]) bothDirections(random, bytes, 200_000)
  })
}, 60_000)

function bothDirections(random: Random, bytes: number, steps: number): void {
  const memory = channelMemory(bytes, bytes)
  const sides: Side[] = []
  const ring = (index: number) => () => {
    const side = sides[index] as Side
    side.sleeping = false
    side.waits = false
  }
  sides.push(new Side(applicationEnd(memory, { ring: ring(1) })), new Side(ioEnd(memory, { ring: ring(0) })))
  const wanted = Math.floor(steps / 8)
  for (let step = 0; step < steps * 20; step++) {
    const index = random.below(2)
    const side = sides[index] as Side
    const other = sides[1 - index] as Side
    if (side.taken === wanted && other.taken === wanted) return
    if (side.sleeping && (side.waits || side.sent === wanted)) continue
    act(random, side, wanted, side.end.out.payloadMax)
    side.end.invariants()
  }
  throw new Error(`stuck: ${sides.map(({ sent, taken }) => `${sent} sent, ${taken} taken`).join(', ')}`)
}

function act(random: Random, side: Side, wanted: number, payloadMax: number): void {
  switch (random.below(3)) {
    case 0: {
      // Sends, into the backlog when the ring is full; a side whose backlog waits does nothing until it is rung.
      if (side.waits || side.sent === wanted) return
      const length = random.chance(0.3) ? random.below(payloadMax + 1) : random.below(32)
      side.backlog.push(record(side.sent, Buffer.alloc(length, side.sent)))
      side.sent++
      side.waits = !side.backlog.flush()
      return
    }
    case 1: {
      if (side.sleeping) return
      side.end.in.wake()
      if (!side.backlog.isEmpty) side.waits = !side.backlog.flush()
      const taken = take(side.end)
      if (taken !== undefined) {
        if (taken.number !== side.taken) throw new Error(`record ${taken.number} instead of ${side.taken}`)
        if (!taken.payload.every((byte) => byte === (side.taken & 255)))
          throw new Error(`record ${taken.number} is damaged`)
        side.taken++
      }
      side.end.release()
      return
    }
    default:
      if (!side.backlog.isEmpty && !side.waits) side.waits = !side.backlog.flush()
      if (!side.sleeping) side.sleeping = side.end.in.sleep()
  }
}

/**
 * Both ends run this: each sends COUNT records and takes COUNT, with doorbells over a port, or blocked in Atomics.wait.
 */
const THREAD = `
const { workerData, parentPort } = require('node:worker_threads')
const { memory, port, which, count, seed, blocking, dist } = workerData
const HEADER = 32, KIND = 1, CALL = 2, A = 3
async function main() {
  const { applicationEnd, ioEnd } = await import(dist)
  let heard = () => undefined
  port.on('message', () => heard())
  const end = (which === 0 ? applicationEnd : ioEnd)(memory, { ring: () => port.postMessage(0) })
  let state = seed
  const random = () => {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5
    return state >>> 0
  }
  let sent = 0, taken = 0, waits = false, sums = 0
  const send = () => {
    while (sent < count) {
      const length = random() % 8 === 0 ? random() % (end.out.payloadMax + 1) : random() % 24
      let offset = end.out.begin(length)
      if (offset === -1) {
        if (end.out.waitForRoom(length)) return
        continue
      }
      let sum = 0
      for (let at = 0; at < length; at++) {
        const byte = (sent * 31 + at * 7) & 255
        end.out.bytes[offset + HEADER + at] = byte
        sum = (sum * 33 + byte) | 0
      }
      end.out.words[(offset >> 2) + KIND] = 1
      end.out.words[(offset >> 2) + CALL] = sent
      end.out.words[(offset >> 2) + A] = sum
      end.out.commit(length)
      end.wakeReader()
      sent++
      if (sent % 64 === 0) receive()
    }
  }
  const receive = () => {
    for (let offset = end.in.peek(); offset !== -1; offset = end.in.peek()) {
      const words = end.in.words, at = offset >> 2, length = words[at]
      if (words[at + CALL] !== taken) throw new Error('record ' + words[at + CALL] + ' instead of ' + taken)
      let sum = 0
      for (let index = 0; index < length; index++) sum = (sum * 33 + end.in.bytes[offset + HEADER + index]) | 0
      if (sum !== words[at + A]) throw new Error('record ' + taken + ' is damaged')
      sums = (sums + sum) | 0
      end.in.next(offset)
      if (++taken % 16 === 0) end.release()
    }
    end.release()
  }
  for (;;) {
    send()
    receive()
    if (sent === count && taken === count) break
    end.invariants()
    if (blocking && sent === count) {
      end.in.block(20_000)
    } else if (end.in.sleep()) {
      await new Promise((resolve) => { heard = resolve })
    } else {
      // Only what is in the ring now: the event loop must get its turn, or doorbells pile up.
    }
    end.in.wake()
  }
  port.close()
  parentPort.postMessage(taken)
}
main().catch((error) => { setImmediate(() => { throw error }) })
`

test.each([
  ['doorbells, 1 KB each way', KB, KB, 400_000, false],
  ['doorbells, 1 KB against 64 KB', KB, 64 * KB, 300_000, false],
  ['one of them blocked in Atomics.wait', 4 * KB, 4 * KB, 300_000, true],
])(
  'two real threads exchange records without losing one: %s',
  async (_name, submissionBytes, completionBytes, count, blocking) => {
    const seed = seedOfRun()
    const memory = channelMemory(submissionBytes, completionBytes)
    const { port1, port2 } = new MessageChannel()
    const dist = new URL('../../dist/channel/channel.js', import.meta.url).href
    const workers = [port1, port2].map((port, which) => {
      const workerData = { memory, port, which, count, seed: seed + which, blocking: blocking && which === 0, dist }
      return new Worker(THREAD, { eval: true, workerData, transferList: [port] })
    })
    try {
      const taken = await Promise.all(
        workers.map(
          (worker) =>
            new Promise((resolve, reject) => {
              worker.once('message', resolve)
              worker.once('error', reject)
            }),
        ),
      )
      expect(taken, `seed ${seed}`).toEqual([count, count])
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
  },
  60_000,
)

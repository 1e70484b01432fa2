/**
 * The whole channel as a model test: an application that calls, cancels and is busy; an I/O side that answers, fails,
 * expires and is busy; in every order of their turns that a seed produces. Every call settles exactly once, with its
 * own answer; requests arrive in order; nothing is left.
 */
import { expect, test } from 'vitest'
import { type Call, CallState } from '../io/call.ts'
import { type IoKernelError, LocalError, RemoteError } from '../plugin/errors.ts'
import type { Operation } from '../plugin/protocol.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { Pair, TARGET } from '../testing/pair.ts'
import { type Random, withSeed } from '../testing/random.ts'
import type { AnyOperation } from './slots.ts'

/** A request of the test: its number, the length of the reply it wants, and filling. */
const numbered: Operation<
  { readonly number: number; readonly replyBytes: number; readonly fillBytes: number },
  number
> = {
  name: 'numbered',
  access: 'read',
  on: 'lane',
  idempotent: false,
  encode(out, { number, replyBytes, fillBytes }) {
    out.u32be(number)
    out.u32be(replyBytes)
    for (let at = 0; at < fillBytes; at++) out.u8((number + at) & 255)
    return number
  },
  decode({ bytes, start, end }, { number, replyBytes }) {
    if (bytes.readUInt32BE(start) !== number)
      throw new Error(`the reply of ${bytes.readUInt32BE(start)} came to ${number}`)
    if (end - start !== 4 + replyBytes) throw new Error(`a reply of ${end - start} bytes instead of ${4 + replyBytes}`)
    for (let at = 0; at < replyBytes; at++) {
      if (bytes[start + 4 + at] !== ((number * 3 + at) & 255))
        throw new Error(`byte ${at} of reply ${number} is damaged`)
    }
    return number
  },
}

function replyTo(payload: Buffer): Buffer {
  const number = payload.readUInt32BE(0)
  for (let at = 8; at < payload.length; at++) {
    if (payload[at] !== ((number + at - 8) & 255)) throw new Error(`byte ${at} of request ${number} is damaged`)
  }
  const reply = Buffer.alloc(4 + payload.readUInt32BE(4))
  reply.writeUInt32BE(number, 0)
  for (let at = 0; at + 4 < reply.length; at++) reply[4 + at] = (number * 3 + at) & 255
  return reply
}

interface Caller {
  readonly number: number
  readonly controller: AbortController | undefined
  settledTimes: number
}

/** Swarm: each run has other weights, and some things never happen in it. */
interface Weights {
  readonly calls: number
  readonly aborts: number
  readonly failures: number
  readonly expiries: number
  readonly pieces: number
  readonly large: number
  readonly appBusy: number
  readonly ioBusy: number
}

function weights(random: Random): Weights {
  const some = (most: number): number => (random.chance(0.3) ? 0 : random.unit() * most)
  return {
    calls: 0.1 + random.unit(),
    aborts: some(0.3),
    failures: some(0.2),
    expiries: some(0.3),
    pieces: some(0.5),
    large: some(0.1),
    appBusy: some(0.95),
    ioBusy: some(0.95),
  }
}

class Run {
  readonly #random: Random
  readonly #weights: Weights
  readonly #pair: Pair
  readonly #callers: Caller[] = []
  /** Numbers in the order of the calls that were accepted, and as they arrived at the other side. */
  #arrived = -1
  refused = 0
  readonly outcomes = new Map<string, number>()

  constructor(random: Random, limits: Partial<KernelLimits>) {
    this.#random = random
    this.#weights = weights(random)
    this.#pair = new Pair(limits)
    const onCall = this.#pair.onCall.bind(this.#pair)
    this.#pair.onCall = (attachment, call, deadlineMs, nowMs) => {
      if (call.hint <= this.#arrived) throw new Error(`request ${call.hint} arrived after ${this.#arrived}`)
      this.#arrived = call.hint
      onCall(attachment, call, deadlineMs, nowMs)
    }
  }

  async go(steps: number): Promise<void> {
    try {
      for (let step = 0; step < steps; step++) {
        this.#step()
        if (step % 16 === 0) await undefined
      }
      await this.#finish()
    } finally {
      this.#pair.restore()
    }
  }

  #step(): void {
    const random = this.#random
    const pair = this.#pair
    const { calls, aborts, appBusy, ioBusy } = this.#weights
    pair.now += random.unit()
    switch (random.below(4)) {
      case 0:
        if (random.chance(calls)) this.#call()
        if (random.chance(aborts)) random.pick([...this.#callers.slice(-20), undefined])?.controller?.abort()
        return pair.invariants()
      case 1:
        if (pair.due.includes('app') && !random.chance(appBusy)) pair.turn('app')
        if (pair.due.includes('immediate')) pair.turn('immediate')
        return
      case 2:
        if (pair.due.includes('io') && !random.chance(ioBusy)) pair.turn('io')
        return
      default:
        if (pair.held.first !== undefined) this.#answer(pair.held.first)
        return pair.invariants()
    }
  }

  #call(): void {
    const random = this.#random
    const number = this.#callers.length
    const controller = random.chance(this.#weights.aborts) ? new AbortController() : undefined
    const args = { number, replyBytes: this.#size(), fillBytes: this.#size() }
    const caller: Caller = { number, controller, settledTimes: 0 }
    this.#callers.push(caller)
    const options = controller === undefined ? undefined : { signal: controller.signal }
    let promise: Promise<unknown>
    try {
      promise = this.#pair.app.call(numbered as unknown as AnyOperation, args, TARGET, 0, 0, 1 << 20, options)
    } catch (error) {
      this.refused++
      this.#settled(caller, (error as IoKernelError).code)
      return
    }
    void promise.then(
      (value) => this.#settled(caller, value === number ? 'answered' : 'crossed'),
      (error: unknown) => this.#settled(caller, (error as IoKernelError).code ?? String(error)),
    )
  }

  #size(): number {
    const random = this.#random
    if (random.chance(this.#weights.large)) return random.below(20_000)
    return random.chance(0.2) ? random.below(1_100) : random.below(40)
  }

  #settled(caller: Caller, outcome: string): void {
    caller.settledTimes++
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  #answer(call: Call): void {
    const random = this.#random
    const pair = this.#pair
    if (call.state === CallState.Written && random.chance(this.#weights.expiries)) {
      return pair.expire(call, new LocalError('DEADLINE', 'too late'))
    }
    if (random.chance(this.#weights.failures)) return pair.fail(call, new RemoteError('FAILED', 'the peer died'))
    const reply = replyTo(pair.payload(call))
    let from = 0
    while (random.chance(this.#weights.pieces)) {
      const to = random.between(from, reply.length)
      pair.piece(call, reply.subarray(from, to))
      from = to
    }
    pair.reply(call, reply.subarray(from))
  }

  async #finish(): Promise<void> {
    const pair = this.#pair
    for (let round = 0; pair.app.waiting > 0 || pair.app.owed; round++) {
      if (round > 20_000)
        throw new Error(`stuck: ${pair.app.waiting} wait, ${pair.held.count} held, due: ${pair.due.join()}`)
      pair.settle()
      while (pair.held.first !== undefined) pair.reply(pair.held.first, replyTo(pair.payload(pair.held.first)))
      await undefined
    }
    // The look after the last answer is what finds that nobody waits.
    pair.settle()
    for (let tick = 0; tick < 10; tick++) await undefined
    expect(this.#callers.filter(({ settledTimes }) => settledTimes !== 1)).toEqual([])
    expect(this.outcomes.get('crossed')).toBeUndefined()
    expect([...this.outcomes.keys()].filter((code) => !KNOWN.includes(code))).toEqual([])
    expect(pair.client.calls).toBe(0)
    expect(pair.io.overflowBytes).toBe(0)
    expect([...pair.io.calls()]).toEqual([])
    expect(pair.busy).toBe(false)
  }
}

const KNOWN = [
  'answered',
  'ABORTED',
  'DEADLINE',
  'FAILED',
  'OVERFLOW',
  'INTERNAL',
  'IN_FLIGHT_LIMIT',
  'PENDING_BYTES_LIMIT',
]

test('every call settles exactly once with its own answer, whatever the sizes, cancels and turns', async () => {
  await withSeed(async (random) => {
    const total = new Map<string, number>()
    for (let round = 0; round < 60; round++) {
      const limits = {
        submissionBytes: random.pick([4_096, 8_192, 65_536]),
        completionBytes: random.pick([4_096, 16_384, 65_536]),
        inFlightMax: random.pick([5, 50, 100_000]),
        pendingBytesMax: random.pick([2_000, 50_000, 1 << 28]),
        overflowBytesMax: random.pick([2_000, 50_000, 1 << 28]),
        pollUsMax: random.pick([0, 600]),
        drainMsMax: random.pick([0, 2]),
      }
      const run = new Run(random, limits)
      await run.go(4_000)
      for (const [code, count] of run.outcomes) total.set(code, (total.get(code) ?? 0) + count)
    }
    // The swarm must have met everything it is there for.
    for (const code of [
      'answered',
      'ABORTED',
      'DEADLINE',
      'FAILED',
      'OVERFLOW',
      'IN_FLIGHT_LIMIT',
      'PENDING_BYTES_LIMIT',
    ]) {
      expect(total.get(code) ?? 0, code).toBeGreaterThan(0)
    }
  })
}, 60_000)

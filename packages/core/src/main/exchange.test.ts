/**
 * Both ends of a channel as a pair: what is in the ring beats an abort, a full ring is back-pressure and never loss,
 * every call settles exactly once, slots are reused only after the final record, whatever the sizes and whatever the
 * order of the two threads' turns.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { Completion, packKind, WORD_CALL, WORD_KIND } from '../channel/records.ts'
import { AbortedError, type IoKernelError, LocalError, RemoteError } from '../plugin/errors.ts'
import type { CallOptions, CallTiming, Operation } from '../plugin/protocol.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { Pair, TARGET } from '../testing/pair.ts'
import type { AnyOperation } from './slots.ts'

const echo: Operation<Uint8Array, Buffer> = {
  name: 'echo',
  access: 'read',
  on: 'lane',
  idempotent: false,
  encode(out, bytes) {
    out.copy(bytes)
    return 7
  },
  decode: ({ bytes, start, end }) => Buffer.from(bytes.subarray(start, end)),
}

let pair: Pair
afterEach(() => pair.restore())

function open(limits: Partial<KernelLimits> = {}): Pair {
  pair = new Pair(limits)
  return pair
}

function call(
  bytes: Uint8Array | string,
  options?: CallOptions,
  operation: Operation<never, Buffer> = echo,
): Promise<Buffer> {
  const args = Buffer.from(bytes as Uint8Array)
  const deadlineMs = options?.deadlineMs ?? 0
  const anyOperation = operation as unknown as AnyOperation
  const promise = pair.app.call(anyOperation, args, TARGET, 0, deadlineMs, 1 << 30, options) as Promise<Buffer>
  promise.catch(() => undefined)
  return promise
}

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let seen: unknown = 'pending'
  void promise.then(
    (value) => {
      seen = value
    },
    (error: unknown) => {
      seen = error
    },
  )
  for (let tick = 0; tick < 10; tick++) await undefined
  return seen
}

describe('a call', () => {
  test.each([0, 1, 31, 992, 993, 2_048, 2_049, 5_000, 100_000])(
    'of %i bytes arrives whole and is answered whole',
    async (length) => {
      open()
      const bytes = Buffer.alloc(length, 'abcdefg')
      const promise = call(bytes)
      pair.settle()
      const held = pair.held.first
      expect(held).toBeDefined()
      expect(pair.payload(held as never)).toEqual(bytes)
      expect(held?.hint).toBe(7)
      pair.reply(held as never, Buffer.from(bytes).reverse())
      pair.settle()
      expect(await promise).toEqual(Buffer.from(bytes).reverse())
      expect(pair.app.waiting).toBe(0)
      expect(pair.app.owed).toBe(false)
      expect(pair.busy).toBe(false)
    },
  )

  test('of 64 MB and its reply of 64 MB are interleaved with small ones, in order', async () => {
    open({ submissionBytes: 1 << 20, completionBytes: 1 << 22 })
    const large = Buffer.alloc(64 << 20, 'large message ')
    const before = call('before')
    const promise = call(large)
    const after = Array.from({ length: 50 }, (_, index) => call(`after ${index}`))
    pair.settle()
    expect(pair.payload(pair.held.first as never).toString()).toBe('before')
    const order: string[] = []
    while (pair.held.first !== undefined) {
      const payload = pair.payload(pair.held.first)
      order.push(payload.length > 100 ? 'large' : payload.toString())
      pair.reply(pair.held.first, payload)
    }
    expect(order).toEqual(['before', 'large', ...after.map((_, index) => `after ${index}`)])
    pair.settle()
    expect(await before).toEqual(Buffer.from('before'))
    expect((await promise).equals(large)).toBe(true)
    expect((await Promise.all(after)).map(String)).toEqual(order.slice(2))
    expect(pair.io.overflowBytes).toBe(0)
  }, 60_000)

  test('whose encode throws publishes nothing and takes no slot', async () => {
    open({ inFlightMax: 1 })
    const broken: Operation<Uint8Array, Buffer> = {
      ...echo,
      encode(out) {
        out.ascii('half of a req')
        throw new TypeError('no such argument')
      },
    }
    for (let count = 0; count < 3; count++) expect(() => call('x', undefined, broken)).toThrow(TypeError)
    expect(pair.app.owed).toBe(false)
    const promise = call('whole')
    pair.settle()
    expect(pair.held.count).toBe(1)
    expect(pair.payload(pair.held.first as never).toString()).toBe('whole')
    pair.reply(pair.held.first as never, Buffer.from('ok'))
    pair.settle()
    expect(String(await promise)).toBe('ok')
  })

  test('whose decode throws rejects with what it threw, and disturbs nobody', async () => {
    open()
    const broken = call('a', undefined, {
      ...echo,
      decode() {
        throw new RangeError('what a reply')
      },
    })
    const fine = call('b')
    pair.settle()
    while (pair.held.first !== undefined) pair.reply(pair.held.first, Buffer.from('ok'))
    pair.settle()
    await expect(broken).rejects.toThrow(RangeError)
    expect(String(await fine)).toBe('ok')
    expect(pair.app.owed).toBe(false)
  })

  test('larger than requestBytesMax is refused before anything is written', () => {
    open()
    const args = Buffer.alloc(10_000)
    expect(() => pair.app.call(echo as unknown as AnyOperation, args, TARGET, 0, 0, 9_999, undefined)).toThrow(
      expect.objectContaining({ code: 'REQUEST_TOO_LARGE', sent: 'no' }),
    )
    pair.settle()
    expect(pair.held.count).toBe(0)
    expect(pair.app.owed).toBe(false)
  })

  test('past inFlightMax is refused with an error that names the limit; tombstones count', async () => {
    open({ inFlightMax: 3 })
    const controller = new AbortController()
    const calls = [call('1', { signal: controller.signal }), call('2'), call('3')]
    expect(() => call('4')).toThrow(/inFlightMax/)
    pair.settle()
    controller.abort()
    pair.settle()
    await expect(calls[0]).rejects.toThrow(AbortedError)
    expect(() => call('4')).toThrow(expect.objectContaining({ code: 'IN_FLIGHT_LIMIT', side: 'local', sent: 'no' }))
    pair.reply(pair.held.first as never, Buffer.from('late'))
    pair.settle()
    const again = call('4')
    pair.settle()
    expect(pair.held.count).toBe(3)
    while (pair.held.first !== undefined) pair.reply(pair.held.first, pair.payload(pair.held.first))
    pair.settle()
    expect(String(await again)).toBe('4')
    expect(pair.app.owed).toBe(false)
  })
})

describe('a reply', () => {
  test('that is in the ring beats an abort that fires now', async () => {
    open()
    const controller = new AbortController()
    const promise = call('x', { signal: controller.signal })
    pair.settle()
    pair.reply(pair.held.first as never, Buffer.from('in time'))
    controller.abort()
    pair.settle()
    expect(String(await promise)).toBe('in time')
    expect(pair.app.owed).toBe(false)
  })

  test('for a stale generation is ignored', async () => {
    open()
    const first = call('1')
    pair.settle()
    const stale = pair.held.first?.id as number
    pair.reply(pair.held.first as never, Buffer.from('one'))
    pair.settle()
    const second = call('2')
    pair.settle()
    const { out } = pair.ioEnd
    for (const kind of [Completion.Reply, Completion.Failed, Completion.Released, Completion.ReplyPiece]) {
      const offset = out.begin(0)
      out.words[(offset >> 2) + WORD_KIND] = packKind(kind, 0, 0)
      out.words[(offset >> 2) + WORD_CALL] = stale
      out.commit(0)
    }
    pair.app.drain()
    expect(await outcome(second)).toBe('pending')
    pair.reply(pair.held.first as never, Buffer.from('two'))
    pair.settle()
    expect([String(await first), String(await second)]).toEqual(['one', 'two'])
  })

  test('in pieces is delivered whole; pieces of a call that failed in between are dropped', async () => {
    open()
    const whole = call('whole')
    const failed = call('failed')
    pair.settle()
    const [first, second] = [pair.held.first, pair.held.last] as [never, never]
    pair.piece(first, Buffer.alloc(3_000, 'a'))
    pair.piece(second, Buffer.alloc(3_000, 'x'))
    pair.settle()
    pair.expire(second, new LocalError('DEADLINE', 'too late'))
    pair.piece(second, Buffer.alloc(3_000, 'y'))
    pair.piece(first, Buffer.alloc(10, 'b'))
    pair.reply(second, Buffer.from('late'))
    pair.reply(first, Buffer.alloc(2_000, 'c'))
    pair.settle()
    expect(String(await whole)).toBe('a'.repeat(3_000) + 'b'.repeat(10) + 'c'.repeat(2_000))
    await expect(failed).rejects.toThrow('too late')
    expect(pair.app.owed).toBe(false)
  })

  test('past overflowBytesMax is dropped and its caller told; the others of this thread are served', async () => {
    open({ overflowBytesMax: 50_000 })
    const calls = Array.from({ length: 40 }, (_, index) => call(`${index}`))
    for (let round = 0; round < 40; round++) pair.drainIo()
    let replied = 0
    while (pair.held.first !== undefined) {
      replied++
      pair.reply(pair.held.first, Buffer.alloc(5_000, 'r'))
      expect(pair.io.overflowBytes).toBeLessThan(60_000)
      if (pair.held.first === undefined) pair.drainIo()
    }
    pair.settle()
    while (pair.held.first !== undefined) pair.reply(pair.held.first, Buffer.alloc(5_000, 'r'))
    pair.settle()
    const results = await Promise.allSettled(calls)
    const lost = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(replied).toBeGreaterThan(10)
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThan(40)
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'OVERFLOW', sent: 'maybe' })
    expect(pair.app.owed).toBe(false)
    expect(pair.io.overflowBytes).toBe(0)
  })
})

describe('timing', () => {
  test('is told once, before the promise settles, and adds up', async () => {
    open()
    const seen: (CallTiming | string)[] = []
    const promise = call('x', { onTiming: (timing) => seen.push(timing) }).then(() => seen.push('settled'))
    pair.now += 10
    pair.settle()
    const held = pair.held.first as never as { writtenAtMs: number }
    pair.now += 5
    held.writtenAtMs = pair.now
    pair.now += 20
    pair.reply(held as never, Buffer.from('ok'))
    pair.now += 40
    pair.settle()
    await promise
    expect(seen).toHaveLength(2)
    const timing = seen[0] as CallTiming
    expect(timing.queuedMs).toBeCloseTo(15, 0)
    expect(timing.upstreamMs).toBeCloseTo(20, 0)
    expect(timing.waitingForApplicationMs).toBeCloseTo(40, 0)
  })

  test('that throws disturbs neither its call nor any other', async () => {
    open()
    const heard: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => heard.push(error))
    try {
      const noisy = call('a', {
        onTiming: () => {
          throw new Error('a bug of the caller')
        },
      })
      const fine = call('b')
      pair.settle()
      while (pair.held.first !== undefined) pair.reply(pair.held.first, Buffer.from('ok'))
      pair.settle()
      expect(String(await fine)).toBe('ok')
      expect(await outcome(noisy)).not.toBe('pending')
      const later = call('c')
      pair.settle()
      pair.reply(pair.held.first as never, Buffer.from('later'))
      pair.settle()
      expect(String(await later)).toBe('later')
      expect(pair.app.owed).toBe(false)
      pair.restore()
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })
})

test('a lost I/O thread rejects everything once, and says no only for what never left', async () => {
  open()
  const calls = Array.from({ length: 30 }, (_, index) => call(Buffer.alloc(500, index)))
  const settled: number[] = []
  calls.forEach((promise, index) => {
    void promise.catch(() => settled.push(index))
  })
  // The I/O side takes some, then dies.
  pair.drainIo()
  const taken = pair.held.count
  pair.app.drain()
  pair.app.lose((sent) => new RemoteError('LOST', 'gone', { sent }))
  pair.drainIo()
  const results = (await Promise.allSettled(calls)) as PromiseRejectedResult[]
  const arrived = pair.held.count
  expect(arrived).toBeGreaterThan(taken)
  expect(arrived).toBeLessThan(30)
  expect(results.map(({ reason }) => (reason as IoKernelError).sent)).toEqual([
    ...Array.from({ length: arrived }, () => 'maybe'),
    ...Array.from({ length: 30 - arrived }, () => 'no'),
  ])
  expect(new Set(settled).size).toBe(30)
  expect(settled).toHaveLength(30)
  expect(() => call('more')).toThrow(expect.objectContaining({ code: 'LOST', sent: 'no' }))
  expect(pair.busy).toBe(false)
})

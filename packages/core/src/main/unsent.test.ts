/**
 * Requests that wait because the ring is full: their order, their limit, their deadlines, and that one of them can be
 * taken back without taking anything else with it.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { slotOf } from '../channel/records.ts'
import type { IoKernelError } from '../plugin/errors.ts'
import type { CallOptions } from '../plugin/protocol.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { line } from '../testing/line-peer.ts'
import { Pair, TARGET } from '../testing/pair.ts'
import type { AnyOperation } from './slots.ts'

let pair: Pair
afterEach(() => pair.restore())

function open(limits: Partial<KernelLimits> = {}): Pair {
  pair = new Pair(limits)
  return pair
}

function call(text: string, options?: CallOptions): Promise<string> {
  const operation = line as unknown as AnyOperation
  const deadlineMs = options?.deadlineMs ?? 0
  const promise = pair.app.call(operation, text, TARGET, 0, deadlineMs, 1 << 30, options) as Promise<string>
  promise.catch(() => undefined)
  return promise
}

/** Fills the ring, and lets `bytes` more wait behind it. */
function fill(count: number, bytes = 900): Promise<string>[] {
  return Array.from({ length: count }, (_, index) => call(`${index}`.padEnd(bytes)))
}

async function answerAll(calls: readonly Promise<string>[]): Promise<string[]> {
  for (let round = 0; round < 1_000 && pair.app.waiting > 0; round++) {
    pair.settle()
    while (pair.held.first !== undefined) pair.reply(pair.held.first, pair.payload(pair.held.first))
  }
  return (await Promise.all(calls)).map((text) => text.trim())
}

test('a full ring makes requests wait, and nothing is lost or overtaken', async () => {
  open()
  const calls = fill(100)
  pair.app.control({ type: 'flush', token: 1 })
  const late = call('late')
  expect(await answerAll([...calls, late])).toEqual([...calls.map((_, index) => `${index}`), 'late'])
  expect(pair.controls).toEqual([{ type: 'flush', token: 1 }])
  expect(pair.app.owed).toBe(false)
})

test('control messages keep their place between the calls', () => {
  open()
  const seen: string[] = []
  const onControl = pair.onControl.bind(pair)
  pair.onControl = (attachment, message) => {
    seen.push(`control after ${pair.held.count}`)
    onControl(attachment, message)
  }
  fill(20)
  pair.app.control({ type: 'ping' })
  fill(20)
  pair.app.control({ type: 'credentials', target: 1, value: 'x'.repeat(5_000), failure: undefined })
  pair.settle()
  expect(seen).toEqual(['control after 20', 'control after 40'])
  expect(pair.controls[1]).toEqual({ type: 'credentials', target: 1, value: 'x'.repeat(5_000), failure: undefined })
})

describe('pendingBytesMax', () => {
  test('refuses with an error that names it, and the refused call leaves no trace', async () => {
    open({ pendingBytesMax: 20_000 })
    const calls = fill(10)
    let refused = 0
    for (let count = 0; count < 40; count++) {
      try {
        calls.push(call(`more ${count}`.padEnd(900)))
      } catch (error) {
        refused++
        expect(error).toMatchObject({ code: 'PENDING_BYTES_LIMIT', side: 'local', sent: 'no' })
        expect((error as Error).message).toContain('pendingBytesMax')
      }
    }
    expect(refused).toBeGreaterThan(10)
    expect(calls.length).toBeGreaterThan(20)
    expect(await answerAll(calls)).toHaveLength(calls.length)
    expect(pair.app.owed).toBe(false)
  })

  test('lets one larger request in when nothing waits', async () => {
    open({ pendingBytesMax: 20_000 })
    const large = call('L'.repeat(100_000))
    expect(() => call('x')).toThrow(/pendingBytesMax/)
    expect((await answerAll([large]))[0]).toHaveLength(100_000)
  })
})

describe('a call that has not begun to leave', () => {
  test('is never sent when its signal fires, and says so', async () => {
    open()
    const calls = fill(10)
    const controller = new AbortController()
    const aborted = call('never'.padEnd(5_000), { signal: controller.signal })
    const behind = call('behind')
    controller.abort(new Error('changed my mind'))
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', sent: 'no', cause: new Error('changed my mind') })
    const texts = await answerAll([...calls, behind])
    expect(texts).toHaveLength(11)
    expect(pair.controls).toEqual([])
    expect(pair.app.owed).toBe(false)
  })

  test.each([4_093, 4_094, 4_095])(
    'is taken back alone, whatever its number is: after %i uses of its slot',
    async (uses) => {
      open()
      for (let count = 0; count < uses; count++) {
        const simple = call('x')
        pair.settle()
        expect(slotOf(pair.held.first?.id as number)).toBe(0)
        pair.reply(pair.held.first as never, Buffer.from('ok'))
        pair.settle()
        await simple
      }
      // Slot 0 is given back while the ring is full, so that the next call takes it and waits.
      const keeper = call('keeper')
      pair.drainIo()
      const others = fill(12)
      pair.reply(pair.held.first as never, Buffer.from('ok'))
      pair.app.drain()
      await keeper
      const controller = new AbortController()
      const aborted = call('never', { signal: controller.signal })
      pair.app.control({ type: 'flush', token: 5 })
      controller.abort()
      await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', sent: 'no' })
      await answerAll(others)
      expect(pair.controls).toEqual([{ type: 'flush', token: 5 }])
    },
  )

  test('expires here, because the I/O thread cannot know of it', async () => {
    open()
    const calls = fill(10)
    const late = call('late', { deadlineMs: 50 })
    const patient = call('patient', { deadlineMs: 500 })
    pair.now += 60
    pair.app.drain()
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE', sent: 'no', waitCause: 'kernel-busy' })
    expect((await answerAll([...calls, patient])).at(-1)).toBe('patient')
    expect(pair.app.owed).toBe(false)
  })

  test('takes the time it waited here off the deadline that the I/O thread keeps', async () => {
    open()
    const calls = fill(10)
    const waits = call('waits', { deadlineMs: 100 })
    pair.now += 60
    await answerAll([...calls, waits])
    expect(pair.deadlines.at(-1)).toBeGreaterThanOrEqual(1)
    expect(pair.deadlines.at(-1)).toBeLessThanOrEqual(41)
  })
})

test('a call that has begun to leave is cancelled where it is, and its slot freed by the final record', async () => {
  open()
  const controller = new AbortController()
  const large = call('L'.repeat(20_000), { signal: controller.signal })
  controller.abort()
  const after = call('after')
  pair.settle()
  await expect(large).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await answerAll([after])).toEqual(['after'])
  expect(pair.app.owed).toBe(false)
})

test('losing the thread says maybe for a request of which the first byte may have left', async () => {
  open()
  const large = call('L'.repeat(20_000))
  const behind = call('behind')
  pair.app.lose((sent) => Object.assign(new Error('lost'), { sent }) as unknown as IoKernelError)
  await expect(large).rejects.toMatchObject({ sent: 'maybe' })
  await expect(behind).rejects.toMatchObject({ sent: 'no' })
})

/** Closed and open loops: what they count, and that a wrong answer ends them. */
import { describe, expect, test } from 'vitest'
import { closedLoop } from './closed-loop.ts'
import { cpuSince, cpuTimes } from './cpu.ts'
import { type OpenLoopClock, openLoop, realClock } from './open-loop.ts'
import type { Operation } from './operation.ts'
import { Samples } from './samples.ts'
import { percentile } from './statistics.ts'

const right = { isPlausible: () => true, isExact: () => true }
const limits = { unansweredMax: 1_000 }

describe('the closed loop', () => {
  test('has as many in flight as it was told, and counts every answer', async () => {
    let inFlight = 0
    let most = 0
    let calls = 0
    const operation: Operation = {
      ...right,
      run: async () => {
        calls++
        most = Math.max(most, ++inFlight)
        await new Promise(setImmediate)
        inFlight--
      },
    }
    const samples = new Samples()
    const { operations, elapsedMs } = await closedLoop(operation, 7, 50, samples)
    expect([most, operations, samples.count]).toEqual([7, calls, calls])
    expect(elapsedMs).toBeGreaterThanOrEqual(50)
  })

  test.each([
    ['an implausible answer', { isPlausible: () => false }],
    ['an answer that is not exact', { isExact: () => false }],
    ['a failed call', { run: () => Promise.reject(new Error('answer is wrong')) }],
  ])('is ended by %s', async (_, fault) => {
    const operation: Operation = { ...right, run: () => new Promise((resolve) => setImmediate(resolve)), ...fault }
    await expect(closedLoop(operation, 3, 60_000, new Samples())).rejects.toThrow('wrong')
  })
})

interface Waiting {
  readonly atMs: number
  readonly wake: () => void
}

/** Time that passes only when somebody sleeps; and whoever answers does so at a time of his own. */
class FakeClock implements OpenLoopClock {
  #nowMs = 1_000
  readonly #waiting: Waiting[] = []

  nowMs(): number {
    return this.#nowMs
  }

  waitUntil(timeMs: number): Promise<void> {
    return this.#advanceTo(timeMs)
  }

  /** The thread is busy: time goes on, and nothing else does. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs
  }

  after(durationMs: number): Promise<void> {
    return new Promise((wake) => this.#waiting.push({ atMs: this.#nowMs + durationMs, wake }))
  }

  async #advanceTo(untilMs: number): Promise<void> {
    this.#waiting.sort((one, other) => one.atMs - other.atMs)
    while (this.#waiting[0] && this.#waiting[0].atMs <= untilMs) {
      const { atMs, wake } = this.#waiting.shift() as Waiting
      this.#nowMs = Math.max(this.#nowMs, atMs)
      wake()
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }
}

test('the real clock waits neither less nor much more', async () => {
  const untilMs = realClock.nowMs() + 20.5
  await realClock.waitUntil(untilMs)
  expect(realClock.nowMs()).toBeGreaterThanOrEqual(untilMs)
  await realClock.waitUntil(untilMs)
})

describe('the open loop', () => {
  test('makes its calls when they are due, and no others', async () => {
    const clock = new FakeClock()
    const calledAtMs: number[] = []
    const operation: Operation = { ...right, run: async () => calledAtMs.push(clock.nowMs() - 1_000) }
    const result = await openLoop(operation, { ratePerSecond: 400, durationMs: 20, ...limits }, new Samples(), clock)
    expect(result.operations).toBe(8)
    expect(calledAtMs).toEqual([0, 0, 5, 5, 10, 10, 15, 15])
  })

  test('seldom calls come alone', async () => {
    const clock = new FakeClock()
    const calledAtMs: number[] = []
    const operation: Operation = { ...right, run: async () => calledAtMs.push(clock.nowMs() - 1_000) }
    await openLoop(operation, { ratePerSecond: 100, durationMs: 40, ...limits }, new Samples(), clock)
    expect(calledAtMs).toEqual([0, 10, 20, 30])
  })

  test('whoever was due while the thread stood still is late, and it shows', async () => {
    const clock = new FakeClock()
    const samples = new Samples()
    let calls = 0
    const operation: Operation = {
      ...right,
      run: async () => {
        if (calls++ === 14) clock.stall(100)
      },
    }
    await openLoop(operation, { ratePerSecond: 1_000, durationMs: 200, ...limits }, samples, clock)
    const sorted = [...samples.sorted()]
    expect(sorted).toHaveLength(200)
    // A hundred calls waited for 100, 99, 98 ... ms; a closed loop would have seen one slow call.
    expect(percentile(sorted, 0.99)).toBeGreaterThan(90_000)
    expect(sorted.filter((latencyUs) => latencyUs > 1_000).length).toBeGreaterThan(90)
  })

  test('goes on while answers take longer than the distance between calls', async () => {
    const clock = new FakeClock()
    const samples = new Samples()
    const operation: Operation = { ...right, run: () => clock.after(5) }
    const done = openLoop(operation, { ratePerSecond: 1_000, durationMs: 20, ...limits }, samples, clock)
    // The last answers come after the last call: somebody has to let time pass.
    for (let turn = 0; turn < 40; turn++) {
      await new Promise(setImmediate)
      await clock.waitUntil(clock.nowMs() + 1)
    }
    await done
    expect(samples.count).toBe(20)
    expect(percentile(samples.sorted(), 0.5)).toBeGreaterThanOrEqual(5_000)
  })

  test('gives up on a subject that answers nothing, and on a wrong answer', async () => {
    const options = { ratePerSecond: 10_000, durationMs: 1_000, unansweredMax: 50 }
    const silent: Operation = { ...right, run: () => new Promise(() => undefined) }
    await expect(openLoop(silent, options, new Samples(), new FakeClock())).rejects.toThrow('unanswered')
    const wrong: Operation = { ...right, run: async () => 'x', isPlausible: () => false }
    await expect(openLoop(wrong, options, new Samples(), new FakeClock())).rejects.toThrow('answer 0 is wrong')
  })
})

test('processor time is that of the process, and of its main thread', () => {
  const before = cpuTimes()
  const untilMs = performance.now() + 60
  while (performance.now() < untilMs);
  const { processUs, mainThreadUs } = cpuSince(before)
  expect(processUs).toBeGreaterThan(5_000)
  expect(mainThreadUs).toBeGreaterThan(5_000)
})

/**
 * An open loop: calls are due at fixed times, whether or not earlier ones have been answered, and latency counts from
 * when a call was due. A client (or a program) that stands still for 100 ms makes everybody late who was due meanwhile,
 * and that shows; a closed loop would have left them out (coordinated omission).
 *
 * Theory of operation: calls are due in bursts, every `BURST_INTERVAL_MS` as many as make up the rate, because Node's
 * timers know whole milliseconds only. Most of the wait is slept; the last millisecond of it turns the event loop
 * without sleeping, which delays no reply and costs everyone the same processor time. The clock is an argument.
 */
import { assertRight, type Operation } from './operation.ts'
import type { Samples } from './samples.ts'

export interface OpenLoopOptions {
  readonly ratePerSecond: number
  readonly durationMs: number
  /** Calls without an answer, past which the subject has lost: memory is at stake. */
  readonly unansweredMax: number
}

export interface OpenLoopClock {
  nowMs(): number
  waitUntil(timeMs: number): Promise<void>
}

export interface OpenLoopResult {
  readonly operations: number
  readonly elapsedMs: number
}

export const realClock: OpenLoopClock = {
  nowMs: () => performance.now(),
  async waitUntil(timeMs) {
    const wholeMs = Math.floor(timeMs - performance.now())
    // A timer of n ms fires up to a millisecond late.
    if (wholeMs > 1) await new Promise((resolve) => setTimeout(resolve, wholeMs - 1))
    while (performance.now() < timeMs) await new Promise((resolve) => setImmediate(resolve))
  },
}

export async function openLoop(
  operation: Operation,
  options: OpenLoopOptions,
  latenciesUs: Samples,
  clock: OpenLoopClock = realClock,
): Promise<OpenLoopResult> {
  const { ratePerSecond, durationMs, unansweredMax } = options
  const startMs = clock.nowMs()
  const total = Math.floor((ratePerSecond * durationMs) / 1_000)
  const unanswered = new Set<Promise<void>>()
  let failure: unknown

  async function call(index: number, dueMs: number): Promise<void> {
    try {
      const answer = await operation.run()
      latenciesUs.add((clock.nowMs() - dueMs) * 1_000)
      assertRight(operation, answer, index)
    } catch (error) {
      failure ??= error
    }
  }

  for (let sent = 0; sent < total; ) {
    const nowMs = clock.nowMs()
    for (let dueMs = dueAtMs(sent); sent < total && dueMs <= nowMs; dueMs = dueAtMs(sent)) {
      const one = call(sent++, dueMs).finally(() => unanswered.delete(one))
      unanswered.add(one)
    }
    if (failure !== undefined) break
    if (unanswered.size > unansweredMax)
      throw new Error(`${unanswered.size} calls are unanswered: the rate is too high`)
    if (sent < total) await clock.waitUntil(dueAtMs(sent))
  }
  await Promise.all(unanswered)
  if (failure !== undefined) throw failure
  return { operations: total, elapsedMs: clock.nowMs() - startMs }

  function dueAtMs(index: number): number {
    return startMs + Math.floor((index * 1_000) / (ratePerSecond * BURST_INTERVAL_MS)) * BURST_INTERVAL_MS
  }
}

const BURST_INTERVAL_MS = 5

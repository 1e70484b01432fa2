/**
 * An open loop: calls are due at fixed times, whether or not earlier ones have been answered, and latency counts from
 * when a call was due. A client (or a program) that stands still for 100 ms makes everybody late who was due meanwhile,
 * and that shows; a closed loop would have left them out (coordinated omission).
 *
 * Theory of operation: every millisecond `ratePerSecond / 1000` calls are due at once, because Node's timers know no
 * shorter time; a loop that spins instead would take the processor away from what it measures. The clock is an
 * argument.
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
  sleep(durationMs: number): Promise<void>
}

export interface OpenLoopResult {
  readonly operations: number
  readonly elapsedMs: number
}

export const realClock: OpenLoopClock = {
  nowMs: () => performance.now(),
  sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
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
    if (sent < total) await clock.sleep(Math.max(TICK_MS, dueAtMs(sent) - nowMs))
  }
  await Promise.all(unanswered)
  if (failure !== undefined) throw failure
  return { operations: total, elapsedMs: clock.nowMs() - startMs }

  function dueAtMs(index: number): number {
    return startMs + Math.floor((index * 1_000) / (ratePerSecond * TICK_MS)) * TICK_MS
  }
}

const TICK_MS = 1

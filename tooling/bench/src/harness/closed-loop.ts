/**
 * A closed loop: so many callers, each making its next call when the last one is answered.
 *
 * Rules: the same code for every subject; one clock reading for each call. Every answer is checked. A loop that fails
 * ends the round: the others make no further calls.
 */
import { assertRight, type Operation } from './operation.ts'
import type { Samples } from './samples.ts'

export interface ClosedLoopResult {
  readonly operations: number
  /** Until the last answer, so what was still in flight at the end counts on both sides. */
  readonly elapsedMs: number
}

export async function closedLoop(
  operation: Operation,
  inFlight: number,
  durationMs: number,
  latenciesUs: Samples,
): Promise<ClosedLoopResult> {
  const startMs = performance.now()
  let endMs = startMs + durationMs
  let operations = 0

  async function caller(): Promise<void> {
    let beganAtMs = performance.now()
    try {
      while (beganAtMs < endMs) {
        const answer = await operation.run()
        const endedAtMs = performance.now()
        latenciesUs.add((endedAtMs - beganAtMs) * 1_000)
        assertRight(operation, answer, operations++)
        beganAtMs = endedAtMs
      }
    } catch (error) {
      endMs = 0
      throw error
    }
  }

  const callers = await Promise.allSettled(Array.from({ length: inFlight }, caller))
  const failed = callers.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
  return { operations, elapsedMs: performance.now() - startMs }
}

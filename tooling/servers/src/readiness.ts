/**
 * Waits until a server that was just started answers, or has ended, or has had its time.
 */
import type { RunningProgram } from './lodging.ts'

export type Outcome<Answer> = { readonly answer: Answer } | { readonly failure: string }

/** Asks again and again: no server tells whoever started it that it is ready. */
export async function untilReady<Answer>(
  ask: () => Promise<Answer>,
  running: RunningProgram,
): Promise<Outcome<Answer>> {
  let ended = false
  void running.exited.then(() => {
    ended = true
  })
  const giveUpAt = Date.now() + READY_TIMEOUT_MS
  let last = 'it never answered'
  while (Date.now() < giveUpAt) {
    if (ended) return { failure: 'it ended at once' }
    try {
      return { answer: await ask() }
    } catch (error) {
      last = String(error)
    }
    await new Promise((resolve) => setTimeout(resolve, READY_INTERVAL_MS))
  }
  return { failure: `not ready within ${READY_TIMEOUT_MS} ms: ${last}` }
}

/** Servers answer 5 to 300 ms after their start here; a busy machine is many times slower. */
const READY_TIMEOUT_MS = 30_000
const READY_INTERVAL_MS = 10

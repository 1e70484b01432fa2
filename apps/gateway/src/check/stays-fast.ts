/** Requests beside others that are slow on purpose: the fast ones do not wait for the slow ones. */
import type { Caller } from './caller.ts'

/** `slow` takes `?ms=`; `fast` is a GET. */
export async function staysFast(
  caller: Caller,
  { slow, fast }: { readonly slow: string; readonly fast: string },
): Promise<string> {
  const all = Promise.all([1, 2].map(() => caller.send('GET', `${slow}?ms=${SLOW_MS}`, 200)))
  // Their failure is read below; until then it is nobody's.
  all.catch(() => undefined)
  let isOver = false
  void all
    .finally(() => {
      isOver = true
    })
    .catch(() => undefined)
  let slowestMs = 0
  let count = 0
  for (; !isOver; count++) {
    const { elapsedMs } = await caller.send('GET', fast, 200)
    if (!isOver) slowestMs = Math.max(slowestMs, elapsedMs)
  }
  const [first] = await all
  if (slowestMs >= SLOW_MS / 2) throw new Error(`a GET took ${slowestMs.toFixed(0)} ms beside slow requests`)
  const elapsed = (first?.elapsedMs ?? 0).toFixed(0)
  return `2 requests of ${elapsed} ms beside ${count} GETs of at most ${slowestMs.toFixed(1)} ms`
}

/** Ten times what a loaded machine takes for a request, and short enough for a check. */
const SLOW_MS = 1_000

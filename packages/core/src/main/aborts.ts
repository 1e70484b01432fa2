/**
 * Abort signals of calls in flight: one listener for each signal, however many calls share it.
 *
 * Rules: the usual signal is one for each incoming request, and a request makes many calls: a listener for each would
 * make Node warn of a leak at the eleventh. The listener goes with the last call.
 */
export class Aborts {
  readonly #onAbort: (callId: number) => void
  readonly #signals = new Map<AbortSignal, { readonly calls: Set<number>; readonly listener: () => void }>()

  constructor(onAbort: (callId: number) => void) {
    this.#onAbort = onAbort
  }

  add(signal: AbortSignal, callId: number): void {
    const known = this.#signals.get(signal)
    if (known !== undefined) {
      known.calls.add(callId)
      return
    }
    const calls = new Set([callId])
    const listener = (): void => {
      // Aborting one call may settle others of the same signal: each is looked at as it is then.
      for (const each of [...calls]) if (calls.has(each)) this.#onAbort(each)
    }
    this.#signals.set(signal, { calls, listener })
    signal.addEventListener('abort', listener, { once: true })
  }

  remove(signal: AbortSignal, callId: number): void {
    const known = this.#signals.get(signal)
    if (known === undefined || !known.calls.delete(callId) || known.calls.size > 0) return
    signal.removeEventListener('abort', known.listener)
    this.#signals.delete(signal)
  }
}

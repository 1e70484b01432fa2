/**
 * Reading that follows a reader: one connection waits while a streamed reply has enough on its way.
 *
 * Rules: what was passed on and not taken may pass `streamBytesMax` by one read, and no further. While the peer keeps
 * the reader waiting the call has its own deadline; while the reader keeps the peer waiting it has `readerTimeoutMs`.
 * These two bound it, and nothing else: a connection that is replaced ends when its stream has.
 */
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Call, StreamSource } from './call.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { Transport } from './transport.ts'

export class StreamPacing implements StreamSource {
  isPaused = false
  readonly #limits: UpstreamLimits
  readonly #transport: () => Transport | undefined
  readonly #rearm: (call: Call, deadlineMs: number) => void

  /** `transport`: undefined once the connection is closed. */
  constructor(
    limits: UpstreamLimits,
    transport: () => Transport | undefined,
    rearm: (call: Call, deadlineMs: number) => void,
  ) {
    this.#limits = limits
    this.#transport = transport
    this.#rearm = rearm
  }

  /** More of the reply was passed on. */
  passed(call: Call): void {
    const { streamBytesMax, readerTimeoutMs } = this.#limits
    if (call.unread < streamBytesMax) return this.#rearm(call, call.patienceMs)
    if (this.isPaused) return
    this.isPaused = true
    this.#transport()?.pause()
    this.#rearm(call, readerTimeoutMs)
  }

  /** The reader wants more, or nobody does. */
  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.#transport()?.resume()
  }
}

/** Comes back every `ms`, until it no longer goes on. */
export function endUnless(goesOn: () => boolean, environment: IoEnvironment, ms: number, end: () => void): Timer {
  const look = (): void => {
    if (goesOn()) timer = environment.after(ms, look)
    else end()
  }
  let timer = environment.after(ms, look)
  return { cancel: () => timer.cancel() }
}

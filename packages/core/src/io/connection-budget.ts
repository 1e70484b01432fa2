/**
 * How many connections an upstream may have, shared between lanes and sessions.
 *
 * Rules:
 * 1. Never more than `connectionsMax` of both together, lanes that drain included. Push connections, monitors and
 *    messengers of a cancel come besides.
 * 2. Lanes leave `sessionsReserved` to sessions, but there is always one lane, beside those that drain if it must be.
 * 3. Whoever cannot have one may ask the other side for an idle one; nothing that works is taken away.
 */
import type { UpstreamLimits } from '../shared/limits.ts'

export interface ConnectionCounts {
  /** Open, and on their way. */
  readonly lanes: number
  /** Lanes that take no more calls. */
  readonly draining: number
  readonly sessions: number
}

export class ConnectionBudget {
  readonly #limits: UpstreamLimits
  readonly #counts: () => ConnectionCounts

  constructor(limits: UpstreamLimits, counts: () => ConnectionCounts) {
    this.#limits = limits
    this.#counts = counts
  }

  /** Lanes there may ever be. */
  get lanesMax(): number {
    const { connectionsMax, sessionsReserved } = this.#limits
    return Math.max(1, connectionsMax - sessionsReserved)
  }

  mayOpenLane(): boolean {
    const { lanes, draining, sessions } = this.#counts()
    return lanes === 0 || (lanes < this.lanesMax && lanes + draining + sessions < this.#limits.connectionsMax)
  }

  mayOpenSession(): boolean {
    const { lanes, draining, sessions } = this.#counts()
    return lanes + draining + sessions < this.#limits.connectionsMax
  }
}

/**
 * Calls that nothing answers (copy data, the closing of a statement): settled when their bytes have left.
 *
 * Rules: they stand in no connection's order, because no frame will be theirs. Each is settled once: when the operating
 * system has taken what was written with it, or when the connection is lost before that.
 */
import type { ErrorDescription } from '../plugin/errors.ts'
import type { Call } from './call.ts'
import type { Settlement } from './settlement.ts'

export class SilentCalls {
  readonly #settlement: Settlement
  readonly #connectionId: number
  readonly #onLeft: () => void
  /** Gathered for the next write. */
  #gathered: Call[] = []
  /** Not settled, gathered ones included. */
  readonly #leaving = new Set<Call>()

  /** `onLeft`: some of them have left. */
  constructor(settlement: Settlement, connectionId: number, onLeft: () => void) {
    this.#settlement = settlement
    this.#connectionId = connectionId
    this.#onLeft = onLeft
  }

  get isEmpty(): boolean {
    return this.#leaving.size === 0
  }

  add(call: Call): void {
    this.#gathered.push(call)
    this.#leaving.add(call)
  }

  /**
   * They are being written. What is returned is to be called when their bytes have left; nothing when there are none.
   */
  depart(nowMs: () => number): ((left: boolean) => void) | undefined {
    if (this.#gathered.length === 0) return undefined
    const calls = this.#gathered
    this.#gathered = []
    return (left) => {
      // Bytes that never left are given back when the connection ends, and `fail` follows.
      if (!left) return
      for (const call of calls) {
        if (this.#leaving.delete(call)) this.#settlement.reply(call, this.#connectionId, NOTHING, 0, 0, nowMs())
      }
      this.#onLeft()
    }
  }

  fail(error: ErrorDescription, nowMs: number): void {
    this.#gathered = []
    for (const call of this.#leaving) this.#settlement.fail(call, error, nowMs)
    this.#leaving.clear()
  }
}

const NOTHING = Buffer.alloc(0)

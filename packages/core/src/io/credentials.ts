/**
 * Credentials that come from a callback on an application thread (tokens that expire).
 *
 * Rules: the callback is asked before each handshake. While the application is busy, the last value serves: a reconnect
 * must not wait for a thread that computes. Only the first value is waited for as long as a handshake may take.
 */
import type { Cloneable } from '../plugin/cloneable.ts'
import { LocalError } from '../plugin/errors.ts'
import type { IoEnvironment, Timer } from './environment.ts'

/** How long a fresh value is waited for when there is an old one. */
const FRESH_MS = 250

type Taker = (value: Cloneable, failure: LocalError | undefined) => void

export class Credentials {
  readonly #environment: IoEnvironment
  readonly #firstTimeoutMs: number
  readonly #ask: () => void
  #value: Cloneable
  #known = false
  #takers: Taker[] = []
  #timer: Timer | undefined

  /** `ask` sends the question to an application thread; the answer comes by `answer`. */
  constructor(environment: IoEnvironment, firstTimeoutMs: number, ask: () => void) {
    this.#environment = environment
    this.#firstTimeoutMs = firstTimeoutMs
    this.#ask = ask
  }

  /** The last value known; undefined before the first. */
  get last(): Cloneable {
    return this.#value
  }

  get(taker: Taker): void {
    this.#takers.push(taker)
    if (this.#takers.length > 1) return
    this.#timer = this.#environment.after(this.#known ? FRESH_MS : this.#firstTimeoutMs, () => {
      this.#give(this.#known ? undefined : failure('the callback did not answer in time'))
    })
    this.#ask()
  }

  answer(value: Cloneable, problem: string | undefined): void {
    if (problem === undefined) {
      this.#value = value
      this.#known = true
    }
    this.#give(problem === undefined || this.#known ? undefined : failure(problem))
  }

  #give(error: LocalError | undefined): void {
    this.#timer?.cancel()
    const takers = this.#takers
    this.#takers = []
    for (const taker of takers) taker(this.#value, error)
  }
}

function failure(reason: string): LocalError {
  return new LocalError('CREDENTIALS', `the credentials callback failed: ${reason}`)
}

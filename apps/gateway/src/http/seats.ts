/** A number of places for what lasts (event streams, waits for a list). Nobody queues for one: a full house says so. */
import { RequestError } from './failures.ts'

export class Seats {
  readonly #what: string
  readonly #max: number
  #taken = 0

  constructor(what: string, max: number) {
    this.#what = what
    this.#max = max
  }

  get taken(): number {
    return this.#taken
  }

  /** Dispose of what it returns to give the seat back; twice is the same as once. */
  take(): Disposable {
    if (this.#taken >= this.#max) {
      throw new RequestError(503, 'SEATS_TAKEN', `${this.#max} ${this.#what} are open, which is the most`)
    }
    this.#taken++
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#taken--
        isHeld = false
      },
    }
  }
}

/**
 * When the application thread looks into its ring by itself, and when it sleeps until the doorbell rings.
 *
 * Rules: it looks once in each turn of the event loop, never in a loop of its own, so timers and sockets keep their
 * turns. It looks only while somebody waits and replies have lately come within `pollUsMax`; an idle thread sleeps.
 *
 * Why: being woken through a port costs both threads more than a few looks (measured: 50 calls in flight, twice the
 * calls a second for the same processor time; one in flight, half the latency).
 */
import type { RingConsumer } from '../channel/ring.ts'
import { nowMs } from '../shared/clock.ts'

export interface PollerHost {
  /** Takes what is in the ring. True when there was anything. */
  take(): boolean
  /** Somebody waits for an answer. */
  isWaited(): boolean
  /** Sleep was announced: nothing is in the ring. */
  onRest(): void
}

/** Share of a new gap in the moving average. */
const SMOOTHING = 1 / 8
/** Added to twice the average: below it, jitter alone would end the polling. */
const SLACK_US = 20

export class Poller {
  readonly #incoming: RingConsumer
  readonly #pollUsMax: number
  readonly #host: PollerHost
  #scheduled = false
  #untilMs = 0
  /** When something last came, or the waiting began. */
  #lastMs = 0
  /** Time until something comes, a moving average. */
  #gapUs = 0
  readonly #turn = (): void => this.#look()

  constructor(incoming: RingConsumer, pollUsMax: number, host: PollerHost) {
    this.#incoming = incoming
    this.#pollUsMax = pollUsMax
    this.#host = host
  }

  /** A call was made: its reply may be worth looking for. `first`: nobody waited before. */
  begin(first: boolean): void {
    if (first) this.#lastMs = nowMs()
    if (this.#scheduled) return
    const budgetMs = this.#budgetMs()
    if (budgetMs === 0) return
    this.#untilMs = nowMs() + budgetMs
    this.#incoming.wake()
    this.#schedule()
  }

  /** The ring was drained from outside; `found` something or not. */
  drained(found: boolean): void {
    if (found) this.#found(nowMs())
    if (!this.#scheduled) this.#rest(found)
  }

  #look(): void {
    this.#scheduled = false
    const found = this.#host.take()
    const now = nowMs()
    if (found) this.#found(now)
    if (this.#host.isWaited() && now < this.#untilMs) return this.#schedule()
    this.#rest(found)
  }

  #found(now: number): void {
    this.#gapUs += ((now - this.#lastMs) * 1000 - this.#gapUs) * SMOOTHING
    this.#lastMs = now
    this.#untilMs = now + this.#budgetMs()
  }

  #rest(found: boolean): void {
    // Answers settled in this turn usually lead to new calls: one more look before sleep is announced.
    if (found || !this.#incoming.sleep()) return this.#schedule()
    this.#host.onRest()
  }

  #schedule(): void {
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  #budgetMs(): number {
    const budgetUs = 2 * this.#gapUs + SLACK_US
    return budgetUs <= this.#pollUsMax ? budgetUs / 1000 : 0
  }
}

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

/** Share of a new reply time in the moving average. */
const SMOOTHING = 1 / 8
/** Added to twice the average: below it, jitter alone would end the polling. */
const SLACK_US = 20

export class Poller {
  readonly #incoming: RingConsumer
  readonly #pollUsMax: number
  readonly #host: PollerHost
  #scheduled = false
  #untilMs = 0
  #replyUs = 0
  readonly #turn = (): void => this.#look()

  constructor(incoming: RingConsumer, pollUsMax: number, host: PollerHost) {
    this.#incoming = incoming
    this.#pollUsMax = pollUsMax
    this.#host = host
  }

  /** A reply took this long from its writing to its end. */
  replyTook(microseconds: number): void {
    this.#replyUs += (microseconds - this.#replyUs) * SMOOTHING
  }

  /** A call was made: its reply may be worth looking for. */
  begin(): void {
    if (this.#scheduled) return
    const budgetMs = this.#budgetMs()
    if (budgetMs === 0) return
    this.#untilMs = nowMs() + budgetMs
    this.#incoming.wake()
    this.#schedule()
  }

  /** The ring was drained from outside; `found` something or not. */
  drained(found: boolean): void {
    if (found) this.#untilMs = nowMs() + this.#budgetMs()
    if (!this.#scheduled) this.#rest(found)
  }

  #look(): void {
    this.#scheduled = false
    const found = this.#host.take()
    const now = nowMs()
    if (found) this.#untilMs = now + this.#budgetMs()
    if (this.#host.isWaited() && now < this.#untilMs) return this.#schedule()
    this.#rest(found)
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
    const budgetUs = 2 * this.#replyUs + SLACK_US
    return budgetUs <= this.#pollUsMax ? budgetUs / 1000 : 0
  }
}

/**
 * When the application thread looks into its ring by itself, and when it sleeps until the doorbell rings.
 *
 * Rules: it looks once in each turn of the event loop, never in a loop of its own, so timers and sockets keep their
 * turns. It looks only while somebody waits and replies have lately come within `pollUsMax`; an idle thread sleeps.
 *
 * Why: being woken through a port costs both threads more than a few looks (measured: 50 calls in flight, twice the
 * calls a second for the same processor time; one in flight, half the latency). Where replies come slowly, one by one,
 * while many are waited for, the opposite holds: looking takes a processor from whoever makes them, and a thread that
 * sleeps is woken to several (measured with Postgres, 10 in flight, 2 processors for all: 26 k/s asleep, 12 k/s
 * looking).
 */
import type { RingConsumer } from '../channel/ring.ts'
import { nowMs } from '../shared/clock.ts'

export interface PollerHost {
  /** Takes what is in the ring. Says how much there was. */
  take(): number
  /** Calls that wait for an answer. */
  waiting(): number
  /** Sleep was announced: nothing is in the ring. */
  onRest(): void
}

/** Share of a new gap in the moving average. */
const SMOOTHING = 1 / 8
/**
 * What looking may cost for each reply that it finds, while several are waited for: about what being woken costs both
 * threads. (Found: Redis, 50 in flight 4 µs, 10 in flight 11 µs; Postgres 31 µs and 115 µs.) With one or two in flight
 * it is the time of the one who waits that counts.
 */
const LOOK_US_MAX = 25
const FEW = 2
/** What is assumed when looking begins again: a handful of looks decide. */
const LOOK_US_FIRST = 12
/** How long no look is tried after looking was too dear. */
const GATHER_MS = 100
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
  /** What looking has cost for each reply: a moving average. */
  #lookUs = LOOK_US_FIRST
  /** Until then it is let gather. */
  #gatherUntilMs = 0
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
    const now = nowMs()
    const budgetMs = this.#budgetMs(now)
    if (budgetMs === 0) return
    this.#untilMs = now + budgetMs
    this.#incoming.wake()
    this.#schedule()
  }

  /** The ring was drained from outside, and so much found. */
  drained(found: number): void {
    if (found > 0) this.#found(nowMs())
    if (!this.#scheduled) this.#rest(found)
  }

  #look(): void {
    this.#scheduled = false
    const found = this.#host.take()
    const now = nowMs()
    if (found > 0) {
      this.#judge(now, found)
      this.#found(now)
    }
    if (this.#host.waiting() > 0 && now < this.#untilMs) return this.#schedule()
    this.#rest(found)
  }

  /** Was looking worth it? */
  #judge(now: number, count: number): void {
    if (count + this.#host.waiting() <= FEW) return
    this.#lookUs += (((now - this.#lastMs) * 1000) / count - this.#lookUs) * SMOOTHING
    if (this.#lookUs <= LOOK_US_MAX) return
    this.#lookUs = LOOK_US_FIRST
    this.#gatherUntilMs = now + GATHER_MS
  }

  #found(now: number): void {
    this.#gapUs += ((now - this.#lastMs) * 1000 - this.#gapUs) * SMOOTHING
    this.#lastMs = now
    this.#untilMs = now + this.#budgetMs(now)
  }

  #rest(found: number): void {
    // Answers settled in this turn usually lead to new calls: one more look before sleep is announced.
    if (found > 0 || !this.#incoming.sleep()) return this.#schedule()
    this.#host.onRest()
  }

  #schedule(): void {
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  #budgetMs(now: number): number {
    if (now < this.#gatherUntilMs) return 0
    const budgetUs = 2 * this.#gapUs + SLACK_US
    return budgetUs <= this.#pollUsMax ? budgetUs / 1000 : 0
  }
}

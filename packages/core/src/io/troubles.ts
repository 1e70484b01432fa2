/**
 * One line for people when an upstream is down and nobody listens.
 *
 * Rules: at most one line about a failure in `LINE_EVERY_MS` for each upstream, and one when that is over. A listener
 * means that the application reports by itself.
 */
import type { IoEnvironment } from './environment.ts'

const LINE_EVERY_MS = 10_000

export class Troubles {
  readonly #authority: string
  readonly #environment: IoEnvironment
  #saidAtMs = Number.NEGATIVE_INFINITY
  /** The line about the present trouble is out: its end is worth one too. */
  #said = false
  #sinceMs: number | undefined

  constructor(authority: string, environment: IoEnvironment) {
    this.#authority = authority
    this.#environment = environment
  }

  report(reason: string, heard: boolean): void {
    const now = this.#environment.nowMs()
    this.#sinceMs ??= now
    if (heard || now - this.#saidAtMs < LINE_EVERY_MS) return
    this.#saidAtMs = now
    this.#said = true
    this.#environment.log('warn', `${this.#authority} is down: ${reason}. The kernel keeps trying.`)
  }

  over(): void {
    if (this.#said && this.#sinceMs !== undefined) {
      const seconds = (this.#environment.nowMs() - this.#sinceMs) / 1000
      this.#environment.log('warn', `${this.#authority} is back after ${seconds.toFixed(1)} s.`)
    }
    this.#said = false
    this.#sinceMs = undefined
  }
}

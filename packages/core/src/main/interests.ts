/**
 * Interests of this thread: who is called when a push arrives.
 *
 * Rules: handlers run in the AsyncLocalStorage context of the one who asked; what they throw is reported as an uncaught
 * exception and never disturbs the drain. A push longer than a record arrives in pieces and is delivered whole.
 */
import { AsyncResource } from 'node:async_hooks'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { GapReason, InterestHandler } from '../plugin/protocol.ts'
import { shielded } from '../shared/shield.ts'

export class InterestEntry {
  readonly target: number
  readonly key: string
  /** The peer has registered the key at least once. */
  isReady = false
  readonly #handler: InterestHandler
  readonly #context = new AsyncResource('IoKernelInterest')
  readonly #settled: { resolve: () => void; reject: (error: Error) => void }
  /** Settles when the peer has registered the key. */
  readonly confirmed: Promise<void>
  /** Resolves when nothing is delivered any more. */
  readonly ended: Promise<void>
  #pieces: Buffer[] = []
  #isEnded = false
  #onEnded: () => void = () => undefined

  constructor(target: number, key: string, handler: InterestHandler) {
    this.target = target
    this.key = key
    this.#handler = handler
    let settle: { resolve: () => void; reject: (error: Error) => void } | undefined
    this.confirmed = new Promise((resolve, reject) => {
      settle = { resolve, reject }
    })
    // The executor above has run: promises call it synchronously.
    this.#settled = settle as unknown as { resolve: () => void; reject: (error: Error) => void }
    this.confirmed.catch(() => undefined)
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve
    })
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  ready(): void {
    this.isReady = true
    this.#settled.resolve()
  }

  push(bytes: Buffer, start: number, end: number, facts: Cloneable, more: boolean): void {
    if (this.#isEnded) return
    if (more) {
      this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
      return
    }
    if (this.#pieces.length > 0) {
      const whole = Buffer.concat([...this.#pieces, bytes.subarray(start, end)])
      this.#pieces = []
      this.#run(() => this.#handler.push({ bytes: whole, start: 0, end: whole.length }, facts))
      return
    }
    this.#run(() => this.#handler.push({ bytes, start, end }, facts))
  }

  gap(reason: GapReason): void {
    this.#pieces = []
    if (!this.#isEnded) this.#run(() => this.#handler.gap(reason))
  }

  fail(error: Error): void {
    this.#settled.reject(error)
    if (this.#isEnded) return
    this.#run(() => this.#handler.failed(error))
    this.end()
  }

  /** The peer refused: its own words, where it said any, make the better error. */
  refused(error: Error, frame: Uint8Array | undefined): void {
    const build = this.#handler.refused
    if (frame === undefined || build === undefined) return this.fail(error)
    const bytes = Buffer.from(frame)
    this.fail(build.call(this.#handler, { bytes, start: 0, end: bytes.length }))
  }

  /** Nothing is delivered after this, whatever is still under way. */
  end(): void {
    this.#isEnded = true
    this.#onEnded()
  }

  #run(handler: () => void): void {
    shielded(() => this.#context.runInAsyncScope(handler))
  }
}

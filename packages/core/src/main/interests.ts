/**
 * Interests of this thread: who is called when a push arrives.
 *
 * Rules: handlers run in the AsyncLocalStorage context of the one who asked; what they throw is reported as an uncaught
 * exception and never disturbs the drain. A push longer than a record arrives in pieces and is delivered whole.
 */
import { AsyncResource } from 'node:async_hooks'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Answer, GapReason, InterestHandler, ReplyBytes } from '../plugin/protocol.ts'
import { assert } from '../shared/assert.ts'
import { shielded } from '../shared/shield.ts'

/** What is said of a push besides its bytes. */
export interface PushRecord {
  readonly facts: Cloneable
  /** The frame goes on in the next one. */
  readonly more: boolean
  /** The peer wants an answer… */
  readonly asks: boolean
  /** …over this connection. */
  readonly connection: number
}

/** What answers a request that has just come over the connection with this number. */
export type AnswerTo = (connection: number) => Answer

export class InterestEntry {
  readonly target: number
  readonly key: string
  /** The peer has registered the key at least once. */
  isReady = false
  readonly #handler: InterestHandler
  readonly #answerTo: AnswerTo
  readonly #context = new AsyncResource('IoKernelInterest')
  readonly #settled: { resolve: () => void; reject: (error: Error) => void }
  /** Settles when the peer has registered the key. */
  readonly confirmed: Promise<void>
  /** Resolves when nothing is delivered any more. */
  readonly ended: Promise<void>
  #pieces: Buffer[] = []
  #isEnded = false
  #onEnded: () => void = () => undefined

  constructor(target: number, key: string, handler: InterestHandler, answerTo: AnswerTo) {
    this.target = target
    this.key = key
    this.#handler = handler
    this.#answerTo = answerTo
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

  /** It takes requests of the peer's. */
  get answers(): boolean {
    return this.#handler.request !== undefined
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  ready(): void {
    this.isReady = true
    this.#settled.resolve()
  }

  push(frame: ReplyBytes, push: PushRecord): void {
    // Who asked before the I/O thread knew of the end waits for an answer, and nobody else will give it.
    if (this.#isEnded && !push.asks) return
    const { bytes, start, end } = frame
    if (push.more) {
      this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
      return
    }
    if (this.#pieces.length === 0) return this.#deliver(frame, push)
    const whole = Buffer.concat([...this.#pieces, bytes.subarray(start, end)])
    this.#pieces = []
    this.#deliver({ bytes: whole, start: 0, end: whole.length }, push)
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

  /** No push is delivered after this, whatever is still under way. */
  end(): void {
    this.#isEnded = true
    this.#onEnded()
  }

  #deliver(frame: ReplyBytes, { facts, asks, connection }: PushRecord): void {
    this.#run(() => {
      if (!asks) return this.#handler.push?.(frame, facts)
      let answered = false
      const answer = this.#answerTo(connection)
      this.#handler.request?.(frame, facts, (encode) => {
        assert(!answered, 'a request is answered once')
        answered = true
        return answer(encode)
      })
    })
  }

  #run(handler: () => void): void {
    shielded(() => this.#context.runInAsyncScope(handler))
  }
}

/**
 * `handle(method, handler)`: the peer's requests, answered over the connection that they came over.
 *
 * Rules:
 * 1. Every request is answered once: by what the handler returns or what its promise brings, or by what it throws
 *    (codec/errors.ts). What cannot be decoded, and what cannot be encoded, is answered with an error that says so.
 * 2. Handlers run side by side, at most `runningMax`; the peer is told of those beyond. They may call the peer
 *    meanwhile, and it may call back again.
 * 3. An answer whose connection is gone is dropped: nobody waits for it.
 * 4. Of several handlers for a method the oldest is asked. Until there is one, and after the last, the kernel answers
 *    that nobody takes the request.
 */
import type { Answer, Interest, InterestHandler, Link, ReplyBytes, WaitOptions } from '@iokernel/core/plugin'
import { checkCount, type Kind, mustBeCount, optionsAfter, WAIT_OPTIONS, wrong } from '@iokernel/core/toolkit'
import { errorBytes, resultBytes } from '../codec/encode.ts'
import { errorValueOf } from '../codec/errors.ts'
import { decodeRequest, requestId } from '../codec/reply.ts'
import type { ValueCodec } from '../codec/values.ts'
import { keyOf } from '../push.ts'
import { checkedMethod } from './methods.ts'

/** What it returns, or what the promise brings, is the result. */
export type RequestHandler = (params: readonly unknown[], context: RequestContext) => unknown

export interface RequestContext {
  readonly method: string
}

/** `deadlineMs` and `signal` are for the registration: there may be no connection yet. */
export interface HandleOptions extends WaitOptions {
  /**
   * Handlers that run at once; the peer's requests beyond are answered with an error. Default 1000: a peer that has
   * more on its way does not wait for answers.
   */
  readonly runningMax?: number
}

/** A method that is handled, until it is closed. */
export interface Registration extends AsyncDisposable {
  /** Resolves when requests can arrive. */
  ready(): Promise<void>
  /** Takes no more requests. Those that are being handled are still answered. */
  close(): Promise<void>
}

const HANDLE_OPTIONS: Kind<HandleOptions> = {
  title: 'option of handle()',
  checks: { ...WAIT_OPTIONS.checks, runningMax: mustBeCount },
}

const RUNNING_MAX = 1000

export function handle(link: Link, codec: ValueCodec, given: readonly unknown[]): Registration {
  const { runningMax = RUNNING_MAX, ...wait } = optionsAfter(2, given, HANDLE_OPTIONS) ?? {}
  const method = checkedMethod(given[0])
  const handler = given[1]
  if (typeof handler !== 'function') throw wrong('a handler is a function: handle(method, (params) => result)')
  return new LiveRegistration(link, new Handling(codec, method, handler as RequestHandler, runningMax), wait)
}

/** The requests of one handler. */
class Handling implements InterestHandler {
  readonly method: string
  readonly #codec: ValueCodec
  readonly #handler: RequestHandler
  readonly #runningMax: number
  #running = 0

  constructor(codec: ValueCodec, method: string, handler: RequestHandler, runningMax: number) {
    this.#codec = codec
    this.method = method
    this.#handler = handler
    this.#runningMax = runningMax
  }

  request(frame: ReplyBytes, _facts: unknown, answer: Answer): void {
    const id = requestId(frame)
    if (this.#running >= this.#runningMax) return this.#fail(id, BUSY, answer)
    let params: readonly unknown[]
    try {
      params = decodeRequest(frame, this.#codec)
    } catch (error) {
      return this.#fail(id, errorValueOf(error), answer)
    }
    this.#running++
    void this.#run(id, params, answer)
  }

  gap(): void {}

  failed(): void {}

  /** Never rejects. */
  async #run(id: number, params: readonly unknown[], answer: Answer): Promise<void> {
    let bytes: Uint8Array
    try {
      const value: unknown = await this.#handler(params, { method: this.method })
      bytes = resultBytes(this.#codec, id, value)
    } catch (error) {
      this.#running--
      return this.#fail(id, errorValueOf(error), answer)
    }
    this.#running--
    await this.#send(bytes, answer)
  }

  #fail(id: number, error: unknown, answer: Answer): void {
    let bytes: Uint8Array
    try {
      bytes = errorBytes(this.#codec, id, error)
    } catch {
      bytes = errorBytes(this.#codec, id, UNENCODABLE)
    }
    this.#send(bytes, answer)
  }

  /** Never rejects. */
  #send(bytes: Uint8Array, answer: Answer): Promise<void> {
    return answer((out) => out.copy(bytes)).catch(() => undefined)
  }
}

class LiveRegistration implements Registration {
  readonly #interest: Promise<Interest>
  /** Fires at `close`: what is not registered by then is not waited for. */
  readonly #givenUp = new AbortController()
  #closing: Promise<void> | undefined

  constructor(link: Link, handling: Handling, { signal, deadlineMs }: WaitOptions) {
    const giveUp = () => this.#givenUp.abort(signal?.reason)
    if (signal?.aborted === true) giveUp()
    else signal?.addEventListener('abort', giveUp)
    this.#interest = link.interest(keyOf('request', handling.method), handling, {
      signal: this.#givenUp.signal,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    })
    // Told to whoever waits for `ready`; nobody has to.
    this.#interest.catch(() => undefined).then(() => signal?.removeEventListener('abort', giveUp))
  }

  async ready(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    await this.#interest
  }

  async close(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    this.#closing ??= this.#close()
    await this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#givenUp.abort()
    const interest = await this.#interest.catch(() => undefined)
    await interest?.close()
  }
}

const BUSY = 'too many requests for this method are being handled: ask again later'
const UNENCODABLE = 'the handler failed, and what it threw has no encoding'

/**
 * A request as handlers see it: its parts checked, its limits kept, and the options for its calls to the kernel.
 *
 * Rules: whatever is wrong with a request is found here or by the handler before any call, and is a `RequestError`
 * 400 that says what to write instead. Nothing is guessed: unknown query parameters are refused too.
 */
import type { IncomingMessage } from 'node:http'
import type { CallOptions } from '@iokernel/core'
import type { GatewayLimits } from '../limits.ts'
import { BodyPieces, readBody } from './body.ts'
import { RequestError } from './failures.ts'
import type { TimeSplit } from './time-split.ts'

export interface RequestParts {
  readonly incoming: IncomingMessage
  readonly parameters: ReadonlyMap<string, Buffer>
  readonly query: URLSearchParams
  readonly limits: GatewayLimits
  readonly times: TimeSplit
  /** Fires when the client is gone. */
  readonly signal: AbortSignal
  /** Fires when the gateway stops: what would last for long ends then. */
  readonly stopping: AbortSignal
}

export class GatewayRequest {
  readonly limits: GatewayLimits
  readonly signal: AbortSignal
  readonly stopping: AbortSignal
  readonly times: TimeSplit
  readonly #parts: RequestParts

  constructor(parts: RequestParts) {
    this.#parts = parts
    this.limits = parts.limits
    this.signal = parts.signal
    this.stopping = parts.stopping
    this.times = parts.times
  }

  /** Options for a call made for this request. */
  call(options: Pick<CallOptions, 'deadlineMs' | 'signal' | 'onTiming'> = {}): CallOptions {
    return { signal: this.signal, deadlineMs: this.limits.callDeadlineMs, onTiming: this.times.add, ...options }
  }

  /** A parameter of the path: a key, a channel. */
  name(parameter: string): Buffer {
    const name = this.#parts.parameters.get(parameter) as Buffer
    const { keyBytesMax } = this.limits
    if (name.length > keyBytesMax) {
      throw new RequestError(
        400,
        'ARGUMENT',
        `a ${parameter} has at most ${keyBytesMax} bytes, this one ${name.length}`,
      )
    }
    return name
  }

  /** Refuses what is not in `known`: a misspelt `ttlMs` must not be a key that lives for ever. */
  queryOnly(...known: readonly string[]): void {
    for (const name of this.#parts.query.keys()) {
      if (known.includes(name)) continue
      const takes = known.length === 0 ? 'there is none here' : `there is ${known.join(', ')}`
      throw new RequestError(400, 'ARGUMENT', `'${name}' is no query parameter: ${takes}`)
    }
  }

  textQuery(name: string): string | undefined {
    return this.#parts.query.get(name) ?? undefined
  }

  /** A whole number between `min` and `max`, or undefined where it is not given. */
  integerQuery(name: string, min: number, max: number): number | undefined {
    const given = this.textQuery(name)
    if (given === undefined) return undefined
    const value = /^-?\d{1,16}$/.test(given) ? Number(given) : Number.NaN
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      throw new RequestError(400, 'ARGUMENT', `${name} is a whole number between ${min} and ${max}`)
    }
    return value
  }

  header(name: string): string | undefined {
    const value = this.#parts.incoming.headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  body(): Promise<Buffer> {
    return readBody(this.#parts.incoming, this.limits.bodyBytesMax)
  }

  /** The body as it comes. Ask before anything is awaited, and `drop` what is not read. */
  bodyPieces(bytesMax: number): BodyPieces {
    return new BodyPieces(this.#parts.incoming, bytesMax)
  }

  /** The body as a JSON object. */
  async jsonObject(): Promise<Readonly<Record<string, unknown>>> {
    const body = await this.body()
    let value: unknown
    try {
      value = JSON.parse(body.toString('utf8'))
    } catch {
      throw new RequestError(400, 'ARGUMENT', 'the body is not JSON')
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new RequestError(400, 'ARGUMENT', 'the body is a JSON object')
    }
    return value as Readonly<Record<string, unknown>>
  }
}

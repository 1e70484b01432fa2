/**
 * The operations of a client: one for each method that it calls, made once.
 *
 * Rules:
 * 1. An operation holds the head of its messages as bytes; a call adds its params, in the client's codec.
 * 2. Names of methods are labels of statistics, so their number is bounded: beyond `METHODS_MAX` new ones are made for
 *    one call and share the label `other`. So do names that are no words.
 * 3. Nothing is known of a method: it writes, and it is sent again only where the caller says that it may be.
 */
import type { ByteWriter, Operation, ReplyBytes } from '@iokernel/core/plugin'
import { wrong } from '@iokernel/core/toolkit'
import { callHead, notificationHead } from '../codec/encode.ts'
import { decodeReply } from '../codec/reply.ts'
import { Hint } from '../codec/request.ts'
import type { ValueCodec } from '../codec/values.ts'
import { METHOD_BYTES_MAX } from '../limits.ts'

type Params = readonly unknown[]

/** Neovim has some 300 functions; an application calls few of them. */
const METHODS_MAX = 1024

export class Methods {
  readonly codec: ValueCodec
  readonly #calls = new Map<string, Operation<Params, unknown>>()
  readonly #notifications = new Map<string, Operation<Params, void>>()

  constructor(codec: ValueCodec) {
    this.codec = codec
  }

  call(method: unknown): Operation<Params, unknown> {
    return known(this.#calls, method, (name) => this.#makeCall(name))
  }

  notification(method: unknown): Operation<Params, void> {
    return known(this.#notifications, method, (name) => this.#makeNotification(name))
  }

  #makeCall(method: string): Operation<Params, unknown> {
    const head = callHead(method)
    const { codec } = this
    return {
      ...COMMON,
      name: labelOf(method, this.#calls),
      encode: (out, params) => encode(out, head, codec, params, Hint.Call),
      decode: (reply: ReplyBytes) => decodeReply(reply, codec),
    }
  }

  #makeNotification(method: string): Operation<Params, void> {
    const head = notificationHead(method)
    const { codec } = this
    return {
      ...COMMON,
      name: labelOf(method, this.#notifications),
      answer: 'written',
      encode: (out, params) => encode(out, head, codec, params, Hint.AsIs),
      decode: () => undefined,
    }
  }
}

/** The name of a method, or a LocalError that says what one is. */
export function checkedMethod(method: unknown): string {
  if (typeof method !== 'string' || method === '') throw wrong('a method is a string that is not empty')
  if (Buffer.byteLength(method) > METHOD_BYTES_MAX) {
    throw wrong(`the name of a method has at most ${METHOD_BYTES_MAX} bytes`)
  }
  return method
}

const COMMON = { access: 'write', on: 'lane', idempotent: false } as const

function known<Made>(made: Map<string, Made>, method: unknown, make: (method: string) => Made): Made {
  const found = made.get(method as string)
  if (found !== undefined) return found
  const name = checkedMethod(method)
  const fresh = make(name)
  if (made.size < METHODS_MAX) made.set(name, fresh)
  return fresh
}

function encode(out: ByteWriter, head: Uint8Array, codec: ValueCodec, params: Params, hint: number): number {
  out.copy(head)
  out.copy(codec.encode(params))
  return hint
}

function labelOf(method: string, known: ReadonlyMap<string, unknown>): string {
  return known.size < METHODS_MAX && LABEL.test(method) ? method : 'other'
}

/** What a metric can be called by; Neovim's longest has 35 characters. */
const LABEL = /^[!-~]{1,64}$/

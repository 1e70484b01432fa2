/**
 * One connection of the msgpack-rpc service: both sides ask and answer over it, in any order.
 *
 *   request [0, id, method, params]    response [1, id, error, result]    notification [2, method, params]
 *
 * Rules: whoever breaks the protocol, or does not read what was sent (`UNREAD_BYTES_MAX`), loses the connection. A
 * failure is an error `{ code, message }`. Requests of ours that wait when the connection ends fail then.
 *
 * Limit: the library begins a message again from its first byte when more of it arrives, so messages are kept small
 * (`DECODER_LIMITS`); larger ones end the connection.
 */
import type { Socket } from 'node:net'
import { Decoder, encode } from '@msgpack/msgpack'

/** Answers a request. What it throws as `RpcFailure` is told to the peer as it is. */
export type Handler = (method: string, params: readonly unknown[], peer: Peer) => Promise<unknown> | unknown

export class RpcFailure extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

interface Question {
  resolve(result: unknown): void
  reject(error: Error): void
}

export class Peer {
  readonly #socket: Socket
  readonly #handler: Handler
  readonly #questions = new Map<number, Question>()
  #nextId = 0
  #answering = 0

  constructor(socket: Socket, handler: Handler) {
    this.#socket = socket
    this.#handler = handler
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
  }

  /** Until the connection ends. Never rejects. */
  async run(): Promise<void> {
    try {
      for await (const message of new Decoder(DECODER_LIMITS).decodeStream(this.#socket)) this.#take(message)
    } catch {
      // Cut off, or no MessagePack: either way this connection is of no use any more.
    }
    this.#socket.destroy()
    for (const { reject } of this.#questions.values()) reject(new Error('whoever could answer is gone'))
    this.#questions.clear()
  }

  notify(method: string, params: readonly unknown[]): void {
    this.#send([Kind.Notification, method, params])
  }

  /** Asks the peer. Rejects with its error, when the time is over, and when it is gone. */
  async ask(method: string, params: readonly unknown[], timeoutMs: number): Promise<unknown> {
    if (this.#socket.destroyed) throw new Error('whoever could answer is gone')
    const id = this.#nextId
    this.#nextId = (this.#nextId + 1) >>> 0
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`nobody answered within ${timeoutMs} ms`)), timeoutMs)
        this.#questions.set(id, { resolve, reject })
        this.#send([Kind.Request, id, method, params])
      })
    } finally {
      clearTimeout(timer)
      this.#questions.delete(id)
    }
  }

  #take(message: unknown): void {
    if (!Array.isArray(message)) throw new Error('a message is an array')
    const [kind, ...rest]: readonly unknown[] = message
    if (kind === Kind.Request && rest.length === 3) return this.#answer(rest)
    if (kind === Kind.Response && rest.length === 3) return this.#settle(rest)
    // Nobody notifies this service of anything; who does is not wrong.
    if (kind === Kind.Notification && rest.length === 2) return
    throw new Error('a message is a request, a response or a notification')
  }

  #answer([id, method, params]: readonly unknown[]): void {
    if (typeof id !== 'number' || typeof method !== 'string' || !Array.isArray(params)) {
      throw new Error('a request is [0, id, method, params]')
    }
    if (this.#answering >= ANSWERING_MAX) {
      return this.#send([Kind.Response, id, { code: 'BUSY', message: 'too many requests at once: ask again' }, null])
    }
    this.#answering++
    void this.#result(id, method, params).then((response) => {
      this.#answering--
      this.#send(response)
    })
  }

  async #result(id: number, method: string, params: readonly unknown[]): Promise<readonly unknown[]> {
    try {
      return [Kind.Response, id, null, (await this.#handler(method, params, this)) ?? null]
    } catch (error) {
      if (error instanceof RpcFailure) {
        return [Kind.Response, id, { code: error.code, message: error.message }, null]
      }
      console.error('the job service failed:', error)
      return [Kind.Response, id, { code: 'INTERNAL', message: 'the job service failed' }, null]
    }
  }

  #settle([id, error, result]: readonly unknown[]): void {
    const question = this.#questions.get(id as number)
    if (error === null) question?.resolve(result)
    else question?.reject(new Error(typeof error === 'string' ? error : 'whoever was asked has failed'))
  }

  #send(message: readonly unknown[]): void {
    if (this.#socket.destroyed) return
    if (this.#socket.writableLength > UNREAD_BYTES_MAX) this.#socket.destroy()
    else this.#socket.write(encode(message))
  }
}

const Kind = { Request: 0, Response: 1, Notification: 2 } as const

/** As long as the gateway's keys, and few of them. */
const DECODER_LIMITS = { maxStrLength: 4_096, maxBinLength: 4_096, maxArrayLength: 64, maxMapLength: 64 }
/** Waits are cheap; this is what one forgets to bound. */
const ANSWERING_MAX = 10_000
/** Some ten thousand notifications. */
const UNREAD_BYTES_MAX = 4 << 20

/**
 * The HTTP server: takes requests, finds their route, writes their answers. The only file that touches responses.
 *
 * Rules:
 * 1. Every answer, failures included, carries `Server-Timing`.
 * 2. A client that leaves aborts the calls made for it.
 * 3. `stop()` takes no new connections, tells what lasts to end, lets the rest finish within `drainTimeoutMs`, and then
 *    cuts. An answer given meanwhile closes its connection.
 *
 * `node:http` is here for as long as the kernel has no listener of its own.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { GatewayLimits } from '../limits.ts'
import type { Answer } from './answer.ts'
import { Connections } from './connections.ts'
import { failureAnswer, RequestError } from './failures.ts'
import { GatewayRequest } from './request.ts'
import { type Route, Router } from './router.ts'
import { TimeSplit } from './time-split.ts'

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly routes: readonly Route[]
  readonly limits: GatewayLimits
}

export class GatewayServer {
  readonly #server: Server
  readonly #connections: Connections
  readonly #router: Router
  readonly #limits: GatewayLimits
  readonly #stopping = new AbortController()
  #stopped: Promise<void> | undefined

  private constructor(options: ListenOptions) {
    const { limits } = options
    this.#limits = limits
    this.#router = new Router(options.routes)
    this.#server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.headersTimeoutMs,
        requestTimeout: limits.requestTimeoutMs,
        keepAliveTimeout: limits.keepAliveTimeoutMs,
      },
      (incoming, response) => void this.#serve(incoming, response),
    )
    this.#connections = new Connections(this.#server)
    this.#server.maxConnections = limits.connectionsMax
  }

  static async listen(options: ListenOptions): Promise<GatewayServer> {
    const gateway = new GatewayServer(options)
    gateway.#server.listen(options.port, options.host)
    await once(gateway.#server, 'listening')
    return gateway
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#stopping.abort()
    this.#connections.closeWhenIdle()
    const impatience = setTimeout(() => this.#server.closeAllConnections(), this.#limits.drainTimeoutMs)
    await closed
    clearTimeout(impatience)
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const times = new TimeSplit()
    const gone = new AbortController()
    const { socket } = incoming
    this.#connections.began(socket)
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
      this.#connections.ended(socket)
    })
    // A connection that breaks while it is written to: 'close' follows, and says all there is to say.
    response.on('error', () => undefined)
    const answer = await this.#answer(incoming, times, gone.signal)
    if (gone.signal.aborted) {
      response.destroy()
      return
    }
    try {
      await this.#write(response, answer, times)
    } catch (error) {
      // The headers are gone, so the only sign left is to break the connection off.
      console.error('a stream failed:', error)
      response.destroy()
    }
  }

  async #answer(incoming: IncomingMessage, times: TimeSplit, signal: AbortSignal): Promise<Answer> {
    let route: Route | undefined
    try {
      const { path, query } = partsOf(incoming.url ?? '')
      const found = this.#router.find(incoming.method ?? '', path)
      route = found.route
      const { parameters } = found
      const stopping = this.#stopping.signal
      const request = new GatewayRequest({ incoming, parameters, query, limits: this.#limits, times, signal, stopping })
      return await route.handle(request)
    } catch (error) {
      // Nobody is there any more to be told.
      if (signal.aborted) return { status: 499, headers: {}, body: undefined }
      return failureAnswer(error, route?.statusOf ?? (() => undefined), this.#limits.retryAfterSeconds)
    }
  }

  async #write(response: ServerResponse, answer: Answer, times: TimeSplit): Promise<void> {
    const { body } = answer
    const closing: Record<string, string> = this.#stopping.signal.aborted ? { connection: 'close' } : {}
    const length: Record<string, string> =
      typeof body === 'function' || answer.status === 204 ? {} : { 'content-length': String(body?.length ?? 0) }
    response.writeHead(answer.status, { ...answer.headers, ...length, ...closing, 'server-timing': times.header() })
    if (typeof body !== 'function') {
      response.end(body)
      return
    }
    response.flushHeaders()
    await body(response)
    response.end()
  }
}

/** By hand, because `URL` would take the key `..` for a step upwards, and `//kv` for a host. */
function partsOf(target: string): { readonly path: string; readonly query: URLSearchParams } {
  if (!target.startsWith('/')) throw new RequestError(400, 'ARGUMENT', 'a request names a path: GET /kv/key')
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  return { path, query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)) }
}

/**
 * The client: what an application holds in its hands.
 *
 * Rules:
 * 1. Requests share a pool, one at a time on each connection; with `pipelining` safe ones stand behind each other.
 * 2. A connection that was closed while it idled is no trouble: a request that may be sent again is, once.
 * 3. What is wrong with a request rejects, and nothing has been sent.
 */
import type { Link, UpstreamState, WaitOptions } from '@iokernel/core/plugin'
import { CLOSE_OPTIONS, checkCount, optionsAfter, WAIT_OPTIONS, wrong } from '@iokernel/core/toolkit'
import type { HttpApp } from './app.ts'
import { type HttpDuplex, type TakeOverOptions, tunnel, type UpgradeOptions, upgrade } from './client/duplex.ts'
import { type RequestOptions, Requests } from './client/request.ts'
import type { HttpResponse } from './client/response.ts'
import { upload } from './client/upload.ts'

export interface HttpClient extends AsyncDisposable {
  /** `path` begins with a slash and is sent as it is: percent-encode what you put into it. */
  request(method: string, path: string, options?: RequestOptions): Promise<HttpResponse>
  get(path: string, options?: RequestOptions): Promise<HttpResponse>
  head(path: string, options?: RequestOptions): Promise<HttpResponse>
  post(path: string, options?: RequestOptions): Promise<HttpResponse>
  put(path: string, options?: RequestOptions): Promise<HttpResponse>
  patch(path: string, options?: RequestOptions): Promise<HttpResponse>
  delete(path: string, options?: RequestOptions): Promise<HttpResponse>
  options(path: string, options?: RequestOptions): Promise<HttpResponse>
  /** Switches a connection to another protocol: `upgrade('/chat', { protocol: 'websocket', headers })`. */
  upgrade(path: string, options: UpgradeOptions): Promise<HttpDuplex>
  /** Asks a proxy for a connection to `host:port`. */
  tunnel(authority: string, options?: TakeOverOptions): Promise<HttpDuplex>

  readonly state: UpstreamState
  /** Resolves when calls can be answered. */
  ready(options?: WaitOptions): Promise<void>
  onState(listener: (state: UpstreamState) => void): Disposable
  /** Lets what is in flight finish, then gives the upstream up. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>
}

export function httpClient(link: Link, app: HttpApp): HttpClient {
  return new ClientCaller(link, app)
}

class ClientCaller implements HttpClient {
  readonly #link: Link
  readonly #requests: Requests

  constructor(link: Link, app: HttpApp) {
    this.#link = link
    this.#requests = new Requests(app)
  }

  request(method: string, path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request(method, path, options, more)
  }
  get(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('GET', path, options, more)
  }

  head(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('HEAD', path, options, more)
  }

  post(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('POST', path, options, more)
  }

  put(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('PUT', path, options, more)
  }

  patch(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('PATCH', path, options, more)
  }

  delete(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('DELETE', path, options, more)
  }

  options(path: string, options?: RequestOptions, ...more: readonly unknown[]): Promise<HttpResponse> {
    return this.#request('OPTIONS', path, options, more)
  }

  async upgrade(path: string, options: UpgradeOptions, ...more: readonly unknown[]): Promise<HttpDuplex> {
    checkCount(more, 0)
    return await upgrade(this.#link, this.#requests, path, options)
  }

  async tunnel(authority: string, options?: TakeOverOptions, ...more: readonly unknown[]): Promise<HttpDuplex> {
    checkCount(more, 0)
    return await tunnel(this.#link, this.#requests, authority, options)
  }

  get state(): UpstreamState {
    return this.#link.upstream.state
  }

  async ready(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, WAIT_OPTIONS)
    await this.#link.upstream.ready(options)
  }

  onState(...given: unknown[]): Disposable {
    checkCount(given, 1)
    const listener = given[0]
    if (typeof listener !== 'function') throw wrong('the listener of onState() is a function')
    return this.#link.upstream.onState(listener as (state: UpstreamState) => void)
  }

  async close(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CLOSE_OPTIONS)
    await this.#link.upstream.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#link.upstream.close()
  }

  #request(
    method: string,
    path: string,
    options: RequestOptions | undefined,
    more: readonly unknown[],
  ): Promise<HttpResponse> {
    try {
      if (more.length > 0) checkCount(more, 0)
      const { operation, call, contents } = this.#requests.prepare(method, path, options)
      if (contents === undefined) return this.#link.request(operation, call, options)
      return upload(this.#link, call, contents, options ?? {})
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

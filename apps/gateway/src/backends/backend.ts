/**
 * What a backend is: a server that can be had, a protocol that speaks to it, routes that use it, and a check that
 * shows it works.
 *
 * Rules: a backend knows nothing of the others and nothing of HTTP's machinery; its handlers take a request and return
 * an answer. To add one, write a file beside `redis.ts` and a row in `table.ts`.
 */
import type { CallOptions, Kernel, KernelOptions, UpstreamState } from '@iokernel/core'
import type { Caller } from '../check/caller.ts'
import type { Route } from '../http/router.ts'
import type { GatewayLimits } from '../limits.ts'

export interface Backend {
  readonly name: string
  readonly protocol: KernelOptions['protocols'][number]
  /** Starts a real server, or finds the one that the environment names. Rejects with `ServerUnavailableError`. */
  startServer(): Promise<BackendServer>
  connect(kernel: Kernel, url: string, limits: GatewayLimits): BackendConnection
  /** Real requests through the gateway. Says what came back; throws what was wrong. */
  check(caller: Caller): Promise<string>
}

export interface BackendServer {
  readonly url: string
  readonly version: string
  /** Where it is from: `environment`, `machine`, `debian`, `container`, `npm`; `gateway` for a service of our own. */
  readonly source: string
  stop(): Promise<void>
}

export interface BackendConnection {
  readonly state: UpstreamState
  readonly routes: readonly Route[]
  /** What it knows of a key, for the answer that asks every backend. Its calls are made with `options`. */
  part?(key: Buffer, options: CallOptions): Promise<unknown>
  /** Resolves when its routes can be called; what they need is there then. */
  ready(options: { readonly deadlineMs: number }): Promise<void>
}

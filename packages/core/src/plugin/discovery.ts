/**
 * Discovery: how a name becomes addresses, and how a change of them is noticed.
 *
 * Rules: a watch yields whole sets, never deltas; its errors are temporary by definition, and the last good set stays
 * in force. Any protocol can be found by any discovery.
 */
import type { Cloneable } from './cloneable.ts'

/** One address of an upstream. */
export interface Endpoint {
  /** Stable name of the address: `10.0.0.7:6379` or the socket's path. Two sets are compared by it. */
  readonly id: string
  /** An IP address, or the path of a unix socket where `port` is 0. */
  readonly host: string
  readonly port: number
  /** The host name it was found under: what certificates are checked against. Absent: the target's first. */
  readonly name?: string
}

/** What an application hands to `createKernel({ discovery: [zookeeper()] })`. */
export interface Discovery<Options extends Cloneable> {
  readonly kind: 'discovery'
  /** The scheme after the plus in `redis+zookeeper://`. */
  readonly name: string
  readonly api: number
  /** Always `new URL('./io.js', import.meta.url)`. */
  readonly io: URL
  readonly options: Options
}

/** The default export of the module that `Discovery.io` points at. Runs on the I/O thread. */
export interface IoDiscovery<Options extends Cloneable> {
  readonly name: string
  readonly api: number
  watch(target: string, options: Options, context: WatchContext): AsyncIterable<readonly Endpoint[]>
}

export interface WatchContext {
  readonly signal: AbortSignal
  /** For targets that name none. */
  readonly portDefault: number
}

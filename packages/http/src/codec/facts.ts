/**
 * What is known of a connection once its handshake is over. Replies are decoded with it.
 *
 * Rules: plain data, for it crosses the threads; taken once, at the end of the handshake. The version that the peer
 * speaks is no part of it: it is in the first line of every reply.
 */
import type { Cloneable } from '@iokernel/core/plugin'

export interface HttpFacts {
  readonly [name: string]: Cloneable
  readonly via: HttpVia
}

/**
 * `direct`: the peer is the server. `proxy`: a forward proxy, which is given whole URLs. `tunnel`: the server, through
 * a tunnel that a proxy has opened.
 */
export type HttpVia = 'direct' | 'proxy' | 'tunnel'

/**
 * The I/O half: what the kernel's thread loads for HTTP.
 *
 * Rules: one `HttpConnection` per socket; it holds the framer's state, whether an upload is under way, and nothing
 * else. Bytes in, bytes out.
 */
import type { Cloneable, Connection, FrameSink, IoProtocol, Place } from '@iokernel/core/plugin'
import { LocalError, PLUGIN_API } from '@iokernel/core/plugin'
import type { FramerLimits } from './limits.ts'

/** What crosses from `resolve` to the I/O thread. */
export interface HttpIo {
  readonly [name: string]: Cloneable
  /** Undefined: the address is the server's. Else it is a forward proxy's. */
  readonly proxy: HttpProxy | undefined
  /** Requests that may be unanswered on one connection, once the peer has shown that it speaks HTTP/1.1. */
  readonly pipelining: number
  readonly limits: FramerLimits & { readonly [name: string]: Cloneable }
}

export interface HttpProxy {
  readonly [name: string]: Cloneable
  /**
   * `host:port` for CONNECT, IPv6 in brackets: a tunnel, in which TLS begins. Undefined: requests carry the whole URL
   * (and their own Proxy-Authorization), and the connection needs no handshake.
   */
  readonly tunnelTo: string | undefined
  /** The value of Proxy-Authorization for CONNECT: `Basic …`. */
  readonly authorization: string | undefined
}

const io: IoProtocol<HttpIo> = {
  name: 'http',
  api: PLUGIN_API,
  connection: (options, place) => new HttpConnection(options, place),
}
export default io

class HttpConnection implements Connection {
  constructor(_options: HttpIo, place: Place) {
    if (place.side === 'server') throw new LocalError('UNSUPPORTED', '@iokernel/http has no serving side yet')
  }

  scan(_bytes: Buffer, _start: number, _end: number, _sink: FrameSink): number {
    throw new LocalError('UNSUPPORTED', 'the framer is being written')
  }
}

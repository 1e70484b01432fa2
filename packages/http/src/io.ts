/**
 * The I/O half: what the kernel's thread loads for HTTP.
 *
 * Rules: one `HttpConnection` per socket; it holds the framer's state, whether an upload is under way, and nothing
 * else. Bytes in, bytes out.
 */
import type {
  ByteWriter,
  Cloneable,
  Connection,
  FrameSink,
  IoProtocol,
  Place,
  Script,
  Verdict,
} from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import { RequestFramer } from './framer/requests.ts'
import { Framer } from './framer.ts'
import { handshake } from './handshake.ts'
import type { FramerLimits } from './limits.ts'
import { probe } from './probe.ts'
import { reset } from './reset.ts'

/** What crosses from `resolve` to the I/O thread. */
export interface HttpIo {
  readonly [name: string]: Cloneable
  /** Undefined: the address is the server's. Else it is a forward proxy's. */
  readonly proxy: HttpProxy | undefined
  /** Requests that may be unanswered on one connection, once the peer has shown that it speaks HTTP/1.1. */
  readonly pipelining: number
  /** A HEAD that the monitor asks, whole; undefined where the target names no path for it. */
  readonly probe: Uint8Array | undefined
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
  connection: (options, place) => {
    if (place.side === 'server') return new ServingConnection(options)
    return place.purpose === 'session' ? new SessionConnection(options, place) : new HttpConnection(options, place)
  },
}
export default io

/** A lane. It has no `submit`: requests leave the way they lie in the store, many as one range. */
class HttpConnection implements Connection {
  readonly #options: HttpIo
  readonly #place: Place
  protected readonly framer: Framer
  /** There where the target names a path for it: the kernel watches peers that can be asked. */
  readonly probe?: () => Script<Cloneable>

  constructor(options: HttpIo, place: Place) {
    this.#options = options
    this.#place = place
    this.framer = new Framer(options.limits)
    const request = options.probe
    if (request !== undefined) this.probe = () => probe(request, options.limits)
  }

  handshake(): Script<Cloneable> {
    return handshake(this.#options, this.#place)
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.framer.scan(bytes, start, end, sink)
  }

  closed(sink: FrameSink): void {
    this.framer.closed(sink)
  }

  /** One until the peer has shown what it is: RFC 9112, section 9.3.2, allows no more to HTTP/1.0. */
  callsMax(): number {
    return this.framer.isPipelined ? this.#options.pipelining : 1
  }

  reset(): Script<void> {
    return reset(this.framer.isClean)
  }

  classify(): Verdict {
    return this.framer.verdict
  }
}

/** Uploads and tunnels go over sessions alone. */
class SessionConnection extends HttpConnection {
  submit(payload: Uint8Array, hint: number, _wireId: number, out: ByteWriter): void {
    this.framer.submitted(hint)
    out.copy(payload)
  }
}

/** Delimits what clients ask. Listeners come later. */
class ServingConnection implements Connection {
  readonly #framer: RequestFramer

  constructor(options: HttpIo) {
    this.#framer = new RequestFramer(options.limits)
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#framer.scan(bytes, start, end, sink)
  }

  closed(sink: FrameSink): void {
    this.#framer.closed(sink)
  }
}

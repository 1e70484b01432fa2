/**
 * The I/O half: what the kernel's thread loads for msgpack-rpc.
 *
 * Rules: one `RpcConnection` per socket; it holds the framer's state and nothing else. Bytes in, bytes out; nothing is
 * made for a call but what the kernel asks for.
 */
import type {
  ByteWriter,
  Cloneable,
  Connection,
  FrameSink,
  IoProtocol,
  Place,
  PushRoute,
  Script,
} from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import { Hint, ID_AT } from './codec/request.ts'
import { Framer } from './framer.ts'
import { handshake } from './handshake.ts'
import type { FramerLimits } from './limits.ts'
import { probe } from './probe.ts'
import { refuse, routeOf } from './push.ts'

/** What crosses from `resolve` to the I/O thread. */
export interface RpcIo {
  readonly [name: string]: Cloneable
  readonly limits: FramerLimits & { readonly [name: string]: Cloneable }
  /** A whole call, made on each new connection. */
  readonly greeting: Uint8Array | undefined
  /** A whole call, made by the monitor. */
  readonly probe: Uint8Array | undefined
}

const io: IoProtocol<RpcIo> = {
  name: 'msgpack-rpc',
  api: PLUGIN_API,
  connection: (options, place) => new RpcConnection(options, place),
}
export default io

class RpcConnection implements Connection {
  readonly #greeting: Uint8Array | undefined
  readonly #framer: Framer
  /** There where the target names one: the kernel watches peers that can be asked. */
  readonly probe?: () => Script<Cloneable>

  constructor(options: RpcIo, place: Place) {
    this.#framer = new Framer(options.limits)
    // Whoever dials greets and asks; apart from that the two sides are alike.
    const isDialling = place.side === 'client'
    this.#greeting = isDialling ? options.greeting : undefined
    const call = options.probe
    if (isDialling && call !== undefined) this.probe = () => probe(call)
  }

  handshake(): Script<Cloneable> {
    return handshake(this.#greeting)
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#framer.scan(bytes, start, end, sink)
  }

  closed(): void {
    this.#framer.closed()
  }

  submit(payload: Uint8Array, hint: number, wireId: number, out: ByteWriter): void {
    const from = out.length
    out.copy(payload)
    if (hint === Hint.Call) out.patchU32be(from + ID_AT, wireId)
  }

  route(bytes: Buffer, start: number, end: number): PushRoute {
    return routeOf(bytes, start, end)
  }

  refuse(bytes: Buffer, start: number, end: number, out: ByteWriter): void {
    refuse(bytes, start, end, out)
  }
}

/**
 * The I/O half of the newline protocol.
 */
import {
  type ByteWriter,
  type Cloneable,
  type Connection,
  type FrameSink,
  type IoProtocol,
  LocalError,
  PLUGIN_API,
  type Place,
  type PushRoute,
  type Script,
  type Verdict,
} from '@iokernel/core/plugin'
import { LineFramer } from './framer.ts'
import { handshake, probe, reset } from './handshake.ts'

export interface LinesIo {
  readonly [name: string]: Cloneable
  readonly user: string
  readonly password: string
  readonly lineBytesMax: number
}

const io: IoProtocol<LinesIo> = {
  name: 'lines',
  api: PLUGIN_API,
  connection: (options, place) => new LinesConnection(options, place),
}
export default io

export class LinesConnection implements Connection {
  readonly #options: LinesIo
  readonly #framer: LineFramer

  constructor(options: LinesIo, place: Place) {
    if (place.side === 'server') throw new LocalError('UNSUPPORTED', 'lines has no serving side')
    this.#options = options
    this.#framer = new LineFramer(options.lineBytesMax)
  }

  handshake(): Script<Cloneable> {
    return handshake(this.#options.user, this.#options.password)
  }

  probe(): Script<Cloneable> {
    return probe()
  }

  reset(): Script<void> {
    return reset()
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#framer.scan(bytes, start, end, sink)
  }

  closed(): void {
    this.#framer.closed()
  }

  subscribe(key: string, out: ByteWriter): void {
    out.ascii(`sub ${key}\n`)
  }

  unsubscribe(key: string, out: ByteWriter): void {
    out.ascii(`unsub ${key}\n`)
  }

  route(bytes: Buffer, start: number, end: number): PushRoute {
    const line = bytes.toString('latin1', start + 1, end - 1)
    const kind = bytes[start] === 43 ? 'confirmed' : bytes[start] === 45 ? 'ended' : 'message'
    return { key: line.split(' ', 1)[0], kind }
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    return bytes.toString('latin1', start, end).startsWith('!moved') ? 'role-lost' : 'call'
  }
}

/**
 * The I/O half of the numbered lines: one connection for either side.
 */
import {
  type ByteWriter,
  type Cloneable,
  type Connection,
  type FrameSink,
  type IoProtocol,
  PLUGIN_API,
  type PushRoute,
} from '@iokernel/core/plugin'
import { TaggedFramer } from './framer.ts'

export interface TaggedIo {
  readonly [name: string]: Cloneable
  readonly lineBytesMax: number
}

/** What `encode` hints: a request wants its number in front, a notification is complete. */
export const HINT = { request: 0, notification: 1 } as const

const io: IoProtocol<TaggedIo> = {
  name: 'tagged',
  api: PLUGIN_API,
  connection: (options) => new TaggedConnection(options),
}
export default io

export class TaggedConnection implements Connection {
  readonly #framer: TaggedFramer

  constructor(options: TaggedIo) {
    this.#framer = new TaggedFramer(options.lineBytesMax)
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    return this.#framer.scan(bytes, start, end, sink)
  }

  closed(): void {
    this.#framer.closed()
  }

  submit(payload: Uint8Array, hint: number, wireId: number, out: ByteWriter): void {
    if (hint === HINT.request) out.ascii(`?${wireId} `)
    out.copy(payload)
  }

  /** More than any test asks for at once. */
  callsMax(): number {
    return 10_000
  }

  route(bytes: Buffer, start: number, end: number): PushRoute {
    const words = bytes.toString('latin1', start + 1, Math.min(end, start + HEAD_BYTES_MAX)).split(/[ \n]/, 2)
    return { key: bytes[start] === QUESTION ? words[1] : words[0], kind: 'message' }
  }

  refuse(bytes: Buffer, start: number, end: number, out: ByteWriter): void {
    const [id] = bytes.toString('latin1', start + 1, Math.min(end, start + HEAD_BYTES_MAX)).split(' ', 1)
    out.ascii(`!${id} nobody takes it\n`)
  }
}

const QUESTION = 63
const HEAD_BYTES_MAX = 64

/**
 * A protocol whose peer decides everything: each frame says which flags the framer shall report. For tests of one
 * connection.
 *
 *   byte  0       1          3              6
 *         | flags | wire id  | length (u24) | payload…
 *
 * Requests are `wire id (u16)`, `length (u24)`, payload when they go through `submit`, and what the caller wrote
 * otherwise.
 */
import type { ByteWriter } from '../plugin/byte-writer.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Connection, FrameSink, Verdict } from '../plugin/connection.ts'
import type { Script } from '../plugin/script.ts'

const HEADER_BYTES = 6

/** One frame for the peer to send. */
export function tagged(flags: number, text: string, wireId: number = 0): Buffer {
  const payload = Buffer.from(text)
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUInt8(flags, 0)
  bytes.writeUInt16BE(wireId, 1)
  bytes.writeUIntBE(payload.length, 3, 3)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

/** The payloads of frames that lie side by side. */
export function untagged(bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at + 3, 3)
    text += bytes.toString('utf8', at + HEADER_BYTES, at + HEADER_BYTES + length)
    at += HEADER_BYTES + length
  }
  return text
}

export class Tagged implements Connection {
  handshake?: () => Script<Cloneable>
  submit?: (payload: Uint8Array, hint: number, wireId: number, out: ByteWriter) => void
  closed?: (sink: FrameSink) => void
  /** Runs before each frame is reported. */
  before: (payload: string) => void = () => undefined
  verdict: (payload: string) => Verdict = () => 'call'
  readonly #correlated: boolean
  /** `hint()` as it was before each frame. */
  readonly hints: number[] = []

  constructor(correlated: boolean = false) {
    this.#correlated = correlated
    if (correlated) {
      this.submit = (payload, _hint, wireId, out) => {
        out.u16be(wireId)
        out.copy(payload)
      }
    }
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start
    while (end - at >= HEADER_BYTES) {
      const to = at + HEADER_BYTES + bytes.readUIntBE(at + 3, 3)
      if (to > end) break
      this.before(bytes.toString('utf8', at + HEADER_BYTES, to))
      this.hints.push(sink.hint())
      const wireId = bytes.readUInt16BE(at + 1)
      if (this.#correlated && wireId > 0) sink.frame(at, to, bytes.readUInt8(at), wireId)
      else sink.frame(at, to, bytes.readUInt8(at))
      at = to
    }
    return at - start
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    return this.verdict(bytes.toString('utf8', start + HEADER_BYTES, end))
  }
}

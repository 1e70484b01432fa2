/**
 * Numbered lines, the same from either side:
 *
 *   ?7 key text     a request         =7 text         its answer      !7 code text     its error
 *   >key text       a notification    *               are you there?  answered by the same line
 *
 * Rules: each byte is looked at once. An answer or a request of which more than `PART_BYTES_MIN` are in leaves in
 * parts; a notification is kept whole.
 */
import { FrameFlag, type FrameSink, RemoteProtocolError } from '@iokernel/core/plugin'

const NEWLINE = 10
/** A page: more than any head, so that a first piece names its number and key. */
const PART_BYTES_MIN = 4_096

export class TaggedFramer {
  readonly #lineBytesMax: number
  /** Bytes at the front that hold no newline. */
  #seen = 0
  #passedOn = 0
  /** Of the line that leaves in parts. */
  #head: Head | undefined

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start
    while (at < end) {
      if (this.#passedOn === 0 && !KINDS.has(bytes[at] as number)) throw new RemoteProtocolError('a line of no kind')
      let newline = at + this.#seen
      while (newline < end && bytes[newline] !== NEWLINE) newline++
      if (this.#passedOn + newline - at > this.#lineBytesMax)
        throw new RemoteProtocolError('a line beyond lineBytesMax')
      if (newline === end) return this.#pause(bytes, at, end, sink) - start
      const head = this.#head ?? headOf(bytes, at, newline + 1)
      this.#seen = 0
      this.#passedOn = 0
      this.#head = undefined
      if (head.flags === PING) sink.out().ascii('*\n')
      else sink.frame(at, newline + 1, head.flags, head.wireId)
      at = newline + 1
    }
    return end - start
  }

  closed(): void {
    if (this.#seen + this.#passedOn > 0) throw new RemoteProtocolError('the connection ended inside a line')
  }

  /** The line has no end yet. */
  #pause(bytes: Buffer, at: number, end: number, sink: FrameSink): number {
    this.#seen = end - at
    if (this.#seen < PART_BYTES_MIN) return at
    const head = this.#head ?? headOf(bytes, at, end)
    if (head.flags === PING || head.flags === FrameFlag.Push) return at
    this.#head = head
    sink.frame(at, end, (head.flags & FrameFlag.Request) | FrameFlag.Part, head.wireId)
    this.#passedOn += this.#seen
    this.#seen = 0
    return end
  }
}

interface Head {
  /** Of the frame that ends the line. */
  readonly flags: number
  readonly wireId: number | undefined
}

/** No frame at all. */
const PING = -1
const KINDS: ReadonlySet<number> = new Set([...'?=!>*'].map((kind) => kind.charCodeAt(0)))
/** A number of 32 bits has at most ten digits; a key is a word. */
const HEADS = /^(?:(?<kind>[=!])(?<id>\d{1,10}) |\?\d{1,10} [a-z]{1,32}[ \n]|(?<tells>>)[a-z]{1,32}[ \n]|(?<asks>\*)\n)/
const HEAD_BYTES_MAX = 64

function headOf(bytes: Buffer, at: number, end: number): Head {
  const found = HEADS.exec(bytes.toString('latin1', at, Math.min(end, at + HEAD_BYTES_MAX)))
  if (found === null) throw new RemoteProtocolError('a line without its number or key')
  const { kind, id, tells, asks } = found.groups ?? {}
  if (asks !== undefined) return { flags: PING, wireId: undefined }
  if (tells !== undefined) return { flags: FrameFlag.Push, wireId: undefined }
  if (kind === undefined) return { flags: FrameFlag.Request, wireId: undefined }
  return { flags: kind === '!' ? FrameFlag.Error | FrameFlag.Final : FrameFlag.Final, wireId: Number(id) }
}

/**
 * Lines from a peer: `=text` answers, `!code text` is an error, `>key text`, `+key` and `-key` are pushes.
 *
 * Rules: each byte is looked at once. A reply of which more than `PART_BYTES_MIN` are in leaves in parts; a push is
 * kept whole. A request may have several replies: its hint is how many more than one.
 */
import { FrameFlag, type FrameSink, RemoteProtocolError } from '@iokernel/core/plugin'

const NEWLINE = 10
/** A page. */
const PART_BYTES_MIN = 4_096

export class LineFramer {
  readonly #lineBytesMax: number
  /** First byte of the line under way; 0 between lines. */
  #type = 0
  /** Bytes at the front that hold no newline. */
  #seen = 0
  #passedOn = 0
  /** Replies that the oldest request lacks after this one; -1: ask the sink. */
  #repliesLeft = -1

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start
    while (at < end) {
      if (this.#type === 0) this.#begin(bytes[at] as number, sink)
      let newline = at + this.#seen
      while (newline < end && bytes[newline] !== NEWLINE) newline++
      if (this.#passedOn + newline - at > this.#lineBytesMax) {
        throw new RemoteProtocolError(`a line of more than lineBytesMax (${this.#lineBytesMax} bytes)`)
      }
      if (newline === end) return this.#pause(at, end, sink) - start
      const flags = this.#complete()
      sink.frame(at, newline + 1, flags)
      at = newline + 1
    }
    return end - start
  }

  closed(): void {
    if (this.#type !== 0) throw new RemoteProtocolError('the connection ended inside a line')
  }

  #begin(type: number, sink: FrameSink): void {
    if (!REPLIES.has(type) && !PUSHES.has(type)) throw new RemoteProtocolError(`a line that begins with byte ${type}`)
    if (REPLIES.has(type) && this.#repliesLeft < 0) {
      const hint = sink.hint()
      if (hint < 0) throw new RemoteProtocolError('a reply to no request')
      this.#repliesLeft = hint
    }
    this.#type = type
  }

  /** The line has no end yet. */
  #pause(at: number, end: number, sink: FrameSink): number {
    this.#seen = end - at
    if (PUSHES.has(this.#type) || this.#seen < PART_BYTES_MIN) return at
    sink.frame(at, end, FrameFlag.Part)
    this.#passedOn += this.#seen
    this.#seen = 0
    return end
  }

  #complete(): number {
    const type = this.#type
    this.#type = 0
    this.#seen = 0
    this.#passedOn = 0
    if (PUSHES.has(type)) return FrameFlag.Push
    const error = type === ERROR ? FrameFlag.Error : 0
    return this.#repliesLeft-- === 0 ? error | FrameFlag.Final : error
  }
}

/** `!` */
const ERROR = 33
/** `=` and `!`. */
const REPLIES: ReadonlySet<number> = new Set([61, ERROR])
/** `>`, `+` and `-`. */
const PUSHES: ReadonlySet<number> = new Set([62, 43, 45])

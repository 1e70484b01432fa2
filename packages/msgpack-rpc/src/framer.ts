/**
 * The framer: finds where each message ends. There is no length in front of one, so it walks the values.
 *
 * Rules:
 * 1. Copies nothing, decodes nothing but the head, and keeps no view of what it is shown. All state is relative to the
 *    front of the next scan.
 * 2. Linear time: a value whose header is in is walked once, whatever the splits; what may be looked at again is the
 *    head (23 bytes) or one header (5 bytes).
 * 3. No recursion: a stack of counters, at most `depthMax` deep. A claim costs nothing: not a byte is set aside for a
 *    count or a length before it has arrived.
 * 4. It does not matter which side this is: requests, responses and notifications go both ways.
 *
 * Theory of operation:
 *
 *        from          next             end          `#next` is where the next header lies, relative to `from`. It
 *          | walked      | not yet       |           may be behind `end`, inside of a long text.
 *   bytes  [=============|...............]
 *
 * `#left` is how many values the innermost array or map still lacks, `#counts` the same for those around it. A long
 * response leaves in parts. Notifications and requests stay in the buffer until they are whole, because their route is
 * read from the whole.
 *
 * Limits: limits.ts. Every element has a byte at least, so that a count is compared with the bytes that may come.
 */
import type { FrameSink } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'
import { containerHeaderLength, elementsAt, INCOMPLETE, isContainer, LENGTHS, payloadEnd } from './forms.ts'
import { FRAMER_LIMITS, type FramerLimits } from './limits.ts'
import { MessageHead, MessageType } from './message.ts'

/**
 * A response of which less than this is in stays in the buffer; from here on it is passed on in pieces. A TLS record's
 * size.
 */
const PART_BYTES_MIN = 16 * 1024

export class Framer {
  readonly #limits: FramerLimits
  readonly #head = new MessageHead()
  /** The head of the message under way has been read. */
  #isOpen = false
  /** Where the next header lies, relative to the front. */
  #next = 0
  /** Bytes of this message that were passed on as parts. */
  #passedOn = 0
  #left = 0
  #depth = 0
  #counts = new Float64Array(16)
  /** Bytes of a message are in the buffer, or have been passed on. */
  #isMidway = false

  constructor(limits: FramerLimits = FRAMER_LIMITS) {
    this.#limits = limits
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let from = start
    while (from < end) {
      if (!this.#isOpen && !this.#open(bytes, from, end)) break
      const next = this.#walk(bytes, from, end)
      if (this.#passedOn + next - from > this.#limits.frameBytesMax) throw this.#tooLong()
      if (this.#left > 0 || next > end) {
        this.#next = next - from
        if (this.#head.type === MessageType.Response) from = this.#passOn(from, end, sink)
        break
      }
      this.#close(from, next, sink)
      from = next
    }
    this.#isMidway = from < end || this.#passedOn > 0
    return from - start
  }

  /** The peer has closed its side. A message that has begun will never end. */
  closed(): void {
    if (this.#isMidway) throw new RemoteProtocolError('the connection ended inside a message')
  }

  #open(bytes: Buffer, from: number, end: number): boolean {
    const head = this.#head
    if (!head.read(bytes, from, end)) return false
    this.#isOpen = true
    this.#next = head.bodyStart - from
    this.#left = head.bodyCount
    return true
  }

  /** Walks what is in of the message that begins at `from`. Returns where the next header lies. */
  #walk(bytes: Buffer, from: number, end: number): number {
    const lengths = LENGTHS
    let at = from + this.#next
    let left = this.#left
    while (left > 0 && at < end) {
      const first = bytes[at] as number
      const length = lengths[first] as number
      if (length > 0) {
        at += length
        left--
      } else if (isContainer(first)) {
        const header = containerHeaderLength(first)
        if (at + header > end) break
        const count = elementsAt(bytes, at)
        at += header
        left--
        if (count > 0) {
          this.#descend(left, count)
          left = count
        }
      } else {
        const next = payloadEnd(bytes, at, end)
        if (next === INCOMPLETE) break
        at = next
        left--
      }
      while (left === 0 && this.#depth > 0) left = this.#counts[--this.#depth] as number
    }
    this.#left = left
    return at
  }

  /** Enters an array or a map of `count` elements; those around it lack `left` after it. */
  #descend(left: number, count: number): void {
    const { depthMax, elementsMax, frameBytesMax } = this.#limits
    if (count > elementsMax || count > frameBytesMax) {
      throw new RemoteProtocolError(`${count} elements in an array or a map: more than elementsMax`)
    }
    const depth = this.#depth
    if (depth >= depthMax) {
      throw new RemoteProtocolError(`arrays and maps nested deeper than depthMax (${depthMax})`)
    }
    if (depth === this.#counts.length) {
      const counts = new Float64Array(2 * depth)
      counts.set(this.#counts)
      this.#counts = counts
    }
    this.#counts[depth] = left
    this.#depth = depth + 1
  }

  /** Part of a response: consumed once it is worth it. Returns the new front. */
  #passOn(from: number, end: number, sink: FrameSink): number {
    if (end - from < PART_BYTES_MIN) return from
    sink.frame(from, end, FrameFlag.Part, this.#head.id)
    this.#passedOn += end - from
    this.#next -= end - from
    return end
  }

  /** The message ends at `next`. */
  #close(from: number, next: number, sink: FrameSink): void {
    const { type, id, isError } = this.#head
    this.#isOpen = false
    this.#passedOn = 0
    if (type === MessageType.Response) {
      sink.frame(from, next, isError ? FrameFlag.Final | FrameFlag.Error : FrameFlag.Final, id)
    } else sink.frame(from, next, type === MessageType.Request ? FrameFlag.Request : FrameFlag.Push)
  }

  #tooLong(): RemoteProtocolError {
    return new RemoteProtocolError(`a message longer than frameBytesMax (${this.#limits.frameBytesMax} bytes)`)
  }
}

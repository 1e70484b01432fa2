/**
 * The framer: finds where each reply ends, without decoding it and without scanning a byte twice.
 *
 * Rules:
 * 1. Copies nothing and keeps no view of what it is shown. All state is relative to the front of the next scan.
 * 2. Linear time: whatever the splits, a complete element is walked once. What may be looked at again is bounded: a
 *    header (12 bytes) or a number; long lines remember how far they were searched.
 * 3. No recursion: an explicit stack of counters, at most `depthMax` deep.
 * 4. A push inside an aggregate is out of band: it counts as no element and leaves as a frame of its own (Redis
 *    before 7.2 writes one into EXEC's array; elsewhere it is harmless to allow). An attribute counts as no element
 *    either: the value it describes comes after it.
 *
 * Theory of operation: the common case, lines and bulk strings at top level with one reply to a request, is
 * `#scalars`, a loop over local numbers. Everything else is `#frame`, which walks one frame and can stop anywhere:
 *
 *        from          scanned         end
 *          | walked once |  not yet walk.|
 *   bytes  [=============|...............]        from..at left in the buffer while the frame is small;
 *                                                 reported as `Part` and consumed once it is not.
 *
 * `counts[depth - 1]` is how many elements the innermost aggregate still lacks. A bulk string longer than the buffer
 * should be is entered (`#bulkLeft`) and consumed as it comes. A request may have more than one reply (`hint` n: n
 * more): all but the last are reported without `Final`. On a push connection no request is outstanding; the ledger
 * knows whose a reply is.
 *
 * Limits: limits.ts. A push is kept whole in the buffer, so one is as long as the kernel lets a buffer grow.
 */
import type { FrameSink } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'
import { lastWord } from './codec/errors.ts'
import { FRAMER_LIMITS, type FramerLimits } from './limits.ts'
import type { PushLedger } from './push.ts'
import {
  ATTRIBUTE,
  BLOB_ERROR,
  COMPOUND,
  CR,
  frameTooLong,
  headerEnd,
  headerNumber,
  INCOMPLETE,
  isBulk,
  isLongLine,
  LF,
  lineTooLong,
  MINUS,
  PUSH,
  STAR,
  scalarEnd,
  TYPES_RESP2,
  TYPES_RESP3,
} from './scalar.ts'

/**
 * A frame of which less than this is in stays in the buffer; from here on it is passed on in pieces. A TLS record's
 * size.
 */
const PART_BYTES_MIN = 16 * 1024

const LEVEL_PLAIN = 0
const LEVEL_ATTRIBUTE = 1
const LEVEL_PUSH = 2

export class Framer {
  readonly #limits: FramerLimits
  readonly #ledger: PushLedger | undefined
  #types = TYPES_RESP3
  /** Nothing under way: the fast loop may run. */
  #idle = true
  /** Where the frame, or what is left of it in the buffer, begins: absolute during a scan. */
  #from = 0
  /** Bytes after `#from` that were walked by an earlier scan. */
  #scanned = 0
  /** Bytes of this frame that were passed on as parts. */
  #passedOn = 0
  /** First byte of the frame under way, its attributes apart; 0 while unknown. */
  #type = 0
  /** The frame under way stays in the buffer until it is complete. */
  #whole = false
  /** Replies that the oldest request still lacks after this one; -1: ask the sink. */
  #repliesLeft = -1
  #unsolicited = false
  /** Payload bytes that the bulk string under way still lacks; -1: not inside one. */
  #bulkLeft = -1
  /** Bytes of the line under way that hold no CR. */
  #lineSeen = 0
  #depth = 0
  #counts = new Int32Array(16)
  #levels = new Uint8Array(16)

  constructor(limits: FramerLimits = FRAMER_LIMITS, ledger?: PushLedger) {
    this.#limits = limits
    this.#ledger = ledger
  }

  /** From here on only the types of this protocol version are allowed. */
  speak(protocolVersion: 2 | 3): void {
    this.#types = protocolVersion === 2 ? TYPES_RESP2 : TYPES_RESP3
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start
    for (;;) {
      if (this.#idle && this.#ledger?.active !== true) at = this.#scalars(bytes, at, end, sink)
      if (at >= end) return end - start
      this.#from = at
      this.#idle = false
      const complete = this.#frame(bytes, end, sink)
      at = this.#from
      if (!complete) return at - start
      this.#idle = this.#repliesLeft === -1
    }
  }

  /** The peer has closed its side. A frame that has begun will never end. */
  closed(): void {
    if (!this.#idle) throw new RemoteProtocolError('the connection ended inside a reply')
  }

  /** Complete top-level values that answer one request each. Stops before anything else. */
  #scalars(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    const types = this.#types
    const lineBytesMax = this.#limits.lineBytesMax
    const frameBytesMax = this.#limits.frameBytesMax
    let at = start
    while (at < end) {
      const next = scalarEnd(bytes, at, end, types, lineBytesMax, frameBytesMax)
      if (next < 0 || sink.hint() !== 0) break
      const type = bytes[at]
      const flags = type === MINUS || type === BLOB_ERROR ? FrameFlag.Final | FrameFlag.Error : FrameFlag.Final
      sink.frame(at, next, flags)
      at = next
    }
    return at
  }

  /** Walks one frame from `#from`. True once it is complete and reported; `#from` is then behind it. */
  #frame(bytes: Buffer, end: number, sink: FrameSink): boolean {
    let at = this.#from + this.#scanned
    this.#scanned = 0
    if (this.#bulkLeft >= 0) {
      const next = this.#bulkEnd(bytes, at, end)
      if (next === INCOMPLETE) return this.#pauseInBulk(at, end, sink)
      at = next
      if (this.#settle(bytes, at, sink)) return true
    }
    while (at < end) {
      if (this.#depth > 0) {
        const next = this.#elements(bytes, at, end)
        if (next > at) {
          at = next
          if (this.#counts[this.#depth - 1] === 0 && this.#levelDone(bytes, at, sink)) return true
          continue
        }
      }
      const type = bytes[at] as number
      let next = this.#lineReady(bytes, at, end)
        ? scalarEnd(bytes, at, end, this.#types, this.#limits.lineBytesMax, this.#limits.frameBytesMax)
        : INCOMPLETE
      if (this.#type === 0 && this.#depth === 0 && type !== ATTRIBUTE) this.#begin(type, sink)
      let isValue = true
      if (next === COMPOUND) {
        next = headerEnd(bytes, at, end)
        if (next !== INCOMPLETE) isValue = this.#open(bytes, at, next, sink)
      }
      if (next === INCOMPLETE) break
      at = next
      if (isValue && this.#settle(bytes, at, sink)) return true
    }
    this.#pause(bytes, at, end, sink)
    return false
  }

  /** Simple elements of the innermost aggregate: the loop for long arrays. */
  #elements(bytes: Buffer, start: number, end: number): number {
    const types = this.#types
    const lineBytesMax = this.#limits.lineBytesMax
    const frameBytesMax = this.#limits.frameBytesMax
    const level = this.#depth - 1
    let left = this.#counts[level] as number
    let at = start
    if (this.#lineSeen > 0) return at
    while (left > 0 && at < end) {
      const next = scalarEnd(bytes, at, end, types, lineBytesMax, frameBytesMax)
      if (next < 0) break
      at = next
      left--
    }
    this.#counts[level] = left
    return at
  }

  /** The first byte of a frame's value: whose is it, and may it leave in pieces? */
  #begin(type: number, sink: FrameSink): void {
    this.#type = type
    if (type === PUSH) {
      this.#whole = true
      return
    }
    if (this.#ledger?.active === true) {
      // A RESP2 message looks like a reply until its first element is read.
      this.#whole = this.#types === TYPES_RESP2 && type === STAR
      return
    }
    if (this.#repliesLeft >= 0) return
    const hint = sink.hint()
    // An error may be the server's last word before it closes; it is judged when it is complete.
    this.#unsolicited = hint < 0
    if (hint < 0 && type !== MINUS) throw new RemoteProtocolError('a reply to no request')
    this.#repliesLeft = Math.max(0, hint)
  }

  /** Enters an aggregate, push or attribute whose header ends at `next`. True if it is a value complete in itself. */
  #open(bytes: Buffer, at: number, next: number, sink: FrameSink): boolean {
    const type = bytes[at] as number
    const count = headerNumber(bytes, at)
    const elements = type === 37 || type === ATTRIBUTE ? 2 * count : count
    if (elements > this.#limits.elementsMax) {
      throw new RemoteProtocolError(`an aggregate of ${elements} elements: more than elementsMax`)
    }
    if (type === PUSH && this.#depth > 0) {
      if (this.#whole || this.#type === 0) throw new RemoteProtocolError('a push inside a push or an attribute')
      this.#part(at, sink)
      if (elements === 0) {
        sink.frame(at, next, FrameFlag.Push)
        this.#from = next
        return false
      }
      this.#whole = true
      this.#descend(elements, LEVEL_PUSH)
      return false
    }
    if (elements <= 0) return type !== ATTRIBUTE
    this.#descend(elements, type === ATTRIBUTE ? LEVEL_ATTRIBUTE : LEVEL_PLAIN)
    return false
  }

  #descend(elements: number, level: number): void {
    const depth = this.#depth
    if (depth >= this.#limits.depthMax) {
      throw new RemoteProtocolError(`aggregates nested deeper than depthMax (${this.#limits.depthMax})`)
    }
    if (depth === this.#counts.length) {
      const counts = new Int32Array(2 * depth)
      counts.set(this.#counts)
      this.#counts = counts
      const levels = new Uint8Array(2 * depth)
      levels.set(this.#levels)
      this.#levels = levels
    }
    this.#counts[depth] = elements
    this.#levels[depth] = level
    this.#depth = depth + 1
  }

  /** A value ends at `at`. True if the frame does too. */
  #settle(bytes: Buffer, at: number, sink: FrameSink): boolean {
    const depth = this.#depth
    if (depth === 0) return this.#complete(bytes, at, sink)
    const left = (this.#counts[depth - 1] as number) - 1
    this.#counts[depth - 1] = left
    return left === 0 && this.#levelDone(bytes, at, sink)
  }

  /** The innermost aggregate ends at `at`, and perhaps those around it. */
  #levelDone(bytes: Buffer, at: number, sink: FrameSink): boolean {
    for (;;) {
      const depth = --this.#depth
      const level = this.#levels[depth]
      if (level === LEVEL_ATTRIBUTE) return false
      if (level === LEVEL_PUSH) {
        sink.frame(this.#from, at, FrameFlag.Push)
        this.#from = at
        this.#whole = false
        return false
      }
      if (depth === 0) return this.#complete(bytes, at, sink)
      const left = (this.#counts[depth - 1] as number) - 1
      this.#counts[depth - 1] = left
      if (left > 0) return false
    }
  }

  #complete(bytes: Buffer, at: number, sink: FrameSink): true {
    const from = this.#from
    this.#checkLength(at)
    const type = this.#type
    if (this.#unsolicited) throw lastWord(bytes, from, at)
    let flags: number
    if (this.#ledger?.active === true) flags = this.#ledger.judge(bytes, from, at)
    else if (type === PUSH) flags = FrameFlag.Push
    else if (this.#repliesLeft-- === 0) flags = FrameFlag.Final
    else flags = 0
    if ((type === MINUS || type === BLOB_ERROR) && flags !== FrameFlag.Push) flags |= FrameFlag.Error
    this.#from = at
    this.#type = 0
    this.#passedOn = 0
    this.#whole = false
    sink.frame(from, at, flags)
    return true
  }

  /** The bytes are used up inside a frame; the element at `at` is not complete. */
  #pause(bytes: Buffer, at: number, end: number, sink: FrameSink): void {
    this.#checkLength(at)
    const type = at < end ? (bytes[at] as number) : 0
    // One less than seen: the last byte may be the CR.
    this.#lineSeen = isLongLine(type) && end - at > 1 ? end - at - 1 : 0
    if (this.#type === 0 || this.#whole || end - this.#from < PART_BYTES_MIN) {
      this.#scanned = at - this.#from
      return
    }
    this.#part(isBulk(type) ? this.#enterBulk(bytes, at, end) : at, sink)
    this.#scanned = at > this.#from ? at - this.#from : 0
  }

  /** Passes on what is in of the bulk string at `at`. Returns up to where. */
  #enterBulk(bytes: Buffer, at: number, end: number): number {
    const payload = headerEnd(bytes, at, end)
    if (payload === INCOMPLETE) return at
    const length = headerNumber(bytes, at)
    const taken = Math.min(end - payload, length)
    this.#bulkLeft = length - taken
    return payload + taken
  }

  /** The position after the bulk string under way, if all of it is in. */
  #bulkEnd(bytes: Buffer, at: number, end: number): number {
    const next = at + this.#bulkLeft + 2
    if (next > end) return INCOMPLETE
    if (bytes[next - 2] !== CR || bytes[next - 1] !== LF) {
      throw new RemoteProtocolError('a bulk string is not followed by CRLF: its length is wrong')
    }
    this.#bulkLeft = -1
    return next
  }

  #pauseInBulk(at: number, end: number, sink: FrameSink): false {
    this.#checkLength(at)
    if (end - at < PART_BYTES_MIN) return false
    const taken = Math.min(end - at, this.#bulkLeft)
    this.#bulkLeft -= taken
    this.#part(at + taken, sink)
    return false
  }

  #part(to: number, sink: FrameSink): void {
    const from = this.#from
    if (to === from) return
    this.#passedOn += to - from
    this.#from = to
    sink.frame(from, to, FrameFlag.Part)
  }

  /** True unless a long line at `at` is known to lack its end; each of its bytes is looked at once while it grows. */
  #lineReady(bytes: Buffer, at: number, end: number): boolean {
    if (this.#lineSeen === 0) return true
    let position = at + this.#lineSeen
    while (position < end && bytes[position] !== CR) position++
    if (position - at > this.#limits.lineBytesMax) throw lineTooLong(this.#limits.lineBytesMax)
    const ready = position + 1 < end
    this.#lineSeen = ready ? 0 : position - at
    return ready
  }

  #checkLength(at: number): void {
    const length = this.#passedOn + at - this.#from
    if (length > this.#limits.frameBytesMax) throw frameTooLong(this.#limits.frameBytesMax)
  }
}

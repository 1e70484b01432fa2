/**
 * The framer of the other side: finds where each request ends.
 *
 * Rules:
 * 1. Stricter than for replies: who sends a request that can be read in two ways may want a proxy and a server to
 *    disagree (smuggling). Whatever is not certain ends the connection; the error's `status` is what to answer first.
 * 2. A request is reported as a frame with `Request`; one that is long, or whose length is not known beforehand, in
 *    parts as it comes, the first of which begins with its head; the last is the one without `Part`.
 * 3. At most one empty line before a request is passed over (RFC 9112, section 2.2), and is part of none.
 * 4. After `Connection: close`, or HTTP/1.0 without keep-alive, nothing else is read. After CONNECT everything belongs
 *    to the tunnel that was asked for, and so to the request.
 *
 * Theory of operation: as in framer.ts, without the question what was asked.
 *
 * Limits: limits.ts. How many requests a connection may have unanswered is for whoever answers them.
 */
import type { FrameSink } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'
import { CR, LF } from '../codec/characters.ts'
import { fault, strayByte } from '../codec/fault.ts'
import { Coding } from '../codec/framing-fields.ts'
import { Head } from '../codec/head.ts'
import { FRAMER_LIMITS, type FramerLimits, WHOLE_BYTES_MAX } from '../limits.ts'
import { Chunks } from './chunks.ts'

/** Between requests. */
const IDLE = 0
const HEAD = 1
const LENGTH = 2
const CHUNKS = 3
const TUNNEL = 4
/** Nothing else is read. */
const ENDED = 5

export class RequestFramer {
  readonly #head: Head
  readonly #chunks: Chunks
  #state = IDLE
  /** An empty line was passed over before the request that is to come. */
  #skipped = false
  #held = 0
  #left = 0
  #passedOn = false
  /** Where the last bytes ended: the end of the connection is reported there. */
  #end = 0

  constructor(limits: FramerLimits = FRAMER_LIMITS) {
    this.#head = new Head('request', limits)
    this.#chunks = new Chunks(limits)
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let from = start
    let at = start + this.#held
    this.#held = 0
    this.#end = end
    while (at < end) {
      switch (this.#state) {
        case IDLE:
          if (bytes[at] === CR) {
            if (at + 1 === end) return at - start
            at = this.#skipLine(bytes, at)
            from = at
            break
          }
          this.#begin()
          break
        case HEAD:
          if (!this.#head.scan(bytes, at, end)) return at - start
          at += this.#head.length
          from = this.#takeHead(bytes, from, at, sink)
          break
        case LENGTH: {
          const taken = Math.min(this.#left, end - at)
          if (taken < this.#left && this.#mayWait(at - from)) return this.#hold(from, at, start)
          this.#left -= taken
          at += taken
          if (this.#left === 0) from = this.#finish(from, at, sink)
          break
        }
        case CHUNKS:
          at = this.#chunks.scan(bytes, at, end)
          if (this.#chunks.isDone) from = this.#finish(from, at, sink)
          break
        case TUNNEL:
          at = end
          break
        case ENDED:
          return end - start
      }
    }
    if (from === at) return at - start
    if (this.#state === LENGTH && this.#mayWait(at - from)) return this.#hold(from, at, start)
    this.#passedOn = true
    sink.frame(from, at, FrameFlag.Request | FrameFlag.Part)
    return at - start
  }

  /** The peer has closed its side. */
  closed(sink: FrameSink): void {
    if (this.#state === TUNNEL) {
      this.#state = ENDED
      sink.frame(this.#end, this.#end, FrameFlag.Request)
    } else if (this.#state !== IDLE && this.#state !== ENDED) {
      throw new RemoteProtocolError('the connection ended inside a request')
    }
  }

  #begin(): void {
    this.#state = HEAD
    this.#skipped = false
    this.#passedOn = false
    this.#head.begin()
  }

  #skipLine(bytes: Buffer, at: number): number {
    if (bytes[at + 1] !== LF) throw strayByte(CR, 'before a request')
    if (this.#skipped) throw fault('more than one empty line before a request')
    this.#skipped = true
    return at + 2
  }

  /** bytes[from, at) are a whole head. Returns from where on bytes are not reported. */
  #takeHead(bytes: Buffer, from: number, at: number, sink: FrameSink): number {
    const { coding, contentLength, methodEnd } = this.#head
    if (bytes.toString('latin1', from, from + methodEnd) === 'CONNECT') {
      if (coding !== Coding.None || contentLength !== -1) throw fault('a CONNECT with a body')
      this.#state = TUNNEL
    } else if (coding !== Coding.None) {
      this.#chunks.begin()
      this.#state = CHUNKS
    } else {
      this.#left = Math.max(0, contentLength)
      this.#state = LENGTH
      if (this.#left === 0) return this.#finish(from, at, sink)
    }
    return from
  }

  #finish(from: number, at: number, sink: FrameSink): number {
    this.#state = this.#head.isPersistent ? IDLE : ENDED
    sink.frame(from, at, FrameFlag.Request)
    return at
  }

  #hold(from: number, at: number, start: number): number {
    this.#held = at - from
    return from - start
  }

  #mayWait(seen: number): boolean {
    return !this.#passedOn && seen + this.#left <= WHOLE_BYTES_MAX
  }
}

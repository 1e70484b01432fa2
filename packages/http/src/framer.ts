/**
 * The framer: finds where each reply ends (RFC 9112, section 6.3).
 *
 * Rules:
 * 1. Copies nothing and keeps no view of what it is shown. No body is ever held: but for short replies of a known
 *    length, everything is passed on as it comes.
 * 2. A reply is all its heads (interim ones included), its body with the framing around it, and its trailers, raw. Its
 *    last frame is `Final`; after a tunnel has opened that is the end of the connection.
 * 3. Bytes to no request end the connection. Answers of others are what they would be taken for: the reply to a request
 *    that was smuggled, or to one that was given up.
 * 4. Nothing follows on a connection whose peer says so, or speaks HTTP/1.0 without keep-alive, or contradicts itself
 *    (Content-Length beside Transfer-Encoding), or whose upload was not at its end when the reply was (section 9.3).
 *
 * Theory of operation: what was asked, the request's hint, is taken when the reply begins. The head stays in the buffer
 * until it is complete; then it says how the body is delimited.
 *
 *        from                 at                 end
 *         | seen, not reported | not looked at    |
 *   bytes [= head ==== body ===|..................]
 *
 * From `from` on bytes stay in the buffer while they are a head that is not complete, interim heads that nobody waits
 * for, or a reply of at most `WHOLE_BYTES_MAX` that is to cross in one piece; `#held` remembers how many were seen.
 *
 * While a script runs a reply is its final head alone. Behind the answer to CONNECT (handshake.ts) nothing is looked
 * at, for it belongs to TLS; behind the answer to a probe nothing may come.
 *
 * Limits: limits.ts. A body that the end of the connection delimits may have been cut by whoever ended it; over TLS as
 * well, because Node does not tell a connection that was closed from one that was cut off.
 */
import type { FrameSink, Verdict } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'
import { Delimited, delimitingOf } from './codec/delimiting.ts'
import { fault } from './codec/fault.ts'
import { Coding } from './codec/framing-fields.ts'
import { Head } from './codec/head.ts'
import { RequestHint } from './codec/request.ts'
import { Chunks } from './framer/chunks.ts'
import { FRAMER_LIMITS, type FramerLimits, WHOLE_BYTES_MAX } from './limits.ts'

/** Between replies. */
const IDLE = 0
const HEAD = 1
const LENGTH = 2
const CHUNKS = 3
const UNTIL_CLOSE = 4
/** The last reply of this connection is over; whatever comes is nobody's. */
const ENDED = 5

/** The hint while a script runs. */
const SCRIPT = 0

export class Framer {
  readonly #limits: FramerLimits
  readonly #head: Head
  readonly #chunks: Chunks
  #state = IDLE
  #hint = SCRIPT
  /** Bytes at the front of the buffer that were seen, and wait for what belongs to them. */
  #held = 0
  /** What is left of the body, where it has a length. */
  #left = 0
  /** Some of the reply was passed on. */
  #passedOn = false
  #interims = 0
  /** An interim head has said that the connection ends with this reply. */
  #endsAnyway = false
  /** Where the last bytes ended: the end of the connection is reported there. */
  #end = 0
  /** A request's body is not at its end. */
  #uploading = false
  /** The peer has shown that it speaks HTTP/1.1, and that it keeps its connections. */
  isPipelined = false
  /** Of the reply that is being reported. */
  verdict: Verdict = 'call'

  constructor(limits: FramerLimits = FRAMER_LIMITS) {
    this.#limits = limits
    this.#head = new Head('response', limits)
    this.#chunks = new Chunks(limits)
  }

  /** Nothing is under way, and more may follow. */
  get isClean(): boolean {
    return this.#state === IDLE && !this.#uploading
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let from = start
    let at = start + this.#held
    this.#held = 0
    this.#end = end
    while (at < end) {
      if (this.#state === IDLE) this.#begin(sink.hint())
      switch (this.#state) {
        case HEAD:
          if (!this.#head.scan(bytes, at, end)) return this.#hold(from, at, start)
          at += this.#head.length
          if (this.#takeHead(from, at, sink)) from = at
          else if (this.#isInterim && at - from > WHOLE_BYTES_MAX) from = this.#pass(from, at, sink)
          // The script goes on: what comes next may be TLS. If it is over, what comes next is nobody's.
          if (this.#hint === SCRIPT && !this.#isInterim && sink.hint() === SCRIPT) return at - start
          break
        case LENGTH: {
          const taken = Math.min(this.#left, end - at)
          if (taken < this.#left && !this.#passedOn && at - from + this.#left <= WHOLE_BYTES_MAX) {
            return this.#hold(from, at, start)
          }
          this.#left -= taken
          at += taken
          if (this.#left === 0) from = this.#finish(from, at, sink)
          break
        }
        case CHUNKS:
          at = this.#chunks.scan(bytes, at, end)
          if (this.#chunks.isDone) from = this.#finish(from, at, sink)
          break
        case UNTIL_CLOSE:
          at = end
          break
        case ENDED:
          return end - start
      }
    }
    if (from === at) return at - start
    if (this.#isInterim || (this.#state === LENGTH && this.#mayWait(at - from))) return this.#hold(from, at, start)
    this.#pass(from, at, sink)
    return at - start
  }

  /** A call is being written, with this hint. */
  submitted(hint: number): void {
    if ((hint & RequestHint.Upload) !== 0) this.#uploading = true
    else if ((hint & RequestHint.UploadEnd) !== 0) this.#uploading = false
  }

  /** The peer has closed its side. */
  closed(sink: FrameSink): void {
    switch (this.#state) {
      case IDLE:
      case ENDED:
        return
      case UNTIL_CLOSE:
        this.#state = ENDED
        return sink.frame(this.#end, this.#end, FrameFlag.Final | LAST | this.#errorFlag())
      case HEAD:
        throw new RemoteProtocolError('the connection ended inside a head')
      default:
        throw new RemoteProtocolError('the connection ended inside a body: it was truncated')
    }
  }

  #begin(hint: number): void {
    if (hint < SCRIPT) throw new RemoteProtocolError('the peer sent bytes that nothing had asked for')
    this.#hint = hint
    this.#state = HEAD
    this.#head.begin()
    this.#passedOn = false
    this.#interims = 0
    this.#endsAnyway = false
    this.verdict = 'call'
  }

  /** Interim heads were seen, and the final one is still to come. */
  get #isInterim(): boolean {
    return this.#state === HEAD
  }

  /** bytes[.., at) ends with a whole head. True when everything up to `at` is done with. */
  #takeHead(from: number, at: number, sink: FrameSink): boolean {
    const head = this.#head
    if (this.#hint === SCRIPT) return this.#takeScriptHead(from, at, sink)
    const delimited = delimitingOf(head, this.#hint)
    if (delimited !== Delimited.Interim) this.#judge()
    switch (delimited) {
      case Delimited.Interim:
        this.#noteInterim()
        if ((this.#hint & AWAITS_INTERIM) === 0) return false
        this.#pass(from, at, sink)
        return true
      case Delimited.ByHead:
        this.#finish(from, at, sink)
        return true
      case Delimited.ByLength:
        this.#left = head.contentLength
        this.#state = LENGTH
        if (this.#left === 0) {
          this.#finish(from, at, sink)
          return true
        }
        return false
      case Delimited.ByChunks:
        this.#chunks.begin()
        this.#state = CHUNKS
        return false
      default:
        this.#state = UNTIL_CLOSE
        return false
    }
  }

  /** The reply to a script: it wants the final head and nothing else. */
  #takeScriptHead(from: number, at: number, sink: FrameSink): boolean {
    const delimited = delimitingOf(this.#head, RequestHint.Connect)
    if (delimited === Delimited.Interim) {
      this.#noteInterim()
      return true
    }
    this.#state = delimited === Delimited.Tunnel ? IDLE : ENDED
    sink.frame(from, at, FrameFlag.Final)
    return true
  }

  #noteInterim(): void {
    const { interimMax } = this.#limits
    if (++this.#interims > interimMax) throw fault(`more interim heads (1xx) than interimMax (${interimMax})`)
    if (!this.#head.isPersistent) this.#endsAnyway = true
    this.#head.begin()
  }

  /** The reply is complete with bytes[.., at). Returns `at`. */
  #finish(from: number, at: number, sink: FrameSink): number {
    const ends = !this.#isPersistent()
    this.#state = ends ? ENDED : IDLE
    sink.frame(from, at, FrameFlag.Final | this.#errorFlag() | (ends ? LAST : 0))
    return at
  }

  /** Passes on what is seen of a reply that goes on. Returns `at`. */
  #pass(from: number, at: number, sink: FrameSink): number {
    this.#passedOn = true
    sink.frame(from, at, FrameFlag.Part)
    return at
  }

  /** bytes[from, at) stay in the buffer. Returns how many before them are done with. */
  #hold(from: number, at: number, start: number): number {
    this.#held = at - from
    return from - start
  }

  /** True where the reply is short enough to cross in one piece, and nothing of it was passed on. */
  #mayWait(seen: number): boolean {
    return !this.#passedOn && seen + this.#left <= WHOLE_BYTES_MAX
  }

  #isPersistent(): boolean {
    const head = this.#head
    if (this.#uploading || this.#endsAnyway || (this.#hint & RequestHint.CloseAfter) !== 0) return false
    // Section 6.1 and 6.3: its sender is confused, or wants somebody else to be.
    if (head.coding !== Coding.None && (head.contentLength !== -1 || head.minor === 0)) return false
    // A body that must not be there is likely to come all the same.
    if (head.coding !== Coding.None && head.status === NO_CONTENT) return false
    return head.isPersistent
  }

  /** What the final head means to the kernel. */
  #judge(): void {
    const { status } = this.#head
    this.isPipelined = this.#head.minor > 0 && this.#isPersistent()
    // A server that waited for a request says so and closes: it has not read this one (RFC 9110, section 15.5.9).
    if (status === REQUEST_TIMEOUT && !this.#head.isPersistent) this.verdict = 'not-executed'
    else if (status === UNAVAILABLE || status === TOO_MANY_REQUESTS) this.verdict = 'overloaded'
  }

  #errorFlag(): number {
    return this.verdict !== 'call' || this.#head.status >= 500 ? FrameFlag.Error : 0
  }
}

/** Nothing that was asked behind it was looked at (section 9.6). */
const LAST = FrameFlag.Close | FrameFlag.Unread
const AWAITS_INTERIM = RequestHint.Interim | RequestHint.Upload
const NO_CONTENT = 204
const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429
const UNAVAILABLE = 503

/**
 * The framer: finds where each message ends, and each reply.
 *
 * Rules:
 * 1. Copies nothing and keeps no view of what it is shown.
 * 2. A reply is everything up to its ReadyForQuery, which is its `Final`. CommandComplete is counted by nobody.
 * 3. Lengths are checked before they are believed: less than 4, or more than 30 000 for a message that is never that
 *    long, is a stream that has lost its place (libpq looks for it the same way).
 * 4. While nothing is outstanding a server may say what a caller left on its connection (N, S, A) or that it is going
 *    (E, FATAL). Anything else is a reply to nobody, and ends the connection.
 * 5. COPY ... FROM STDIN on a connection that is not in for it cannot be undone: from there on the server ignores Sync,
 *    and whether one is owed after an error cannot be known. G is then the last frame of its request (an error), and of
 *    the connection.
 *
 * Theory of operation: a message is a type byte, a length of four bytes that counts itself, and the rest. Messages of
 * one reply that lie side by side are reported as one frame, up to and with the Z; E is reported by itself, so that the
 * kernel can ask `classify`. While a script runs each message is a frame of its own.
 *
 *        run                    at            next        end
 *         | complete, not yet    | under way   |           |
 *   bytes [== T == D == D == D ==|== D ========|...........]
 *
 * Not reported at all: N and S. Nobody has asked for them, they may come between any two messages, and S is taken
 * into `parameters` here. A is a push, wherever it comes.
 *
 * A message of which more than `PART_BYTES_MIN` is in, and not all, is passed on in parts; nobody holds a row of 1 GB.
 * A is kept whole, because a push is; E is judged by its beginning.
 *
 * Limits: limits.ts; a notification of at most 30 000 bytes (servers allow a payload of 8 000).
 */
import type { FrameSink } from '@iokernel/core/plugin'
import { FrameFlag, RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'
import { errorField, isFatal } from './codec/errors.ts'
import { RequestKind } from './codec/request.ts'
import { FRAMER_LIMITS, type FramerLimits } from './limits.ts'
import { Parameters } from './parameters.ts'
import type { PushLedger } from './push.ts'
import { Statements } from './statements.ts'

/** Less than this stays in the buffer until it is complete. A TLS record's size. */
const PART_BYTES_MIN = 16 * 1024
/** The longest that a message may be whose type is never long: libpq's bound. */
const SHORT_BYTES_MAX = 30_000

const UNKNOWN = 0
/** A message of a reply that nobody here looks into. */
const PLAIN = 1
/** ParseComplete, BindComplete, CommandComplete: `statements` wants to know. */
const NOTED = 2
const READY = 3
const ERROR = 4
const NOTICE = 5
const STATUS = 6
const NOTIFICATION = 7
const COPY_IN = 8
/** Only while the connection begins. */
const STARTUP = 9
/** CopyBothResponse: replication, which nobody here asks for. */
const REFUSED = 10

const CLASSES: Uint8Array = classes()
/** 1 for the types that may be longer than `SHORT_BYTES_MAX` (libpq's list, and ParameterDescription). */
const LONG: Uint8Array = marked('TDdVENt')

/** No hint has been asked for yet. */
const UNASKED = -2
const NOBODY = -1
/** A script, or a push connection. */
const SCRIPT = 0

export class Framer {
  readonly #frameBytesMax: number
  readonly #parameters: Parameters
  readonly #statements: Statements
  readonly #ledger: PushLedger | undefined
  /** The handshake is over. */
  #begun = false
  /** Bytes that the message which is passed on in parts still lacks. */
  #left = 0
  /** Flags of its last part; -1 where it is dropped (a notice). */
  #leftFlags = 0
  /** A message has begun that the buffer does not hold to its end. */
  #inside = false
  /** What the last ReadyForQuery said: a transaction is open, or has failed. */
  inTransaction = false
  /** The error that is being reported came in parts: only its beginning was looked at. */
  errorInParts = false

  constructor(
    limits: FramerLimits = FRAMER_LIMITS,
    parameters: Parameters = new Parameters(),
    statements: Statements = new Statements(0, false),
    ledger?: PushLedger,
  ) {
    this.#frameBytesMax = limits.frameBytesMax
    this.#parameters = parameters
    this.#statements = statements
    this.#ledger = ledger
  }

  /** The handshake is over: what belongs to it is a fault from here on. */
  begin(): void {
    this.#begun = true
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start
    if (this.#left > 0) {
      at = this.#goOn(start, end, sink)
      if (this.#left > 0) return end - start
    }
    let run = at
    let hint = UNASKED
    this.#inside = false
    while (at < end) {
      const type = bytes[at] as number
      const kind = CLASSES[type] as number
      if (kind === UNKNOWN || kind === REFUSED) throw unexpected(type)
      if (hint === UNASKED) hint = sink.hint()
      const next = end - at < HEADER_BYTES ? end + 1 : this.#nextAt(bytes, at)
      if (next > end) {
        if (run < at) sink.frame(run, at, 0)
        return this.#pause(bytes, at, end, hint, sink) - start
      }
      if (hint > SCRIPT) {
        if (kind === PLAIN) {
          at = next
          continue
        }
        if (kind === NOTED) {
          this.#note(bytes, type, at, next)
          at = next
          continue
        }
        if (kind === READY) {
          const flags = FrameFlag.Final | this.#ready(bytes, at, next)
          this.#statements.answered()
          sink.frame(run, next, flags)
          hint = UNASKED
          at = next
          run = next
          continue
        }
      }
      if (run < at) sink.frame(run, at, 0)
      if (!this.#apart(bytes, at, next, kind, hint, sink)) return end - start
      hint = UNASKED
      at = next
      run = next
    }
    if (run < at) sink.frame(run, at, 0)
    return end - start
  }

  /** The peer has closed its side. A message that has begun will never end. */
  closed(): void {
    if (this.#inside || this.#left > 0) throw new RemoteProtocolError('the connection ended inside a message')
  }

  /** Where the message at `at`, whose header is in, ends. */
  #nextAt(bytes: Buffer, at: number): number {
    const length = u32(bytes, at + 1)
    const type = bytes[at] as number
    if (length < 4) throw new RemoteProtocolError(`a message ${named(type)} of length ${length}: at least 4`)
    if (length > SHORT_BYTES_MAX && LONG[type] === 0) {
      throw new RemoteProtocolError(`a message ${named(type)} of length ${length}: none of its type is that long`)
    }
    if (length >= this.#frameBytesMax) {
      throw new RemoteProtocolError(`a message is longer than frameBytesMax (${this.#frameBytesMax} bytes)`)
    }
    return at + 1 + length
  }

  /** One whole message that is no quiet part of a call's reply. False when it was the last of the connection. */
  #apart(bytes: Buffer, at: number, next: number, kind: number, hint: number, sink: FrameSink): boolean {
    switch (kind) {
      case NOTICE:
        return true
      case STATUS:
        this.#parameters.take(bytes, at, next, hint > SCRIPT)
        return true
      case NOTIFICATION:
        sink.frame(at, next, FrameFlag.Push)
        return true
      case ERROR:
        return this.#error(bytes, at, next, hint, sink)
      case STARTUP:
        if (this.#begun || hint !== SCRIPT) throw unexpected(bytes[at] as number)
        break
      case COPY_IN:
        if (hint <= SCRIPT) break
        if (hint === RequestKind.CopyIn) {
          sink.frame(at, next, 0)
          return true
        }
        sink.frame(at, next, FrameFlag.Error | FrameFlag.Final | FrameFlag.Close)
        return false
    }
    if (hint === NOBODY) throw new RemoteProtocolError(`a reply to no request: ${named(bytes[at] as number)}`)
    if (kind === READY) this.#ready(bytes, at, next)
    if (this.#ledger?.active === true) this.#ledger.take(bytes, at, next, sink)
    else sink.frame(at, next, kind === READY ? FrameFlag.Final : 0)
    return true
  }

  #error(bytes: Buffer, at: number, next: number, hint: number, sink: FrameSink): boolean {
    const fatal = isFatal(bytes, at, next)
    if (hint > SCRIPT) {
      this.#statements.failed(bytes, at, next)
      sink.frame(at, next, fatal ? LAST_WORD : FrameFlag.Error)
      return !fatal
    }
    if (hint === SCRIPT && this.#ledger?.active !== true) {
      sink.frame(at, next, FrameFlag.Error)
      return true
    }
    if (fatal) throw lastWord(bytes, at, next)
    if (hint === NOBODY) throw new RemoteProtocolError('an error to no request')
    this.#ledger?.take(bytes, at, next, sink)
    return true
  }

  /** The bytes are used up inside the message at `at`. Returns up to where they are done with. */
  #pause(bytes: Buffer, at: number, end: number, hint: number, sink: FrameSink): number {
    const type = bytes[at] as number
    const kind = CLASSES[type] as number
    const isReply = kind !== ERROR && kind !== NOTICE && kind !== STATUS && kind !== NOTIFICATION
    if (isReply && hint === NOBODY) throw new RemoteProtocolError(`a reply to no request: ${named(type)}`)
    if (kind === STARTUP && (this.#begun || hint !== SCRIPT)) throw unexpected(type)
    this.#inside = true
    if (end - at < PART_BYTES_MIN || LONG[type] === 0) return at
    const length = 1 + u32(bytes, at + 1)
    if (kind === NOTICE) {
      this.#leftFlags = -1
    } else if (kind === ERROR) {
      // Severity and code come first, in far less than what is in.
      const fatal = isFatal(bytes, at, end)
      if (fatal && (hint === NOBODY || this.#ledger?.active === true)) throw lastWord(bytes, at, end)
      if (hint === NOBODY) throw new RemoteProtocolError('an error to no request')
      if (hint > SCRIPT) this.#statements.failed(bytes, at, end)
      this.#leftFlags = fatal && hint > SCRIPT ? LAST_WORD : FrameFlag.Error
    } else {
      this.#leftFlags = 0
    }
    if (this.#ledger?.active === true && kind !== NOTICE) throw unexpected(type)
    this.#left = length - (end - at)
    if (this.#leftFlags >= 0) sink.frame(at, end, FrameFlag.Part)
    return end
  }

  /** More of the message that is passed on in parts. Returns where it ends, or `end`. */
  #goOn(start: number, end: number, sink: FrameSink): number {
    const taken = Math.min(this.#left, end - start)
    const to = start + taken
    this.#left -= taken
    const flags = this.#leftFlags
    if (flags < 0) return to
    if (this.#left > 0) {
      sink.frame(start, to, FrameFlag.Part)
      return to
    }
    this.errorInParts = (flags & FrameFlag.Error) !== 0
    sink.frame(start, to, flags)
    this.errorInParts = false
    return to
  }

  /** Checks a ReadyForQuery and says what it tells of the connection: `Dirty` or 0. */
  #ready(bytes: Buffer, at: number, next: number): number {
    const status = bytes[at + HEADER_BYTES]
    if (next - at !== READY_BYTES || (status !== IDLE && status !== IN_TRANSACTION && status !== IN_FAILED)) {
      throw new RemoteProtocolError('a ReadyForQuery without a transaction status')
    }
    this.inTransaction = status !== IDLE
    const changed = this.#parameters.settle()
    return changed || this.inTransaction ? FrameFlag.Dirty : 0
  }

  #note(bytes: Buffer, type: number, at: number, next: number): void {
    if (type === PARSE_COMPLETE) return this.#statements.parsed()
    if (type === BIND_COMPLETE) return this.#statements.bound()
    const [first, third] = [bytes[at + HEADER_BYTES], bytes[at + HEADER_BYTES + 2]]
    // DEALLOCATE, DISCARD, PREPARE; not DELETE, DECLARE, DROP.
    if (first === LETTER_D ? third === LETTER_A || third === LETTER_S : first === LETTER_P && third === LETTER_E) {
      this.#statements.tagged(bytes, at + HEADER_BYTES, next - 1)
    }
  }
}

/** Type byte and length. */
const HEADER_BYTES = 5
const READY_BYTES = 6
const PARSE_COMPLETE = 49
const BIND_COMPLETE = 50
const IDLE = 73
const IN_TRANSACTION = 84
const IN_FAILED = 69
const LETTER_A = 65
const LETTER_D = 68
const LETTER_E = 69
const LETTER_P = 80
const LETTER_S = 83
const LAST_WORD = FrameFlag.Error | FrameFlag.Final | FrameFlag.Close

function classes(): Uint8Array {
  const table = new Uint8Array(256).fill(UNKNOWN)
  const types: readonly (readonly [types: string, kind: number])[] = [
    ['3DHITVcdnst', PLAIN],
    ['12C', NOTED],
    ['Z', READY],
    ['E', ERROR],
    ['N', NOTICE],
    ['S', STATUS],
    ['A', NOTIFICATION],
    ['G', COPY_IN],
    ['RKv', STARTUP],
    ['W', REFUSED],
  ]
  for (const [letters, kind] of types) for (const letter of letters) table[letter.charCodeAt(0)] = kind
  return table
}

function marked(letters: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const letter of letters) table[letter.charCodeAt(0)] = 1
  return table
}

function u32(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}

function unexpected(type: number): RemoteProtocolError {
  return new RemoteProtocolError(`a message ${named(type)} where none of its type may be`)
}

/** What a server says before it goes, to nobody. */
function lastWord(bytes: Buffer, start: number, end: number): RemoteError {
  const code = errorField(bytes, start, end, 'C') ?? ''
  const known = /^[0-9A-Z]{5}$/.test(code) ? code : 'XX000'
  return new RemoteError(known, `the server ended the connection (SQLSTATE ${known})`)
}

function named(type: number): string {
  return type > 32 && type < 127 ? `'${String.fromCharCode(type)}'` : `0x${type.toString(16).padStart(2, '0')}`
}

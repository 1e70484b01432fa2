/**
 * The framer: finds where each packet ends, and each reply.
 *
 * Rules:
 * 1. Copies nothing and keeps no view of what it is shown.
 * 2. What a packet is depends on where it stands (below), never on its first byte alone: a row may begin with 00, FB or
 *    FE. Only the first packet of a payload that is continued is looked at.
 * 3. Sequence numbers are checked: a packet that is out of its place means that the stream has lost its own.
 * 4. While nothing is outstanding a server may say why it goes (ERR). Anything else is a reply to nobody. Either ends
 *    the connection. The same ERR where a reply should begin, with a number that is not the reply's, was said before
 *    the request was read: it ends the connection too, and answers nothing.
 * 5. A file that nobody has offered is never sent. The server gets its end at once, and the connection is over.
 *
 * Theory of operation: the answer to one command is
 *
 *   START     ERR                                     the end
 *             OK                                      the end; with MORE_RESULTS, START again
 *             FB                                      a file is asked for: FILE, and then OK or ERR
 *             n        COLUMNS: n definitions         [EOF unless DEPRECATE_EOF]
 *                      ROWS: until ERR                the end
 *                               or FE and short       the end; with MORE_RESULTS, START again
 *
 * "Short" is less than 9 bytes where EOF is an EOF, and less than a whole packet where it is an OK: a row that begins
 * with FE holds a value of 16 MB, and so does not fit one. What the connection asked itself (PREPARE, SET_OPTION:
 * statements.ts) is answered before and not reported:
 *
 *   PREPARE   ERR                                     is the reply
 *             OK, n, m                                DEFINITIONS: n of values, m of columns, an EOF behind each
 *
 * Packets of one reply that lie side by side are reported as one frame; ERR by itself, so that the kernel can ask
 * `classify`. While a script runs each packet is a frame of its own.
 *
 *        run                    at            next        end
 *         | complete, not yet    | under way   |           |
 *   bytes [== packet == packet ==|== pack =====|...........]
 *
 * A packet of which more than `PART_BYTES_MIN` is in, and not all, is passed on in parts; nobody holds a row of 1 GB.
 * OK and ERR are judged by their beginning.
 *
 * Limits: limits.ts; 65 535 columns.
 */
import type { FrameSink } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'
import { errorNumber, farewell, isFarewell } from './codec/errors.ts'
import { Status } from './codec/facts.ts'
import { HEADER_BYTES, lenenc, lenencBytes, PACKET_BYTES_MAX, u16, u24, u32 } from './codec/packet.ts'
import { KIND_MASK, RequestKind } from './codec/request.ts'
import { FRAMER_LIMITS, type FramerLimits } from './limits.ts'
import { changesSession, okStatus } from './session-state.ts'
import { Expected, Statements } from './statements.ts'

/** Less than this stays in the buffer until it is complete. A TLS record's size. */
const PART_BYTES_MIN = 16 * 1024
/** An ERR of a server has 512 characters of text at most (MYSQL_ERRMSG_SIZE), of which each may take 4 bytes. */
const FAREWELL_BYTES_MAX = 4096

/** What handshakes and probes are answered by is short; keys and certificates are a few kilobytes. */
const SCRIPT_BYTES_MAX = 0x1_0000

/** Header, FF and the number of an ERR. */
const ERR_NUMBER_BYTES = 7

/** Where the reply stands. */
const START = 0
const COLUMNS = 1
const COLUMNS_EOF = 2
const ROWS = 3
const FILE = 4
/** Definitions behind a PREPARE_OK. */
const DEFINITIONS = 5

/** No hint has been asked for yet. */
const UNASKED = -2
const NOBODY = -1
const SCRIPT = 0

/** What `#take` says of a packet that is not reported. */
const HIDDEN = -1

export class Framer {
  readonly #frameBytesMax: number
  readonly #statements: Statements
  #deprecateEof = false
  #state = START
  #isBinary = false
  /** Definitions that are still to come, and EOFs behind them. */
  #definitions = 0
  /** Definitions of columns behind those of values, in an answer to PREPARE. */
  #definitionsAfter = 0
  #sequence = 0
  /** The packet under way continues the payload before it, of which so much has come. */
  #isContinued = false
  #payloadBytes = 0
  /** Bytes that the packet which is passed on in parts still lacks. */
  #left = 0
  /** Flags of its last part; HIDDEN where it is dropped. */
  #leftFlags = 0
  /** A packet has begun that the buffer does not hold to its end. */
  #inside = false
  /** The reply under way has changed the session. */
  #isDirty = false
  /** What the last status said: a transaction is open. */
  inTransaction = false
  /** The statement of the error that is being reported is out of date. */
  isStale = false
  /** The error that is being reported came in parts: only its beginning was looked at. */
  errorInParts = false

  constructor(
    limits: FramerLimits = FRAMER_LIMITS,
    statements: Statements = new Statements({ max: 0, isSession: false }),
  ) {
    this.#frameBytesMax = limits.frameBytesMax
    this.#statements = statements
  }

  /** The handshake is over, and this was agreed on. */
  begin(deprecateEof: boolean): void {
    this.#deprecateEof = deprecateEof
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
      if (hint === UNASKED) hint = sink.hint()
      if (hint === NOBODY) return this.#unasked(bytes, at, end, start)
      if (end - at < HEADER_BYTES) break
      const length = u24(bytes, at)
      const bytesMax = hint === SCRIPT ? SCRIPT_BYTES_MAX : this.#frameBytesMax
      if (length > bytesMax) throw tooLong(bytesMax)
      const next = at + HEADER_BYTES + length
      if (next > end && end - at < PART_BYTES_MIN) {
        if (hint > SCRIPT && end - at > ERR_NUMBER_BYTES) this.#checkOrder(bytes, at, end)
        break
      }
      if (hint === SCRIPT) {
        if (next > end) {
          this.#pass(at, end, next, 0, sink)
          return end - start
        }
        sink.frame(at, next, 0)
        hint = UNASKED
        at = next
        run = next
        continue
      }
      const stop = Math.min(next, end)
      const flags = this.#take(bytes, at, stop, length, hint, sink)
      if (flags === 0 && next <= end) {
        at = next
        continue
      }
      if (run < at && (flags === HIDDEN || next > end || (flags & FrameFlag.Error) !== 0)) {
        sink.frame(run, at, 0)
        run = at
      }
      if (next > end) {
        this.#pass(at, end, next, flags, sink)
        return end - start
      }
      if (flags !== HIDDEN) sink.frame(run, next, flags)
      if ((flags & FrameFlag.Close) !== 0 && flags !== HIDDEN) return end - start
      if ((flags & FrameFlag.Final) !== 0) hint = UNASKED
      at = next
      run = next
    }
    if (run < at) sink.frame(run, at, 0)
    this.#inside = at < end
    return at - start
  }

  /** The peer has closed its side. A packet that has begun will never end. */
  closed(): void {
    if (this.#inside || this.#left > 0) throw new RemoteProtocolError('the connection ended inside a packet')
  }

  /**
   * One packet of a reply, of which bytes[at, stop) are in. Returns its flags: 0 for what lies in the middle of a
   * reply, HIDDEN for what is none of it.
   */
  #take(bytes: Buffer, at: number, stop: number, length: number, hint: number, sink: FrameSink): number {
    const state = this.#state
    this.#checkOrder(bytes, at, stop)
    this.#sequence = (this.#sequence + 1) & 255 || WRAPPED
    if (this.#isContinued) return this.#continue(length)
    if (length === 0) throw new RemoteProtocolError('a packet of length 0 where none may be')
    const first = bytes[at + HEADER_BYTES] as number
    if (length === PACKET_BYTES_MAX) {
      if (state !== ROWS || first === 0xff) throw new RemoteProtocolError('16 MB of something that is no row')
      this.#isContinued = true
      this.#payloadBytes = length
    }
    switch (state) {
      case ROWS:
        if (first === 0xfe && (this.#deprecateEof ? length < PACKET_BYTES_MAX : length < EOF_BYTES_MAX)) {
          return this.#endOfResult(bytes, at, stop, sink)
        }
        if (first === 0xff) return this.#error(bytes, at, stop, sink)
        if (this.#isBinary && first !== 0) throw new RemoteProtocolError('a binary row that does not begin with 00')
        return 0
      case COLUMNS:
        if (first === 0xff) return this.#error(bytes, at, stop, sink)
        if (--this.#definitions === 0) this.#state = this.#deprecateEof ? ROWS : COLUMNS_EOF
        return 0
      case COLUMNS_EOF:
        return this.#endOfColumns(bytes, at, stop, length, sink)
      case DEFINITIONS:
        return this.#definition(first, length)
      case FILE:
        return this.#afterFile(bytes, at, stop, sink)
      default:
        return this.#begin(bytes, at, stop, length, hint, sink)
    }
  }

  /** The first packet of an answer, or of a further result. */
  #begin(bytes: Buffer, at: number, stop: number, length: number, hint: number, sink: FrameSink): number {
    const first = bytes[at + HEADER_BYTES] as number
    if (first === 0xff) return this.#error(bytes, at, stop, sink)
    const expected = this.#statements.expected
    if (expected === Expected.Prepare) return this.#prepareOk(bytes, at, length, sink)
    if (expected === Expected.Option) return this.#optionOk(bytes, at, stop, sink)
    const kind = hint & KIND_MASK
    if (first === 0) return this.#endOfResult(bytes, at, stop, sink)
    if (first === 0xfb) {
      if (kind !== RequestKind.LocalInfile) return this.#refuseFile(sink)
      this.#state = FILE
      this.#statements.fileAsked(this.#sequence & 255)
      return 0
    }
    if (length !== lenencBytes(bytes, at + HEADER_BYTES) || length > COUNT_BYTES_MAX) {
      throw new RemoteProtocolError('an answer that begins with none of OK, ERR and a number of columns')
    }
    this.#isBinary = kind === RequestKind.Prepared
    this.#definitions = lenenc(bytes, at + HEADER_BYTES)
    if (this.#definitions === 0) throw new RemoteProtocolError('a result without columns')
    this.#state = COLUMNS
    return 0
  }

  /** OK, or EOF behind rows. */
  #endOfResult(bytes: Buffer, at: number, stop: number, sink: FrameSink): number {
    const status = okStatus(bytes, at, stop)
    this.#note(status)
    if ((status & Status.SessionStateChanged) !== 0 && changesSession(bytes, at, stop)) this.#isDirty = true
    this.#state = START
    if ((status & Status.MoreResults) !== 0) return 0
    return this.#finish(0, sink)
  }

  #endOfColumns(bytes: Buffer, at: number, stop: number, length: number, sink: FrameSink): number {
    if (bytes[at + HEADER_BYTES] !== 0xfe || length >= EOF_BYTES_MAX) throw noEof()
    const status = okStatus(bytes, at, stop)
    this.#note(status)
    this.#state = ROWS
    // Rows are fetched from the cursor one day: this is all.
    return (status & Status.CursorExists) === 0 ? 0 : this.#endOfResult(bytes, at, stop, sink)
  }

  #error(bytes: Buffer, at: number, stop: number, sink: FrameSink): number {
    const errno = errorNumber(bytes, at, stop)
    if (errno === 0) throw new RemoteProtocolError('an ERR packet that is cut short')
    // How far a statement of MariaDB has come. Never asked for; not the end.
    if (errno === PROGRESS) return HIDDEN
    this.#statements.failed(bytes, at, stop)
    if (this.inTransaction) this.#isDirty = true
    this.#state = START
    const isLast = isFarewell(errno)
    return this.#finish(isLast ? FrameFlag.Error | FrameFlag.Close : FrameFlag.Error, sink)
  }

  /** The reply is complete. Those that waited for it are written. */
  #finish(flags: number, sink: FrameSink): number {
    const isStale = this.#statements.isStale
    const dirty = this.#isDirty || this.inTransaction ? FrameFlag.Dirty : 0
    this.#isDirty = false
    this.#sequence = 0
    this.#statements.answered(sink)
    this.isStale = isStale
    return flags | dirty | FrameFlag.Final
  }

  #prepareOk(bytes: Buffer, at: number, length: number, sink: FrameSink): number {
    if (bytes[at + HEADER_BYTES] !== 0 || length < PREPARE_OK_BYTES_MIN) {
      throw new RemoteProtocolError('PREPARE was answered by neither OK nor ERR')
    }
    const body = at + HEADER_BYTES
    const columns = u16(bytes, body + 5)
    const values = u16(bytes, body + 7)
    const eof = this.#deprecateEof ? 0 : 1
    this.#definitions = values === 0 ? 0 : values + eof
    this.#definitionsAfter = columns === 0 ? 0 : columns + eof
    this.#state = DEFINITIONS
    this.#statements.prepared(u32(bytes, body + 1), values, sink.out())
    if (this.#definitions === 0) this.#nextDefinitions()
    return HIDDEN
  }

  #definition(first: number, length: number): number {
    this.#definitions--
    const isEof = !this.#deprecateEof && this.#definitions === 0
    if (isEof && (first !== 0xfe || length >= EOF_BYTES_MAX)) throw noEof()
    if (this.#definitions === 0) this.#nextDefinitions()
    return HIDDEN
  }

  #nextDefinitions(): void {
    this.#definitions = this.#definitionsAfter
    this.#definitionsAfter = 0
    if (this.#definitions > 0) return
    this.#state = START
    this.#sequence = 0
  }

  #optionOk(bytes: Buffer, at: number, stop: number, sink: FrameSink): number {
    const first = bytes[at + HEADER_BYTES]
    if (first !== 0 && first !== 0xfe) throw new RemoteProtocolError('SET_OPTION was answered by neither OK nor ERR')
    this.#note(okStatus(bytes, at, stop))
    this.#sequence = 0
    this.#statements.optionSet(sink.out())
    return HIDDEN
  }

  #refuseFile(sink: FrameSink): number {
    const out = sink.out()
    out.u24le(0)
    out.u8(this.#sequence & 255)
    return this.#finish(FrameFlag.Error | FrameFlag.Close, sink)
  }

  /** What comes once a file was asked for: OK or ERR when it is at its end, ERR and no more if before. */
  #afterFile(bytes: Buffer, at: number, stop: number, sink: FrameSink): number {
    const first = bytes[at + HEADER_BYTES]
    if (first !== 0xff && (first !== 0 || this.#statements.isFileOpen)) {
      throw new RemoteProtocolError('a file was answered by neither OK nor ERR')
    }
    if (first === 0) return this.#endOfResult(bytes, at, stop, sink)
    const isEarly = this.#statements.isFileOpen
    const flags = this.#error(bytes, at, stop, sink)
    // What is left of the file would be taken for commands.
    return isEarly && flags !== HIDDEN ? flags | FrameFlag.Close : flags
  }

  #continue(length: number): number {
    this.#payloadBytes += length
    if (this.#payloadBytes > this.#frameBytesMax) throw tooLong(this.#frameBytesMax)
    this.#isContinued = length === PACKET_BYTES_MAX
    return 0
  }

  #note(status: number): void {
    this.inTransaction = (status & Status.InTransaction) !== 0
    this.#statements.noBackslashEscapes = (status & Status.NoBackslashEscapes) !== 0
  }

  /** Also of a packet that is not in yet: what is no packet at all should not be waited for. */
  #checkOrder(bytes: Buffer, at: number, stop: number): void {
    if (this.#state === START && this.#sequence === 0) this.#sequence = this.#statements.sequence
    if (bytes[at + 3] !== this.#sequence) this.#outOfOrder(bytes, at, stop)
  }

  #outOfOrder(bytes: Buffer, at: number, stop: number): void {
    const found = bytes[at + 3] as number
    // The number of the first piece behind the file is known once that has been written.
    if (this.#state === FILE) {
      if (!this.#statements.isFileOpen && found === this.#statements.sequence) this.#sequence = found
      else if (bytes[at + HEADER_BYTES] === 0xff && this.#statements.isFileOpen) this.#sequence = found
      if (this.#sequence === found) return
    }
    if (this.#sequence === WRAPPED && found === 0) return
    const errno = errorNumber(bytes, at, stop)
    if (this.#state === START && isFarewell(errno)) throw farewell(errno)
    throw new RemoteProtocolError(`a packet with the sequence number ${found}, where ${this.#sequence & 255} is due`)
  }

  /** Bytes that nobody has asked for: the reason why the server goes, or a fault. */
  #unasked(bytes: Buffer, at: number, end: number, start: number): number {
    this.#inside = true
    if (end - at <= HEADER_BYTES) return at - start
    const length = u24(bytes, at)
    if (bytes[at + HEADER_BYTES] !== 0xff || length > FAREWELL_BYTES_MAX) {
      throw new RemoteProtocolError('a reply to no request')
    }
    if (end - at < HEADER_BYTES + length) return at - start
    throw farewell(errorNumber(bytes, at, at + HEADER_BYTES + length))
  }

  /** The packet at `at` has been judged, and is passed on before its end is in. */
  #pass(at: number, end: number, next: number, flags: number, sink: FrameSink): void {
    this.#left = next - end
    this.#leftFlags = flags
    if (flags === HIDDEN) return
    sink.frame(at, end, FrameFlag.Part)
  }

  /** More of the packet that is passed on in parts. Returns where it ends, or `end`. */
  #goOn(start: number, end: number, sink: FrameSink): number {
    const taken = Math.min(this.#left, end - start)
    const to = start + taken
    this.#left -= taken
    const flags = this.#leftFlags
    if (flags === HIDDEN) return to
    if (this.#left > 0) {
      sink.frame(start, to, FrameFlag.Part)
      return to
    }
    this.errorInParts = (flags & FrameFlag.Error) !== 0
    sink.frame(start, to, flags)
    this.errorInParts = false
    return to
  }
}

/** An EOF packet has 5; whatever begins with FE and is longer is a row. */
const EOF_BYTES_MAX = 9
/** FC and two bytes. */
const COUNT_BYTES_MAX = 3
/** 00, number, columns, values, 00, warnings. */
const PREPARE_OK_BYTES_MIN = 12
const PROGRESS = 0xffff
/** 0 stands for "not begun": a number that has wrapped is this, which is 0 in its low byte. */
const WRAPPED = 256

function noEof(): RemoteProtocolError {
  return new RemoteProtocolError('no EOF where definitions end')
}

function tooLong(bytesMax: number): RemoteProtocolError {
  return new RemoteProtocolError(`a payload is longer than frameBytesMax (${bytesMax} bytes)`)
}

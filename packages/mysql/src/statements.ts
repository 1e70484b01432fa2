/**
 * Statements that one connection has prepared, and its unanswered requests.
 *
 * Rules:
 * 1. A statement is prepared once per connection, however many requests for it come at once.
 * 2. An EXECUTE is written when the number of its statement has come, and never for "the statement prepared last" (-1),
 *    which MariaDB offers: where a PREPARE fails for want of room (1461), that would be the one before, and somebody
 *    else's statement would run with these values (seen on 10.11).
 * 3. Equal hashes are no proof: the texts are compared. Of two statements with one hash, the second is not kept.
 * 4. A statement that takes another number of values than were given is not executed.
 *
 * Theory of operation: most requests are written at once. Some need an answer first:
 *
 *   Prepared, not yet prepared here     [CLOSE ...] PREPARE      | its number comes: |   EXECUTE [CLOSE]
 *   Multi, where one statement is on    SET_OPTION on            | OK:               |   QUERY
 *   Text, where several are on          SET_OPTION off           | OK:               |   QUERY
 *
 * That request is `#pending`: the last that was written. Those that come behind it are held, with copies of their
 * bytes, until it has been written in full; the kernel knows by `callsMax` and sends no more, so there are few. The
 * framer says what comes for the oldest: `prepared`, `optionSet`, `failed`, `answered`. What answers the part before is
 * not in the reply, but for an error.
 *
 *   1243 with the number that was executed    the server does not have it any more (a proxy has another server)
 *   1615                                      it would have to be prepared again, and that has not helped
 *
 * Both say that nothing was begun: the request is sent again (`stale`), and its statement is forgotten. Not so for CALL
 * and other statements that have statements of their own inside, which may say the same after they have done something.
 *
 * Limits: `statementsMax` statements; who was not used for longest goes, but nobody who is waited for. Texts longer
 * than `STATEMENTS.bytesMax` are closed behind their use.
 */
import type { ByteWriter, FrameSink } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import {
  Command,
  checkQuery,
  packetsIn,
  writeClose,
  writeCommand,
  writeExecute,
  writePrepare,
} from './codec/command.ts'
import { errorNumber } from './codec/errors.ts'
import { beginPacket, endPacket, HEADER_BYTES, PACKET_BYTES_MAX, u16, u32 } from './codec/packet.ts'
import { FILE_DATA_BYTES_MAX, KIND_MASK, PREPARED, RequestFlag, RequestKind } from './codec/request.ts'
import { STATEMENTS } from './limits.ts'
import { Unanswered } from './unanswered.ts'

interface Statement {
  readonly hash: number
  readonly text: Buffer
  /** Nothing of it can have been done when the server says that it must be prepared again. */
  readonly isPlain: boolean
  /** The server's number of it, and how many values it takes; both 0 until they have come. */
  id: number
  values: number
  /** By the count of requests. */
  usedAt: number
  /** Unanswered requests that rely on it. */
  waiting: number
}

/** A request whose second half waits for the answer to the first. */
interface Pending {
  /** Of a prepared one. */
  readonly statement: Statement | undefined
  readonly isKept: boolean
  readonly isUpload: boolean
  readonly payload: Buffer
}

interface Held {
  readonly payload: Buffer
  readonly hint: number
}

/** What comes next for the oldest request. */
export const Expected = { Reply: 0, Prepare: 1, Option: 2 } as const

/** What a server of this connection bears. */
export interface StatementTerms {
  readonly max: number
  readonly isSession: boolean
}

export class Statements {
  readonly #max: number
  readonly #isSession: boolean
  readonly #byHash = new Map<number, Statement>()
  /** Numbers to be closed with the next request. */
  #closing: number[] = []
  #uses = 0
  #pending: Pending | undefined
  #held: Held[] = []
  /** A request is unanswered that may ask for a file: what is written behind it would be taken for the file. */
  #isUploading = false
  /** The server takes several statements in one COM_QUERY. */
  #multi = false
  /** The sequence number of the next piece of a file; -1 while none is asked for. */
  #fileSequence = -1
  readonly #unanswered = new Unanswered<Statement>()
  /** The error of the oldest request that came last means that its statement is out of date. */
  isStale = false
  /** sql_mode has NO_BACKSLASH_ESCAPES, by the last status. */
  noBackslashEscapes = false
  /** The server ends a connection over which a longer request comes (`max_allowed_packet`). */
  requestBytesMax: number = Number.POSITIVE_INFINITY

  constructor({ max, isSession }: StatementTerms) {
    this.#max = max
    this.#isSession = isSession
  }

  /** Statements that are kept. */
  get size(): number {
    return this.#byHash.size
  }

  /** Nothing may be written behind the request that is under way. */
  get isWaiting(): boolean {
    return this.#pending !== undefined || this.#isUploading
  }

  /** A file was asked for and is not at its end. */
  get isFileOpen(): boolean {
    return this.#fileSequence >= 0
  }

  /** Several statements may stand in one COM_QUERY. */
  get isMulti(): boolean {
    return this.#multi
  }

  /** Of the answer that comes next. */
  get expected(): number {
    const pending = this.#pending
    if (pending === undefined || this.#unanswered.count > 1) return Expected.Reply
    return pending.statement === undefined ? Expected.Option : Expected.Prepare
  }

  /** With which sequence number the reply to the oldest request begins. */
  get sequence(): number {
    return this.#unanswered.sequence
  }

  /** Writes a request, or keeps it until it can be written. Throws before anything has changed. */
  submit(payload: Uint8Array, hint: number, out: ByteWriter): void {
    this.#check(payload, hint)
    if (!this.isWaiting || (hint & KIND_MASK) === RequestKind.FileData) this.#write(payload, hint, out)
    else this.#held.push({ payload: Buffer.from(payload), hint })
  }

  /** PREPARE_OK for the oldest request: its statement has a number. */
  prepared(id: number, values: number, out: ByteWriter): void {
    const { statement, isKept, payload } = this.#pending as Pending & { readonly statement: Statement }
    this.#pending = undefined
    statement.id = id
    statement.values = values
    const valuesAt = PREPARED.statement + statement.text.length
    this.#unanswered.setSequence(this.#writeExecute(out, statement, payload, valuesAt))
    if (!isKept) writeClose(out, id)
    this.#release(out)
  }

  /** OK to SET_OPTION. */
  optionSet(out: ByteWriter): void {
    const { payload, isUpload } = this.#pending as Pending
    this.#pending = undefined
    this.#multi = !this.#multi
    out.copy(payload)
    this.#isUploading = isUpload
    this.#unanswered.setSequence(packetsIn(payload))
    this.#release(out)
  }

  /** An ERR packet, header included, in bytes[start, end), for the oldest request. */
  failed(bytes: Buffer, start: number, end: number): void {
    this.isStale = false
    const statement = this.#unanswered.relied
    if (statement === undefined) return
    if (this.expected === Expected.Prepare) return this.#drop(statement)
    const errno = errorNumber(bytes, start, end)
    const isUnknown = errno === 1243 && bytes.subarray(start, end).includes(`(${statement.id})`)
    if (!statement.isPlain || (!isUnknown && errno !== 1615)) return
    if (!isUnknown && this.#byHash.get(statement.hash) === statement) this.#closing.push(statement.id)
    this.#drop(statement)
    this.isStale = true
  }

  /** The oldest request is answered. Those that it has kept waiting go out. */
  answered(sink: Pick<FrameSink, 'out'>): void {
    this.isStale = false
    this.#fileSequence = -1
    if (this.#unanswered.count === 0) return
    const failed = this.expected !== Expected.Reply
    const statement = this.#unanswered.relied
    if (statement !== undefined) statement.waiting--
    this.#unanswered.shift()
    if (failed) this.#pending = undefined
    this.#isUploading = false
    if (this.#held.length > 0) this.#release(sink.out())
  }

  /** The server asks for a file: its first piece has this sequence number. */
  fileAsked(sequence: number): void {
    this.#fileSequence = sequence
  }

  /** The server has dropped every statement, and takes one at a time again. */
  renewed(noBackslashEscapes: boolean): void {
    this.#byHash.clear()
    this.#closing = []
    this.#multi = false
    this.noBackslashEscapes = noBackslashEscapes
  }

  /** What can be said before anything is written. */
  #check(payload: Uint8Array, hint: number): void {
    const kind = hint & KIND_MASK
    if (payload.length > this.requestBytesMax) this.#checkLength(payload, kind)
    if ((hint & RequestFlag.Escaped) !== 0 && this.noBackslashEscapes) throw notEscaped()
    switch (kind) {
      case RequestKind.Prepared:
        return this.#checkPrepared(payload)
      case RequestKind.Multi:
      case RequestKind.LocalInfile:
        if (!this.#isSession) throw new LocalError('PLUGIN', `a request of the kind ${kind} needs a session`)
        return checkQuery(payload)
      case RequestKind.Text:
        return checkQuery(payload)
      case RequestKind.FileData:
        if (this.#fileSequence < 0) throw new LocalError('NO_FILE', 'the server has not asked for a file')
        if (payload.length > FILE_DATA_BYTES_MAX) throw new LocalError('PLUGIN', 'a piece of a file that is too large')
        return
      default:
        throw new LocalError('PLUGIN', `a request of the kind ${hint}, which nobody knows`)
    }
  }

  /** PREPARE and EXECUTE are requests of their own; headers do not count. */
  #checkLength(payload: Uint8Array, kind: number): void {
    const textLength = kind === RequestKind.Prepared ? u32(payload, PREPARED.length) : 0
    const longest = Math.max(textLength, payload.length - textLength)
    if (longest - HEADER_BYTES * Math.ceil(longest / PACKET_BYTES_MAX) <= this.requestBytesMax) return
    throw new LocalError(
      'REQUEST_TOO_LARGE',
      `the request is longer than the server takes (max_allowed_packet, ${this.requestBytesMax} bytes): split it`,
    )
  }

  #checkPrepared(payload: Uint8Array): void {
    const length = payload.length < PREPARED.statement ? -1 : u32(payload, PREPARED.length)
    if (length < 0 || PREPARED.statement + length > payload.length) {
      throw new LocalError('PLUGIN', 'a request that is cut short')
    }
    const known = this.#find(payload, length)
    if (known === undefined || known.id === 0) return
    const values = u16(payload, PREPARED.values)
    if (known.values === values) return
    const [takes, given] = [known.values, values]
    throw new LocalError('ARGUMENT', `the statement takes ${takes} values, and ${given} were given`)
  }

  #write(payload: Uint8Array, hint: number, out: ByteWriter): void {
    const kind = hint & KIND_MASK
    if (kind === RequestKind.FileData) return this.#writeFile(payload, out)
    if (this.#closing.length > 0) this.#writeClosing(out)
    if (kind === RequestKind.Prepared) return this.#writePrepared(payload, out)
    const isUpload = kind === RequestKind.LocalInfile
    if (this.#multi !== (kind === RequestKind.Multi)) {
      writeCommand(out, Command.SetOption, this.#multi ? 1 : 0, 0)
      this.#pending = { statement: undefined, isKept: false, isUpload, payload: Buffer.from(payload) }
      return this.#push(1, undefined)
    }
    out.copy(payload)
    this.#isUploading = isUpload
    this.#push(packetsIn(payload), undefined)
  }

  #writePrepared(payload: Uint8Array, out: ByteWriter): void {
    const length = u32(payload, PREPARED.length)
    const valuesAt = PREPARED.statement + length
    const known = this.#find(payload, length)
    if (known !== undefined) {
      known.usedAt = ++this.#uses
      return this.#push(this.#writeExecute(out, known, payload, valuesAt), known)
    }
    const hash = u32(payload, PREPARED.hash)
    const mayKeep = this.#max > 0 && length <= STATEMENTS.bytesMax && !this.#byHash.has(hash)
    const evicted = mayKeep && this.#byHash.size >= this.#max ? this.#leastUsed() : undefined
    const isKept = mayKeep && (this.#byHash.size < this.#max || evicted !== undefined)
    if (evicted !== undefined) {
      writeClose(out, evicted.id)
      this.#drop(evicted)
    }
    const copy = Buffer.from(payload)
    const text = copy.subarray(PREPARED.statement, valuesAt)
    const kept = isKept ? Buffer.from(text) : text
    const statement = { hash, text: kept, isPlain: isPlain(text), id: 0, values: 0, usedAt: ++this.#uses, waiting: 0 }
    const sequence = writePrepare(out, text)
    if (isKept) this.#byHash.set(hash, statement)
    this.#pending = { statement, isKept, isUpload: false, payload: copy }
    this.#push(sequence, statement)
  }

  /** Returns the sequence number that the reply begins with. */
  #writeExecute(out: ByteWriter, statement: Statement, payload: Uint8Array, valuesAt: number): number {
    if (u16(payload, PREPARED.values) === statement.values) return writeExecute(out, statement.id, payload, valuesAt)
    // One byte is no COM_STMT_EXECUTE: the server answers 1835 and does nothing.
    writeCommand(out, Command.StatementExecute)
    return 1
  }

  #writeFile(payload: Uint8Array, out: ByteWriter): void {
    const at = beginPacket(out)
    out.copy(payload)
    const next = endPacket(out, at, this.#fileSequence)
    this.#fileSequence = payload.length === 0 ? -1 : next
    if (payload.length === 0) this.#unanswered.setSequence(next)
  }

  #writeClosing(out: ByteWriter): void {
    for (const id of this.#closing) writeClose(out, id)
    this.#closing = []
  }

  /** Writes those that were held, up to the first that has to wait itself. */
  #release(out: ByteWriter): void {
    while (!this.isWaiting) {
      const held = this.#held.shift()
      if (held === undefined) return
      this.#write(held.payload, held.hint, out)
    }
  }

  #find(payload: Uint8Array, length: number): Statement | undefined {
    const known = this.#byHash.get(u32(payload, PREPARED.hash))
    if (known === undefined || !isSame(known.text, payload, PREPARED.statement, PREPARED.statement + length)) {
      return undefined
    }
    return known
  }

  /** Of those that nobody waits for. */
  #leastUsed(): Statement | undefined {
    let least: Statement | undefined
    for (const each of this.#byHash.values()) {
      if (each.waiting === 0 && (least === undefined || each.usedAt < least.usedAt)) least = each
    }
    return least
  }

  #drop(statement: Statement): void {
    if (this.#byHash.get(statement.hash) === statement) this.#byHash.delete(statement.hash)
  }

  #push(sequence: number, statement: Statement | undefined): void {
    this.#unanswered.push(sequence, statement)
    if (statement !== undefined) statement.waiting++
  }
}

/** Below this, a loop over the bytes beats the call into native code (as in core's ByteWriter). */
const LOOP_BYTES_MAX = 128
/** Statements that have none of their own inside: what the server refuses to begin has not begun. */
const PLAIN = /^\s*(?:select|insert|update|delete|replace|with)\b/i

function isSame(text: Buffer, payload: Uint8Array, from: number, to: number): boolean {
  const length = to - from
  if (text.length !== length) return false
  if (length > LOOP_BYTES_MAX) return text.compare(payload, from, to) === 0
  for (let index = 0; index < length; index++) if (text[index] !== payload[from + index]) return false
  return true
}

function isPlain(text: Buffer): boolean {
  return PLAIN.test(text.toString('latin1', 0, LOOP_BYTES_MAX))
}

function notEscaped(): LocalError {
  return new LocalError(
    'NO_BACKSLASH_ESCAPES',
    'values were escaped for a sql_mode without NO_BACKSLASH_ESCAPES, and this session has it: ' +
      'use query(), which prepares',
  )
}

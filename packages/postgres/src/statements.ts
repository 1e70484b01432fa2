/**
 * Statements that one connection has prepared, and what its unanswered requests rely on.
 *
 * Rules:
 * 1. A statement is parsed once per connection, however many requests for it are on their way: those behind the first
 *    only bind.
 * 2. A name is given once and never again, so that a reply can never be about another statement of the same name.
 * 3. Equal hashes are no proof: the bytes are compared. Of two statements with one hash, the second goes unnamed.
 * 4. What is known about the server changes only by what the server has answered, in its order.
 *
 * Theory of operation: `submit` turns the envelope of a `Prepared` request (codec/request.ts) into
 *
 *   [Close of who was evicted] [Parse] Bind Describe Execute Sync          answered by [3] [1] 2 T|n D* C|I|s|E ... Z
 *
 * Each request that will be answered by a ReadyForQuery has a place in `#marks`, a ring. The framer says what comes for
 * the oldest: `parsed` (1), `bound` (2), `failed` (E), `answered` (Z).
 *
 *   a Parse failed                 those that were bound to the name get 26000.
 *   26000, before BindComplete     the server does not have it (any more): its Parse failed, somebody said DEALLOCATE,
 *                                  a pooler has another server. The request is sent again (`stale`).
 *   0A000 of RevalidateCachedQuery, before BindComplete
 *                                  a table behind it has changed. Sent again; the name is closed with the next request.
 *
 * In each case the statement is suspect: requests for it go unnamed, each with a Parse and an error of its own, until
 * one is parsed. So what is sent again does not fail for the same reason. After BindComplete the statement has begun,
 * and nothing is called stale: it may have committed something.
 *
 * Limits: `statementsMax` statements; who was not used for longest goes, but nobody who is waited for. Statements
 * longer than `STATEMENTS.bytesMax` go unnamed every time, and all do where `prepare` is false.
 */
import type { ByteWriter } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { errorField } from './codec/errors.ts'
import { PREPARED, RequestKind } from './codec/request.ts'
import { MESSAGE_BYTES_MAX, STATEMENTS } from './limits.ts'

interface Statement {
  readonly hash: number
  /** As in Parse, after the name. */
  readonly bytes: Buffer
  readonly name: string
  /** By the count of requests. */
  usedAt: number
  /** Unanswered requests that rely on it. */
  waiting: number
  /** The server does not have it, or not in a shape that is of use: its name is not used any more. */
  isSuspect: boolean
}

/** Marks of an unanswered request. */
const IS_PREPARED = 1
const CARRIES_PARSE = 2
const WAS_PARSED = 4
const WAS_BOUND = 8

export class Statements {
  readonly #max: number
  readonly #byHash = new Map<number, Statement>()
  /** Names to be closed with the next request. */
  #closing: string[] = []
  #names = 0
  #uses = 0
  /** A ring of unanswered requests: marks, and the statement that each relies on. */
  #marks = new Uint8Array(RING_FIRST)
  #relied: (Statement | undefined)[] = new Array<Statement | undefined>(RING_FIRST).fill(undefined)
  #oldest = 0
  #count = 0
  /** The error of the oldest request that came last means that its statement is out of date. */
  isStale = false
  /** A caller has prepared or deallocated by name, in SQL. */
  tampered = false

  constructor(max: number, prepare: boolean) {
    this.#max = prepare ? max : 0
  }

  /** Statements that are kept, suspects among them. */
  get size(): number {
    return this.#byHash.size
  }

  /** Writes a request. Throws before anything has changed. */
  submit(payload: Uint8Array, hint: number, out: ByteWriter): void {
    switch (hint) {
      case RequestKind.Prepared:
        return this.#prepared(payload, out)
      case RequestKind.Plain:
      case RequestKind.CopyIn:
        checkMessages(payload)
        out.copy(payload)
        return this.#push(0, undefined)
      case RequestKind.Silent:
        checkMessages(payload)
        return out.copy(payload)
      default:
        throw new LocalError('PLUGIN', `a request of the kind ${hint}, which nobody knows`)
    }
  }

  /** ParseComplete, for the oldest request. */
  parsed(): void {
    if (this.#count === 0) return
    const at = this.#oldest
    this.#marks[at] = (this.#marks[at] as number) | WAS_PARSED
    const statement = this.#relied[at]
    // It can be parsed: the next request gives it a name.
    if (statement?.isSuspect === true) this.#drop(statement)
  }

  /** BindComplete, for the oldest request. */
  bound(): void {
    if (this.#count > 0) this.#marks[this.#oldest] = (this.#marks[this.#oldest] as number) | WAS_BOUND
  }

  /** ErrorResponse in bytes[start, end), for the oldest request. */
  failed(bytes: Buffer, start: number, end: number): void {
    this.isStale = false
    const marks = this.#count === 0 ? 0 : (this.#marks[this.#oldest] as number)
    if ((marks & IS_PREPARED) === 0 || (marks & WAS_BOUND) !== 0) return
    const statement = this.#relied[this.#oldest]
    if (statement === undefined) return
    if ((marks & CARRIES_PARSE) !== 0 && (marks & WAS_PARSED) === 0) {
      statement.isSuspect = true
      return
    }
    const code = errorField(bytes, start, end, 'C')
    const revalidated = code === '0A000' && errorField(bytes, start, end, 'R') === 'RevalidateCachedQuery'
    if (code !== '26000' && !revalidated) return
    if (revalidated && !statement.isSuspect) this.#closing.push(statement.name)
    statement.isSuspect = true
    this.isStale = true
  }

  /** ReadyForQuery: the oldest request is answered. */
  answered(): void {
    this.isStale = false
    if (this.#count === 0) return
    const statement = this.#relied[this.#oldest]
    if (statement !== undefined) statement.waiting--
    this.#relied[this.#oldest] = undefined
    this.#oldest = (this.#oldest + 1) & (this.#marks.length - 1)
    this.#count--
  }

  /** The command tag in bytes[start, end), where it begins like one of those that concern prepared statements. */
  tagged(bytes: Buffer, start: number, end: number): void {
    switch (bytes.toString('latin1', start, end)) {
      case 'DEALLOCATE ALL':
      case 'DISCARD ALL':
        return this.forgetAll()
      case 'DEALLOCATE':
      case 'PREPARE':
        this.tampered = true
    }
  }

  /** The server has dropped every statement. */
  forgetAll(): void {
    this.#byHash.clear()
    this.#closing = []
    this.tampered = false
  }

  #prepared(payload: Uint8Array, out: ByteWriter): void {
    const length = payload.length < PREPARED.statement ? -1 : u32(payload, PREPARED.length)
    const valuesAt = PREPARED.statement + length
    if (length < 0 || valuesAt > payload.length) throw new LocalError('PLUGIN', 'a request that is cut short')
    // Each message is shorter than what it is made of and this.
    if (payload.length + MESSAGE_OVERHEAD_BYTES > MESSAGE_BYTES_MAX) throw tooLarge()
    const hash = u32(payload, PREPARED.hash)
    const known = this.#byHash.get(hash)
    if (known !== undefined && isSame(known.bytes, payload, PREPARED.statement, valuesAt)) {
      this.#writeClosing(out)
      if (known.isSuspect) writeParse(out, '', payload, valuesAt)
      writeBind(out, known.isSuspect ? '' : known.name, payload, valuesAt)
      this.#closing = []
      known.usedAt = ++this.#uses
      return this.#push(known.isSuspect ? IS_PREPARED | CARRIES_PARSE : IS_PREPARED, known)
    }
    const mayKeep = known === undefined && this.#max > 0 && length <= STATEMENTS.bytesMax
    const isFull = this.#byHash.size >= this.#max
    const evicted = mayKeep && isFull ? this.#leastUsed() : undefined
    const isNamed = mayKeep && (!isFull || evicted !== undefined)
    const name = isNamed ? `iok${this.#names + 1}` : ''
    this.#writeClosing(out)
    if (evicted?.isSuspect === false) writeClose(out, evicted.name)
    writeParse(out, name, payload, valuesAt)
    writeBind(out, name, payload, valuesAt)
    this.#closing = []
    if (!isNamed) return this.#push(IS_PREPARED | CARRIES_PARSE, undefined)
    if (evicted !== undefined) this.#drop(evicted)
    const bytes = Buffer.from(payload.subarray(PREPARED.statement, valuesAt))
    const statement = { hash, bytes, name, usedAt: ++this.#uses, waiting: 0, isSuspect: false }
    this.#names++
    this.#byHash.set(hash, statement)
    this.#push(IS_PREPARED | CARRIES_PARSE, statement)
  }

  #writeClosing(out: ByteWriter): void {
    for (const name of this.#closing) writeClose(out, name)
  }

  /** Of those that nobody waits for: what happens to a request must be known to the next one for its statement. */
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

  #push(marks: number, statement: Statement | undefined): void {
    if (this.#count === this.#marks.length) this.#grow()
    const at = (this.#oldest + this.#count++) & (this.#marks.length - 1)
    this.#marks[at] = marks
    this.#relied[at] = statement
    if (statement !== undefined) statement.waiting++
  }

  #grow(): void {
    const size = this.#marks.length
    const marks = new Uint8Array(2 * size)
    const relied = new Array<Statement | undefined>(2 * size).fill(undefined)
    for (let index = 0; index < size; index++) {
      const at = (this.#oldest + index) & (size - 1)
      marks[index] = this.#marks[at] as number
      relied[index] = this.#relied[at]
    }
    this.#marks = marks
    this.#relied = relied
    this.#oldest = 0
  }
}

/** A power of two: twice the window of a shared lane. */
const RING_FIRST = 32
/** Type, length, two names and their ends: more than any message of ours adds. */
const MESSAGE_OVERHEAD_BYTES = 64

/** Below this, a loop over the bytes beats the call into native code. */
const LOOP_BYTES_MAX = 128

/** Describe the unnamed portal, Execute all of it, Sync. */
const DESCRIBE_EXECUTE_SYNC = Buffer.from('D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04', 'latin1')
const BIND = 66
const CLOSE = 67
const PARSE = 80
const STATEMENT = 83

function writeClose(out: ByteWriter, name: string): void {
  out.u8(CLOSE)
  out.u32be(4 + 1 + name.length + 1)
  out.u8(STATEMENT)
  writeName(out, name)
}

function writeParse(out: ByteWriter, name: string, payload: Uint8Array, valuesAt: number): void {
  out.u8(PARSE)
  out.u32be(4 + name.length + 1 + valuesAt - PREPARED.statement)
  writeName(out, name)
  out.copyRange(payload, PREPARED.statement, valuesAt)
}

/** The path of every call: room is made once, and bytes are set without asking again. */
function writeBind(out: ByteWriter, name: string, payload: Uint8Array, valuesAt: number): void {
  const valuesEnd = payload.length
  const length = 4 + 1 + name.length + 1 + valuesEnd - valuesAt
  out.ensure(1 + length + DESCRIBE_EXECUTE_SYNC.length)
  const bytes = out.bytes
  let at = out.position
  bytes[at++] = BIND
  bytes[at++] = length >>> 24
  bytes[at++] = length >>> 16
  bytes[at++] = length >>> 8
  bytes[at++] = length
  bytes[at++] = 0
  for (let index = 0; index < name.length; index++) bytes[at++] = name.charCodeAt(index)
  bytes[at++] = 0
  if (valuesEnd - valuesAt > LOOP_BYTES_MAX) {
    bytes.set(payload.subarray(valuesAt, valuesEnd), at)
    at += valuesEnd - valuesAt
  } else for (let index = valuesAt; index < valuesEnd; index++) bytes[at++] = payload[index] as number
  for (let index = 0; index < DESCRIBE_EXECUTE_SYNC.length; index++)
    bytes[at++] = DESCRIBE_EXECUTE_SYNC[index] as number
  out.position = at
}

function isSame(statement: Buffer, payload: Uint8Array, from: number, to: number): boolean {
  const length = to - from
  if (statement.length !== length) return false
  if (length > LOOP_BYTES_MAX) return statement.compare(payload, from, to) === 0
  for (let index = 0; index < length; index++) if (statement[index] !== payload[from + index]) return false
  return true
}

function writeName(out: ByteWriter, name: string): void {
  out.ascii(name)
  out.u8(0)
}

/** Messages lie end to end, and none says that it is longer than the server would read. */
function checkMessages(payload: Uint8Array): void {
  let at = 0
  while (at + 5 <= payload.length) {
    const length = u32(payload, at + 1)
    if (length > MESSAGE_BYTES_MAX) throw tooLarge()
    if (length < 4) break
    at += 1 + length
  }
  if (at !== payload.length) throw new LocalError('PLUGIN', 'a request whose lengths do not add up')
}

function tooLarge(): LocalError {
  return new LocalError(
    'REQUEST_TOO_LARGE',
    'one message to the server has at most 1 GB: split the statement or its values',
  )
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}

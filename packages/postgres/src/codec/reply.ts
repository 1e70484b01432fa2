/**
 * Replies: everything the server says up to ReadyForQuery, as results.
 *
 * Rules:
 * 1. The framer has checked every length, and that the reply ends where it says; what is checked here is what lies
 *    inside a message.
 * 2. Notices, parameters and notifications may lie anywhere and are passed over: the I/O half has seen them.
 * 3. The first error is the answer; what came before it is dropped, for the server has undone it.
 * 4. On a shared connection the transaction status must be idle afterwards. If it is not, somebody's BEGIN slipped
 *    through, and he is told; the I/O half drops the connection.
 */
import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import { type PostgresError, postgresError } from './errors.ts'
import { type RowReader, Rows } from './rows.ts'
import type { Statement } from './statement.ts'

/** A reply's messages, put together. One is used for one reply. */
export class Reply {
  /** One for each statement that completed. */
  readonly results: Rows<unknown>[] = []
  error: PostgresError | undefined
  /** Of ReadyForQuery: `I`, `T` or `E`. 0 while it is outstanding. */
  status = 0
  /** The portal has more rows. */
  suspended = false
  readonly #statement: Statement
  readonly #asArrays: boolean
  #rows: Rows<unknown> | undefined
  #reader: RowReader | undefined

  /** `reader`: where the rows were described in an earlier reply. */
  constructor(statement: Statement, asArrays: boolean, reader?: RowReader) {
    this.#statement = statement
    this.#asArrays = asArrays
    this.#reader = reader
  }

  /** Reads whole messages in bytes[start, end). */
  read(bytes: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      if (bytes[at] === Message.DataRow) {
        at = this.#dataRows(bytes, at, end)
        continue
      }
      const next = messageEnd(bytes, at, end)
      this.#message(bytes[at] as number, bytes, at, next)
      at = next
    }
  }

  /** For a reply that is read in pieces: the rows since the last time. */
  takeRows(): readonly unknown[] {
    const rows = this.results.pop() ?? this.#rows ?? NO_ROWS
    this.#rows = undefined
    return rows
  }

  /** As many rows as follow one another. */
  #dataRows(bytes: Buffer, start: number, end: number): number {
    const reader = this.#reader
    if (reader === undefined) throw new RemoteProtocolError('a row without a description')
    this.#rows ??= new Rows<unknown>()
    const rows = this.#rows
    let at = start
    // Assigned and not pushed: to a class of one's own, push() is seven times slower.
    let count = rows.length
    if (this.#asArrays) {
      while (at < end && bytes[at] === Message.DataRow) {
        const next = messageEnd(bytes, at, end)
        rows[count++] = reader.array(bytes, at, next)
        at = next
      }
      return at
    }
    while (at < end && bytes[at] === Message.DataRow) {
      const next = messageEnd(bytes, at, end)
      rows[count++] = reader.object(bytes, at, next)
      at = next
    }
    return at
  }

  #message(type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case Message.ParseComplete:
      case Message.BindComplete:
      case Message.CloseComplete:
      case Message.NoData:
      case Message.Notice:
      case Message.ParameterStatus:
      case Message.Notification:
      case Message.CopyInResponse:
      case Message.CopyOutResponse:
      case Message.CopyData:
      case Message.CopyDone:
        return
      case Message.RowDescription:
        this.#reader = this.#statement.reader(bytes, start, end)
        return
      case Message.CommandComplete:
        this.#complete(bytes, start, end)
        return
      case Message.EmptyQuery:
        this.#finish('', 0)
        return
      case Message.PortalSuspended:
        this.suspended = true
        this.#finish('', 0)
        return
      case Message.Error:
        this.error ??= postgresError(bytes, start, end)
        return
      case Message.ReadyForQuery:
        this.status = bytes[start + HEADER_BYTES] as number
        return
      default:
        throw new RemoteProtocolError(`a message of type ${type} in a reply`)
    }
  }

  /** `SELECT 5`, `INSERT 0 5`, `CREATE TABLE`. */
  #complete(bytes: Buffer, start: number, end: number): void {
    const from = start + HEADER_BYTES
    let at = end - 1
    let count = 0
    let scale = 1
    while (at > from && isDigit(bytes[at - 1] as number)) {
      count += ((bytes[--at] as number) - ZERO) * scale
      scale *= 10
    }
    // Digits that are no word of their own belong to the command.
    const counts = scale > 1 && bytes[at - 1] === SPACE
    this.#finish(commandIn(bytes, from, counts ? at - 1 : end - 1), counts ? count : 0)
  }

  #finish(command: string, count: number): void {
    const rows = this.#rows ?? new Rows<unknown>()
    if (this.#reader === undefined) Rows.complete(rows, command, count, [])
    else Rows.complete(rows, command, count, this.#reader.fields)
    this.results.push(rows)
    this.#rows = undefined
    this.#reader = undefined
  }
}

/** The results of a whole reply, or its error. */
export function resultsIn(
  bytes: Buffer,
  start: number,
  end: number,
  statement: Statement,
  asArrays: boolean,
): Rows<unknown>[] {
  const reply = new Reply(statement, asArrays)
  reply.read(bytes, start, end)
  return checked(reply).results
}

/** Throws the error of a reply, or that it has no end. */
export function checked(reply: Reply): Reply {
  if (reply.error !== undefined) throw reply.error
  if (reply.status === 0) throw new RemoteProtocolError('a reply without ReadyForQuery')
  return reply
}

/** The only result there is; an error where there are more or none. */
export function onlyResult(results: readonly Rows<unknown>[]): Rows<unknown> {
  if (results.length !== 1) throw new RemoteProtocolError(`${results.length} results where there is one statement`)
  return results[0] as Rows<unknown>
}

/** For calls on a shared connection. */
export function refuseOpenTransaction(reply: Reply): void {
  if (reply.status === Status.Idle) return
  throw new LocalError(
    'TRANSACTION_LEFT_OPEN',
    'the statement left a transaction open on a shared connection, which is dropped: use db.transaction()',
    { sent: 'maybe' },
  )
}

/** Where the message at `at` ends. */
export function messageEnd(bytes: Buffer, at: number, end: number): number {
  const length =
    ((bytes[at + 1] as number) << 24) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 8) |
    (bytes[at + 4] as number)
  const next = at + 1 + length
  if (length < 4 || next > end) throw new RemoteProtocolError('a reply ends inside a message')
  return next
}

/** The usual ones without a string made anew. */
function commandIn(bytes: Buffer, start: number, end: number): string {
  const tag = USUAL.get((bytes[start] as number) * TAG_BYTES_MAX + (end - start))
  const text = tag !== undefined && isText(bytes, start, tag) ? tag : bytes.toString('latin1', start, end)
  // INSERT alone has a number before its count: an OID, always 0 since version 12.
  return text.startsWith('INSERT ') ? 'INSERT' : text
}

function isText(bytes: Buffer, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false
  return true
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 57
}

export const Message = {
  ParseComplete: 49,
  BindComplete: 50,
  CloseComplete: 51,
  Notification: 65,
  CommandComplete: 67,
  DataRow: 68,
  Error: 69,
  CopyInResponse: 71,
  CopyOutResponse: 72,
  EmptyQuery: 73,
  Notice: 78,
  ParameterStatus: 83,
  RowDescription: 84,
  ReadyForQuery: 90,
  CopyDone: 99,
  CopyData: 100,
  NoData: 110,
  PortalSuspended: 115,
} as const

export const Status = { Idle: 73 } as const

/** Type byte and length. */
export const HEADER_BYTES = 5
const ZERO = 48
const SPACE = 32
const NO_ROWS: readonly unknown[] = []
/** More than any of the usual ones has. */
const TAG_BYTES_MAX = 64
/** By their first letters and lengths, which tell them apart. */
const USUAL: ReadonlyMap<number, string> = new Map(
  ['SELECT', 'INSERT 0', 'UPDATE', 'DELETE', 'BEGIN', 'COMMIT', 'ROLLBACK'].map((tag) => [
    tag.charCodeAt(0) * TAG_BYTES_MAX + tag.length,
    tag,
  ]),
)

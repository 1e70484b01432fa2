/**
 * The server's errors: ErrorResponse taken apart, and what one means to a connection.
 *
 * Rules:
 * 1. Programs match on `code`, which is the SQLSTATE (`23505`). Messages are for people and come in the language of the
 *    server (`lc_messages`); no verdict depends on one.
 * 2. The message is the server's primary message (`M`) and nothing else. `detail`, `where` and `internalQuery` may hold
 *    values and stay in fields of their own, which are not copied to `fields` and do not show in a stack.
 * 3. A verdict depends on the severity, the SQLSTATE and the routine. What was outstanding matters too: that part is
 *    in `statements.ts`.
 *
 * Theory of operation: the body of an ErrorResponse is a list of fields, each a letter and a text that ends in NUL; a
 * NUL in place of a letter ends it (documentation, chapter "Error and Notice Message Fields"). Reading never goes past
 * the end of the frame, whatever the frame says.
 *
 * Limits: texts are read as UTF-8, which `client_encoding` makes them once the handshake is over. Before, a server may
 * use its own encoding; only the ASCII fields are looked at there.
 */
import type { Verdict } from '@iokernel/core/plugin'
import { RemoteError } from '@iokernel/core/plugin'

/** The fields of an ErrorResponse by their letters; the first wins where one comes twice. */
export type ErrorFields = ReadonlyMap<string, string>

/**
 * An ErrorResponse. `code` is the SQLSTATE; a server or proxy that sends none gives `XX000` (internal error).
 *
 * `message` is what the server says, without the fields around it. For a few errors (22P02, "invalid input syntax") it
 * quotes the value that was wrong.
 */
export class PostgresError extends RemoteError {
  /** The same as `code`. */
  readonly sqlState: string
  /** `ERROR`, `FATAL` or `PANIC`: not translated where the server says it so (9.6 and later). */
  readonly severity: string
  /** May hold values of the row or the statement. */
  readonly detail: string | undefined
  readonly hint: string | undefined
  /** Of the character in the statement, from 1. */
  readonly position: number | undefined
  readonly internalPosition: number | undefined
  readonly internalQuery: string | undefined
  /** The call stack in the server's functions. May hold values. */
  readonly where: string | undefined
  readonly schema: string | undefined
  readonly table: string | undefined
  readonly column: string | undefined
  readonly dataType: string | undefined
  readonly constraint: string | undefined
  /** In the server's sources. */
  readonly file: string | undefined
  readonly line: string | undefined
  readonly routine: string | undefined

  constructor(fields: ErrorFields, details: ConstructorParameters<typeof RemoteError>[2] = {}) {
    const sqlState = sqlStateIn(fields)
    super(sqlState, fields.get('M') ?? 'the server reported an error without a message', details)
    this.name = 'PostgresError'
    this.sqlState = sqlState
    this.severity = severityIn(fields)
    this.detail = fields.get('D')
    this.hint = fields.get('H')
    this.position = numberOf(fields.get('P'))
    this.internalPosition = numberOf(fields.get('p'))
    this.internalQuery = fields.get('q')
    this.where = fields.get('W')
    this.schema = fields.get('s')
    this.table = fields.get('t')
    this.column = fields.get('c')
    this.dataType = fields.get('d')
    this.constraint = fields.get('n')
    this.file = fields.get('F')
    this.line = fields.get('L')
    this.routine = fields.get('R')
  }
}

/** Builds the error from an ErrorResponse (or NoticeResponse) frame in bytes[start, end), its type byte included. */
export function postgresError(bytes: Buffer, start: number, end: number): PostgresError {
  return new PostgresError(errorFields(bytes, start, end))
}

export function errorFields(bytes: Buffer, start: number, end: number): ErrorFields {
  const fields = new Map<string, string>()
  let at = start + HEADER_BYTES
  while (at < end && bytes[at] !== 0) {
    const letter = String.fromCharCode(bytes[at] as number)
    const stop = textEnd(bytes, at + 1, end)
    if (!fields.has(letter)) fields.set(letter, bytes.toString('utf8', at + 1, stop))
    at = stop + 1
  }
  return fields
}

/**
 * One field of an ErrorResponse frame, read as latin1 and without reading the others; undefined where it is missing.
 * For the fields that are ASCII: severity (`V`), SQLSTATE (`C`), routine (`R`).
 */
export function errorField(bytes: Buffer, start: number, end: number, letter: string): string | undefined {
  const wanted = letter.charCodeAt(0)
  let at = start + HEADER_BYTES
  while (at < end && bytes[at] !== 0) {
    const stop = textEnd(bytes, at + 1, end)
    if (bytes[at] === wanted) return bytes.toString('latin1', at + 1, stop)
    at = stop + 1
  }
  return undefined
}

/** True when the server ends the connection after this ErrorResponse. */
export function isFatal(bytes: Buffer, start: number, end: number): boolean {
  // `V` is never translated; servers before 9.6, and some proxies, have `S` alone.
  const severity = errorField(bytes, start, end, 'V') ?? errorField(bytes, start, end, 'S')
  return severity === 'FATAL' || severity === 'PANIC'
}

/** What an ErrorResponse frame means to the kernel, whatever was asked. */
export function classify(bytes: Buffer, start: number, end: number): Verdict {
  // Nothing that begins otherwise is an error of the server's.
  if (bytes[start] !== ERROR) return 'call'
  if (isFatal(bytes, start, end)) return 'retire'
  switch (errorField(bytes, start, end, 'C')) {
    // We took it for the primary, and it takes no writes: what is behind it in the queue would fail the same way.
    case '25006':
      return 'role-lost'
    // The server ran out of memory or of connections for work of its own (parallel workers): less would fit.
    case '53200':
    case '53300':
      return 'overloaded'
    // An operator or a restart ends it, and so does a crash of a neighbour.
    case '57P01':
    case '57P02':
    case '57P03':
      return 'retire'
    // Everything else is about this call: syntax, constraints, conflicts (40001, 40P01), cancels and timeouts (57014).
    // Also 08P01, which a Bind with a parameter too few gets; a server that has lost its place says so with FATAL.
    default:
      return 'call'
  }
}

/** Type byte and length. */
const HEADER_BYTES = 5
const ERROR = 69
const SQL_STATE = /^[0-9A-Z]{5}$/

function textEnd(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] !== 0) at++
  return at
}

function sqlStateIn(fields: ErrorFields): string {
  const text = fields.get('C') ?? ''
  return SQL_STATE.test(text) ? text : 'XX000'
}

function severityIn(fields: ErrorFields): string {
  return fields.get('V') ?? fields.get('S') ?? 'ERROR'
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number(text)
  return text !== undefined && Number.isSafeInteger(number) ? number : undefined
}

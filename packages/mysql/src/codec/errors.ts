/**
 * The server's errors: an ERR packet taken apart, and what one means to a connection.
 *
 * Rules:
 * 1. Programs match on `code`, which is the error's number as text (`1062`); `sqlState` is coarser, and `HY000` for
 *    most. Messages are for people and come in the language of the server (`lc_messages`); no verdict depends on one.
 * 2. A verdict depends on the number. What was outstanding matters too: that part is in `statements.ts`.
 *
 * Theory of operation (documentation, "ERR_Packet"):
 *
 *   | header, 4 bytes | FF | number u16 | '#' | SQLSTATE, 5 bytes | message …      '#' and SQLSTATE are missing before
 *                                                                                   the handshake is over
 *
 * Numbers below 2000 are shared by MySQL and MariaDB but for some at the end; from 1900 on MariaDB has its own, from
 * 3000 on MySQL. Reading never goes past the end of the frame, whatever the frame says.
 */
import type { Verdict } from '@iokernel/core/plugin'
import { RemoteError } from '@iokernel/core/plugin'
import { ERR, HEADER_BYTES, u16 } from './packet.ts'

/**
 * An ERR packet. `message` is the server's. For some errors (1062, "duplicate entry") it quotes a value; that is the
 * server's text, kept because nobody could do without.
 */
export class MysqlError extends RemoteError {
  /** The number that `code` is the text of: 1062. */
  readonly errno: number
  /** `23000`; `HY000` where the server says none. */
  readonly sqlState: string

  constructor(
    errno: number,
    sqlState: string,
    text: string,
    details: ConstructorParameters<typeof RemoteError>[2] = {},
  ) {
    super(String(errno), text === '' ? 'the server reported an error without a message' : text, details)
    this.name = 'MysqlError'
    this.errno = errno
    this.sqlState = sqlState
  }
}

/** True when the packet in bytes[start, end), header included, is an ERR packet. */
export function isError(bytes: Buffer, start: number, end: number): boolean {
  return end - start >= ERROR_BYTES_MIN && bytes[start + HEADER_BYTES] === ERR
}

/** Builds the error from the ERR packet in bytes[start, end), header included. */
export function mysqlError(bytes: Buffer, start: number, end: number): MysqlError {
  const hasState = bytes[start + STATE] === MARKER && end - start >= TEXT
  const state = hasState ? bytes.toString('latin1', start + STATE + 1, start + TEXT) : ''
  const text = bytes.toString('utf8', hasState ? start + TEXT : Math.min(start + STATE, end), end)
  return new MysqlError(errorNumber(bytes, start, end), SQL_STATE.test(state) ? state : 'HY000', text)
}

/** The number of the ERR packet in bytes[start, end), header included; 0 where that is none. */
export function errorNumber(bytes: Buffer, start: number, end: number): number {
  return isError(bytes, start, end) ? u16(bytes, start + HEADER_BYTES + 1) : 0
}

/** True when the server ends the connection after this error. */
export function isFarewell(errno: number): boolean {
  return FAREWELLS.has(errno)
}

/** What a server says before it goes, to nobody. */
export function farewell(errno: number): RemoteError {
  return new RemoteError(
    String(errno),
    `the server ended the connection: ${REASONS[errno] ?? 'it gave no reason'} (${errno})`,
  )
}

/** What an ERR packet means to the kernel, whatever was asked. */
export function classify(bytes: Buffer, start: number, end: number): Verdict {
  const errno = errorNumber(bytes, start, end)
  if (FAREWELLS.has(errno)) return 'retire'
  switch (errno) {
    // An option forbids it. It is news only of --read-only and --super-read-only; --secure-file-priv says the same.
    case 1290:
      return READ_ONLY.test(bytes.toString('latin1', start + STATE, end)) ? 'role-lost' : 'call'
    // A transaction that takes no writes because the server starts them so; a server that takes none.
    case 1792:
    case 1836:
      return 'role-lost'
    // Too many connections, of all or of this user.
    case 1040:
    case 1203:
      return 'overloaded'
    // Everything else is about this call: syntax, constraints, deadlocks (1213), lock waits (1205), KILL QUERY (1317).
    default:
      return 'call'
  }
}

/** FF, number. */
const ERROR_BYTES_MIN = HEADER_BYTES + 3
const STATE = HEADER_BYTES + 3
const TEXT = STATE + 6
const MARKER = 35
/** The name of the option, which is in no language. */
const READ_ONLY = /read[-_]only/i
const SQL_STATE = /^[0-9A-Z]{5}$/

/**
 * The server shuts down (1053), has closed the connection (1080, 1152, 1184), killed it (1927 of MariaDB; 3169 of
 * MySQL), or had nothing to do for too long (4031), or goes into a state in which it takes nothing (3032).
 */
const FAREWELLS: ReadonlySet<number> = new Set([1053, 1080, 1152, 1184, 1927, 3032, 3169, 4031])

const REASONS: { readonly [errno: number]: string | undefined } = {
  1053: 'it shuts down',
  1927: 'somebody killed it',
  3032: 'it is offline',
  3169: 'somebody killed it',
  4031: 'nothing was asked of it for too long (wait_timeout)',
}

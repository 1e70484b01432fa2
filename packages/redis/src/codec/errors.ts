/**
 * The server's errors, and what they mean to a connection.
 *
 * Rules: the first word of an error is its code when it is spelled like one (`WRONGTYPE`); an error that a script
 * made up out of prose has the code `ERR`. A verdict depends on the code alone, but for two codes that Redis uses for
 * two things.
 */
import type { Verdict } from '@iokernel/core/plugin'
import { RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'

/** An error reply. `code` is its first word (`WRONGTYPE`, `NOSCRIPT`, `ERR`), `message` the rest. */
export class RedisError extends RemoteError {
  constructor(code: string, message: string, details: ConstructorParameters<typeof RemoteError>[2] = {}) {
    super(code, message, details)
    this.name = 'RedisError'
  }
}

/** Builds the error from its text, without type byte and CRLF. */
export function redisError(text: string): RedisError {
  const code = errorCode(text)
  if (code === '') return new RedisError('ERR', text)
  return new RedisError(code, text.slice(code.length + 1))
}

/** The first word where it is spelled like a code, else an empty string. */
export function errorCode(text: string): string {
  const space = text.indexOf(' ')
  const word = space < 0 ? text : text.slice(0, space)
  return CODE.test(word) ? word : ''
}

/** The text of the error frame `-...` or `!n ...` in bytes[start, end). */
export function errorText(bytes: Buffer, start: number, end: number): string {
  let from = start + 1
  if (bytes[start] === BLOB_ERROR) from = Math.min(end, bytes.indexOf(10, start) + 1)
  return bytes.toString('utf8', from, Math.max(from, end - 2))
}

export function classify(bytes: Buffer, start: number, end: number): Verdict {
  // Codes are short; the text after them matters for two.
  const text = errorText(bytes, start, Math.min(end, start + TEXT_BYTES_MAX))
  switch (errorCode(text)) {
    // We took it for the primary and it is a replica: what is behind it in the queue would fail the same way.
    case 'READONLY':
      return 'role-lost'
    // A blocked call was thrown out: by an operator (CLIENT UNBLOCK, this call only) or because the server became a
    // replica.
    case 'UNBLOCKED':
      return text.includes('instance state changed') ? 'role-lost' : 'call'
    // Refused before execution, and expected to pass: the data set is being loaded; a replica without its primary; a
    // slot that nobody serves or that is on its way. In a MULTI batch the refusal aborts the whole, so it holds for
    // all of it.
    case 'LOADING':
    case 'MASTERDOWN':
    case 'CLUSTERDOWN':
    case 'TRYAGAIN':
      return 'not-executed'
    // The password was changed under us: nothing on this connection will succeed before another handshake.
    case 'NOAUTH':
      return 'retire'
    // A script holds the server. It did nothing, but sending it more would not help either.
    case 'BUSY':
      return 'overloaded'
    // The server closes after it; what is behind it is lost.
    case 'ERR':
      return text.startsWith('ERR Protocol error') ? 'retire' : 'call'
    // Everything else is about this call: WRONGTYPE, NOSCRIPT, EXECABORT, BUSYGROUP, NOPERM, CROSSSLOT; MOVED and
    // ASK, which the caller has to follow; OOM, MISCONF and NOREPLICAS, where reads still work and only an operator
    // can help.
    default:
      return 'call'
  }
}

/** The error for an error frame that answers no request: what Redis says before it closes a connection, or a fault. */
export function lastWord(bytes: Buffer, start: number, end: number): RemoteError {
  const text = errorText(bytes, start, Math.min(end, start + TEXT_BYTES_MAX))
  if (!LAST_WORDS.some((known) => text.startsWith(known))) return new RemoteProtocolError('an error to no request')
  const space = text.indexOf(' ')
  return new RemoteError(text.slice(0, space), `the server ended the connection: ${text.slice(space + 1)}`)
}

const LAST_WORDS = ['ERR max number of clients', 'ERR Protocol error', 'DENIED ', 'NOAUTH ', 'LOADING ']

const BLOB_ERROR = 33
/** Code and the words that tell the two meanings apart; longer errors are not read further. */
const TEXT_BYTES_MAX = 256
const CODE = /^[A-Z][A-Z0-9_-]*$/

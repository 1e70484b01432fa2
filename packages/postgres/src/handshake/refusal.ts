/**
 * What an ErrorResponse means while a connection begins.
 *
 * Rules:
 * 1. A refusal that needs a person (password, user, database, permission, a parameter that does not exist) is a
 *    `RefusedError`; one that passes by itself (starting up, shutting down, too many connections) a `RemoteError`,
 *    after which the kernel tries again.
 * 2. The server's words hold the names of users and databases, and before authentication they are anybody's words: the
 *    message is ours, and `code` is the SQLSTATE.
 */
import { RefusedError, RemoteError } from '@iokernel/core/plugin'
import { errorField } from '../codec/errors.ts'

/** `frame` is a whole ErrorResponse, type byte included. */
export function refusal(frame: Buffer, step: string): RemoteError {
  const code = codeOf(frame)
  const advice = ADVICE[code]
  if (advice !== undefined || code.startsWith('28')) {
    return new RefusedError(code, `${step}: ${advice ?? 'the server does not let this user in'} (SQLSTATE ${code})`)
  }
  const reason = PASSING[code] ?? 'the server reported an error'
  return new RemoteError(code, `${step}: ${reason} (SQLSTATE ${code})`, { sent: 'no' })
}

/** The SQLSTATE; XX000 for what is none. */
export function codeOf(frame: Buffer): string {
  const code = errorField(frame, 0, frame.length, 'C') ?? ''
  return /^[0-9A-Z]{5}$/.test(code) ? code : 'XX000'
}

/** Those that need a person. */
const ADVICE: { readonly [code: string]: string | undefined } = {
  '28P01': 'wrong password, or no such user',
  '28000': 'the server does not let this user in from here: see pg_hba.conf, the user name, and sslmode',
  '3D000': 'there is no such database',
  '42501': 'the user may not connect to this database',
  '55000': 'the database takes no connections (datallowconn)',
  '42704': 'the server does not know a parameter of this target',
  '22023': 'the server does not accept the value of a parameter of this target',
  '0A000': 'the server does not speak this version of the protocol, or a parameter of this target',
}

/** Those that pass. */
const PASSING: { readonly [code: string]: string | undefined } = {
  '53300': 'the server has no connection left (max_connections)',
  '53400': 'the server has reached a limit of its configuration',
  '57P01': 'the server is shutting down',
  '57P02': 'the server has crashed and recovers',
  '57P03': 'the server is starting up or shutting down',
  '08P01': 'the server, or what stands before it, did not understand what was sent',
}

/** What Postgres's errors mean over HTTP, by SQLSTATE, where the general rule (502) would blame the server. */
import type { IoKernelError } from '@iokernel/core'
import { PostgresError } from '@iokernel/postgres'

export function postgresStatusOf(error: IoKernelError): number | undefined {
  if (!(error instanceof PostgresError)) return undefined
  return STATUSES.get(error.code) ?? CLASSES.get(error.code.slice(0, 2))
}

/** What the server thinks of a row that a client has sent: the request was well-formed, its content is not. */
const UNPROCESSABLE = 422

const STATUSES: ReadonlyMap<string, number> = new Map([
  ['23505', 409],
  ['23502', UNPROCESSABLE],
  ['23514', UNPROCESSABLE],
  // Cancelled by a timeout of the server's.
  ['57014', 504],
  ['53100', 507],
  // A lock was not to be had in time; a standby that takes no writes yet.
  ['55P03', 503],
  ['25006', 503],
  ['25P03', 503],
])

const CLASSES: ReadonlyMap<string, number> = new Map([
  // Data: digits that are none, a number too large, bytes that are no text, a file that is no CSV.
  ['22', UNPROCESSABLE],
  // Conflicts that outlived their retries; resources; an operator; connections.
  ['40', 503],
  ['53', 503],
  ['57', 503],
  ['08', 503],
])

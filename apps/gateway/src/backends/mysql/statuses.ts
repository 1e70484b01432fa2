/** What MySQL's errors mean over HTTP, by their number, where the general rule (502) would blame the server. */
import type { IoKernelError } from '@iokernel/core'
import { MysqlError } from '@iokernel/mysql'

export function mysqlStatusOf(error: IoKernelError): number | undefined {
  // A deadlock that was found at the end.
  if (error.code === 'TRANSACTION_ROLLED_BACK') return 503
  return error instanceof MysqlError ? STATUSES.get(error.errno) : undefined
}

/** What the server thinks of a row that a client has sent: the request was well-formed, its content is not. */
const UNPROCESSABLE = 422

const STATUSES: ReadonlyMap<number, number> = new Map([
  [1062, 409],
  // No value, one too long, one out of range, a check that fails (MySQL's, MariaDB's).
  [1048, UNPROCESSABLE],
  [1406, UNPROCESSABLE],
  [1264, UNPROCESSABLE],
  [3819, UNPROCESSABLE],
  [4025, UNPROCESSABLE],
  // A disk that is full, a table that is.
  [1021, 507],
  [1114, 507],
  // Cancelled by a timeout of the server's (MySQL's, MariaDB's).
  [3024, 504],
  [1969, 504],
  // Conflicts that outlived their retries; too many connections; a server that takes no writes, or ends.
  [1205, 503],
  [1213, 503],
  [1040, 503],
  [1203, 503],
  [1290, 503],
  [1792, 503],
  [1836, 503],
  [1053, 503],
])

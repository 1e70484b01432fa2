/**
 * What an ERR packet means while a connection begins.
 *
 * Rules:
 * 1. A refusal that needs a person (password, user, host, database, permission, a variable that does not exist) is a
 *    `RefusedError`; one that passes by itself (shutting down, too many connections) a `RemoteError`, after which the
 *    kernel tries again.
 * 2. The server's words hold the names of users, hosts and databases, and before authentication they are anybody's
 *    words: the message is ours, and `code` is the number.
 */
import { RefusedError, RemoteError } from '@iokernel/core/plugin'

export function refusal(errno: number, step: string): RemoteError {
  const code = String(errno)
  const advice = ADVICE[errno]
  if (advice !== undefined) return new RefusedError(code, `${step}: ${advice} (error ${code})`)
  const reason = PASSING[errno] ?? 'the server reported an error'
  return new RemoteError(code, `${step}: ${reason} (error ${code})`, { sent: 'no' })
}

/** Those that need a person. */
const ADVICE: { readonly [errno: number]: string | undefined } = {
  1044: 'the user may not use this database',
  1045: 'wrong password, or no such user from here',
  1049: 'there is no such database',
  1115: 'the server does not know the character set',
  1129: 'the server has blocked this host after many failures: FLUSH HOSTS, or see max_connect_errors',
  1130: 'the server lets nobody in from this host',
  1193: 'the server does not know a variable of this target',
  1227: 'the user may not set a variable of this target',
  1231: 'the server does not accept the value of a variable of this target',
  1238: 'a variable of this target cannot be set for a session',
  1251: 'the server asks for an authentication that was not offered',
  1253: 'the collation of this target is of another character set',
  1273: 'the server does not know the collation of this target',
  1275: 'the server has only a password of the kind before 4.1',
  1524: 'the server lacks the authentication plugin of this user',
  1698: 'this user has no password: the server knows him by the account of the operating system, over the socket alone',
  1820: 'the password has to be changed before anything else',
  1862: 'the password has expired',
  3118: 'the account is locked',
  3159: 'the server takes TLS alone (require_secure_transport): use sslmode=require',
  4151: 'the account is locked',
}

/** Those that pass. */
const PASSING: { readonly [errno: number]: string | undefined } = {
  1040: 'the server has no connection left (max_connections)',
  1053: 'the server is shutting down',
  1158: 'the server did not hear from us in time',
  1159: 'the server did not hear from us in time',
  1203: 'the user has no connection left (max_user_connections)',
  1226: 'the user has reached a limit of the account',
  3032: 'the server is offline',
}

/**
 * How a connection becomes encrypted before anything is said on it (documentation, "SSL Session Encryption").
 *
 *   SSLRequest  ->  S   TLS begins; a byte that came with the S is an attack (CVE-2021-23222), which the kernel ends
 *                   N   no TLS: goes on in the clear only where `sslmode` says that this will do
 *                   E   an error of a server that is too old, or too busy, to answer with a letter
 *
 * Rules: GSS encryption is never asked for. A unix socket is never encrypted, whatever `sslmode` says, as with libpq.
 * With `sslnegotiation=direct` the kernel has encrypted the connection before this begins.
 *
 * Limits: `allow` would be the clear first, and TLS on a second connection where the server insists; it does as
 * `prefer` does. A failure of TLS itself ends the connection: it is not tried again in the clear, not even for
 * `prefer`.
 */
import type { Place, Script } from '@iokernel/core/plugin'
import { RefusedError, RemoteProtocolError, read, send, upgradeTls } from '@iokernel/core/plugin'
import type { SslMode } from '../io.ts'
import { refusal } from './refusal.ts'

/** Returns the server's certificate (DER); undefined in the clear. */
export function* encrypt(mode: SslMode, place: Place): Script<Uint8Array | undefined> {
  if (place.encrypted) return yield* upgradeTls()
  if (mode === 'disable' || place.endpoint.port === 0) return undefined
  yield* send(SSL_REQUEST)
  const [answer] = yield* read(1)
  if (answer === YES) return yield* upgradeTls()
  if (answer === ERROR) return yield* failed()
  if (answer !== NO) throw new RemoteProtocolError('SSLRequest was answered by neither S nor N: is this a PostgreSQL?')
  if (mode === 'prefer' || mode === 'allow') return undefined
  throw new RefusedError('TLS', `the server has no TLS, and sslmode is ${mode}: set ssl = on in postgresql.conf`)
}

/** Length 8, and 1234 and 5679 in 16 bits each. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)
const YES = 83
const NO = 78
const ERROR = 69
/** libpq's bound for an error before the connection is encrypted. */
const ERROR_BYTES_MAX = 30_000

/** Nobody has proved who says this: only its code is used. */
function* failed(): Script<never> {
  const header = yield* read(4)
  const length = Buffer.from(header.buffer, header.byteOffset, 4).readUInt32BE()
  if (length <= 4 || length > ERROR_BYTES_MAX) {
    throw new RemoteProtocolError('SSLRequest was answered by an error that cannot be read')
  }
  const body = yield* read(length - 4)
  throw refusal(Buffer.concat([Uint8Array.of(ERROR), header, body]), 'SSLRequest')
}

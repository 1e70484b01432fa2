/**
 * Where the servers are, as addresses for the kernel.
 *
 * Rules: a host that begins with a slash is the file of a unix socket. A port that is not written is 3306, or the one
 * that is given for all. An empty host is `localhost`, over TCP.
 */
import { type Address, takeAddress, takeSocket } from '@iokernel/core/toolkit'

/** MySQL's port. */
export const PORT_DEFAULT = 3306

/** `10.0.0.1:3306`, `[::1]:3306`, `db.internal` or a socket's file. */
export function placeOf(text: string, portDefault: number): Address {
  const written = text.trim()
  if (written === '') return { host: 'localhost', port: portDefault }
  return written.startsWith('/') ? takeSocket(written) : takeAddress(written, portDefault)
}

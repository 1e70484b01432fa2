/**
 * Asks a MariaDB for its version without a client library: the server speaks first, and its greeting says it.
 *
 * Rules: nothing is sent, so no account is needed. A server greets only when it takes sessions: before that the
 * connection waits unheard, which is why the answer has a deadline. `ERR` instead of a greeting (too many
 * connections, a blocked host) is a refusal in the server's own words.
 */
import { connect } from 'node:net'

export type MariadbAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/** `10.11.19`, or whatever else the server calls itself. */
export function askMariadb(address: MariadbAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    let heard: Buffer = Buffer.alloc(0)
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no greeting')))
    socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk])
      if (heard.length < HEAD_BYTES || heard.length < HEAD_BYTES + heard.readUIntLE(0, 3)) return
      const body = heard.subarray(HEAD_BYTES)
      if (body[0] === GREETING) resolve(readVersion(body))
      else reject(new Error(`the server refuses: ${body.subarray(3).toString()}`))
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection closed before the greeting')))
  })
}

/** MariaDB before 11 puts `5.5.5-` before its version, for replicas of MySQL that would not follow a 10. */
function readVersion(greeting: Buffer): string {
  const words = greeting.toString('latin1', 1, greeting.indexOf(0, 1)).replace(/^5\.5\.5-/, '')
  return /^[\d.]+/.exec(words)?.[0] ?? words
}

/** Three bytes of length, one of sequence. */
const HEAD_BYTES = 4
/** Version 10 of the handshake, the only one in use since MySQL 3.21. */
const GREETING = 10
const ANSWER_TIMEOUT_MS = 2_000

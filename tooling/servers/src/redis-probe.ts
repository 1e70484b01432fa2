/**
 * Asks a Redis for its version, in the protocol and without a client library: a server that answers is ready.
 *
 * Rules: knows only the two replies it asks for. A refusal for want of credentials is an answer too: the server is
 * up, its version unknown. `LOADING` is not ready yet.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly user: string
  readonly password: string
}

export function askRedis(address: RedisAddress): Promise<string> {
  const { host, port, secure } = address
  return new Promise((resolve, reject) => {
    // The certificate is the business of the clients under test, not of this question.
    const socket: Socket = secure ? connectSecurely({ host, port, rejectUnauthorized: false }) : connect(port, host)
    let heard = ''
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
    socket.on(secure ? 'secureConnect' : 'connect', () => socket.write(question(address)))
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      const version = readVersion(heard)
      if (version === undefined) return
      resolve(version)
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the connection closed after ${JSON.stringify(heard.slice(0, 80))}`)))
  })
}

function question({ user, password }: RedisAddress): string {
  const login = password === '' ? [] : [['AUTH', ...(user === '' ? [] : [user]), password]]
  return [...login, ['PING'], ['INFO', 'server'], ['QUIT']].map(encode).join('')
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** Undefined until the whole answer is there. */
function readVersion(heard: string): string | undefined {
  if (/^-(NOAUTH|NOPERM)/m.test(heard)) return 'unknown'
  return /^\+PONG/m.test(heard) ? /^redis_version:([^\r]+)\r/m.exec(heard)?.[1] : undefined
}

const ANSWER_TIMEOUT_MS = 2_000

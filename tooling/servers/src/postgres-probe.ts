/**
 * Asks a PostgreSQL how it is, in the protocol and without a client library: one question, one connection.
 *
 * Rules: knows the start of a session and the simple query, and gives no password. A server that asks for one has
 * answered: it is up, its version unknown. While it starts it says 57P03, which is an error here.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'

export interface PostgresAddress {
  /** A path where it begins with a slash: the socket file itself. */
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly user: string
  readonly database: string
}

export interface PostgresAnswer {
  readonly version: string
  /** What it wants before it lets us in, by the number of its Authentication message: 5 is MD5, 10 is SASL. */
  readonly wants: number
  readonly rows: readonly (readonly (string | null)[])[]
}

/** The server's own words: it is there, and it refuses. */
export class PostgresRefusal extends Error {
  override readonly name = 'PostgresRefusal'
  /** The SQLSTATE. */
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export async function askPostgres(address: PostgresAddress, statement?: string): Promise<PostgresAnswer> {
  const { host, port } = address
  const plain = host.startsWith('/') ? connect(host) : connect(port, host)
  try {
    return await converse(address.secure ? await secured(plain) : plain, address, statement)
  } finally {
    plain.destroy()
  }
}

/** The certificate is the business of the clients under test, not of this question. */
function secured(plain: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    plain.setTimeout(ANSWER_TIMEOUT_MS, () => plain.destroy(new Error('no answer')))
    plain.once('connect', () => plain.write(SSL_REQUEST))
    plain.once('data', (answer) => {
      if (answer.toString('latin1') !== 'S') return reject(new Error('the server does not speak TLS'))
      const socket = connectSecurely({ socket: plain, rejectUnauthorized: false })
      socket.once('secureConnect', () => resolve(socket))
      socket.once('error', reject)
    })
    plain.once('error', reject)
    plain.once('close', () => reject(new Error('the connection closed before TLS')))
  })
}

function converse(socket: Socket, address: PostgresAddress, statement: string | undefined): Promise<PostgresAnswer> {
  return new Promise((resolve, reject) => {
    let heard: Buffer = Buffer.alloc(0)
    const learnt = { version: 'unknown', rows: [] as (string | null)[][] }
    let question = statement
    const hear = (type: string, body: Buffer): void => {
      if (type === 'R' && body.readInt32BE(0) !== 0) resolve({ ...learnt, wants: body.readInt32BE(0) })
      if (type === 'E') reject(refusal(body))
      if (type === 'D') learnt.rows.push(readRow(body))
      if (type === 'S') learnt.version = readVersion(body) ?? learnt.version
      if (type !== 'Z') return
      if (question === undefined) {
        socket.end(message('X', ''))
        resolve({ ...learnt, wants: 0 })
      } else {
        socket.write(message('Q', `${question}\0`))
        question = undefined
      }
    }
    const greet = (): unknown => socket.write(startup(address))
    if (socket.connecting) socket.once('connect', greet)
    else greet()
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
    socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk])
      while (heard.length >= 5 && heard.length > heard.readInt32BE(1)) {
        const end = 1 + heard.readInt32BE(1)
        hear(String.fromCharCode(heard[0] as number), heard.subarray(5, end))
        heard = heard.subarray(end)
      }
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the connection closed after ${JSON.stringify(String(heard))}`)))
  })
}

function startup({ user, database }: PostgresAddress): Buffer {
  const body = Buffer.from(`\0\x03\0\0user\0${user}\0database\0${database}\0\0`)
  return Buffer.concat([lengthOf(body), body])
}

function message(type: string, text: string): Buffer {
  const body = Buffer.from(text)
  return Buffer.concat([Buffer.from(type), lengthOf(body), body])
}

/** The length counts itself. */
function lengthOf(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return length
}

function readVersion(parameterStatus: Buffer): string | undefined {
  const [name, value] = parameterStatus.toString().split('\0')
  return name === 'server_version' ? value?.split(' ')[0] : undefined
}

function readRow(body: Buffer): (string | null)[] {
  let at = 2
  return Array.from({ length: body.readInt16BE(0) }, () => {
    const length = body.readInt32BE(at)
    const start = at + 4
    at = start + Math.max(length, 0)
    return length < 0 ? null : body.toString('utf8', start, at)
  })
}

function refusal(body: Buffer): PostgresRefusal {
  const fields = new Map(
    body
      .toString()
      .split('\0')
      .map((field) => [field[0], field.slice(1)]),
  )
  return new PostgresRefusal(fields.get('C') ?? '', fields.get('M') ?? 'refused without a word')
}

/** The length, then the number that stands where the version of the protocol would. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const ANSWER_TIMEOUT_MS = 2_000

/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; documentation, "SASL Authentication").
 *
 *   client  n,,n=,r=<nonce>                          the user is the startup message's; the name here is ignored
 *   server  r=<nonce + its own>,s=<salt>,i=<rounds>
 *   client  c=<header and binding>,r=<nonce>,p=<proof>
 *   server  v=<signature>                            proves that it knows the password too
 *
 * Rules:
 * 1. Both sides prove. A server that lets us in without its signature, or with a wrong one, is not the one that we
 *    know.
 * 2. The header says what this side can do: `p=tls-server-end-point` when it binds, `y` when it could and the server
 *    does not offer it (so that who took the offer away is found out), `n` when it cannot.
 * 3. The server's nonce begins with ours and is longer. Rounds are bounded (limits.ts), because they are ours to pay.
 * 4. A password that SASLprep does not allow is used as it is, as the server does.
 *
 * Theory of operation: the expensive step, PBKDF2, depends on password, salt and rounds alone, which are the same for
 * every connection of a user. Its results are kept by a digest of the three, so that ten lanes pay once.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { RefusedError, RemoteProtocolError, type Script, send } from '@iokernel/core/plugin'
import { saslprep } from '@mongodb-js/saslprep'
import { SCRAM_ITERATIONS_MAX } from '../limits.ts'
import { authenticationCode, authenticationData, passwordMessage, serverMessage, writeText } from './messages.ts'

export const PLAIN = 'SCRAM-SHA-256'
export const PLUS = 'SCRAM-SHA-256-PLUS'

export interface ScramTerms {
  readonly password: string
  /** Of the server's certificate; undefined without TLS, or where it has no hash. */
  readonly endPoint: Uint8Array | undefined
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  random(length: number): Uint8Array
}

/** `offered` is the server's AuthenticationSASL. Returns when the server has proved itself. */
export function* scram(offered: Buffer, terms: ScramTerms): Script<void> {
  const { mechanism, header, binding } = choose(mechanismsIn(authenticationData(offered)), terms)
  const nonce = Buffer.from(terms.random(NONCE_BYTES)).toString('base64')
  const firstBare = `n=,r=${nonce}`
  yield* send(initialResponse(mechanism, header + firstBare))
  const first = yield* answer(CONTINUE)
  const { serverNonce, salt, iterations } = parseFirst(first, nonce)
  const salted = saltedPassword(terms.password, salt, iterations)
  const withoutProof = `c=${Buffer.concat([Buffer.from(header), binding]).toString('base64')},r=${serverNonce}`
  const exchange = `${firstBare},${first},${withoutProof}`
  const clientKey = hmac(salted, 'Client Key')
  const signature = hmac(createHash('sha256').update(clientKey).digest(), exchange)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)))
  yield* send(passwordMessage((out) => out.utf8(`${withoutProof},p=${proof.toString('base64')}`)))
  const last = yield* answer(FINAL)
  checkSignature(last, hmac(hmac(salted, 'Server Key'), exchange))
}

/** libpq's. */
const NONCE_BYTES = 18
const CONTINUE = 11
const FINAL = 12
/** Passwords of one process: a few upstreams, some while they are changed. */
const SALTED_MAX = 64

/** By a digest of password, salt and rounds. */
const known = new Map<string, Buffer>()

function choose(
  offered: readonly string[],
  { endPoint, channelBinding }: ScramTerms,
): { mechanism: string; header: string; binding: Buffer } {
  const plus = offered.includes(PLUS)
  const canBind = endPoint !== undefined && channelBinding !== 'disable'
  if (plus && canBind) {
    return { mechanism: PLUS, header: 'p=tls-server-end-point,,', binding: Buffer.from(endPoint) }
  }
  if (channelBinding === 'require') {
    const why = plus ? 'there is no TLS, or its certificate names no hash' : `the server offers no ${PLUS}`
    throw new RefusedError('CHANNEL_BINDING', `channel_binding is require, and ${why}`)
  }
  if (!offered.includes(PLAIN)) {
    throw new RefusedError('AUTHENTICATION', `the server offers no SASL mechanism that is known here (${PLAIN})`)
  }
  return { mechanism: PLAIN, header: canBind ? 'y,,' : 'n,,', binding: Buffer.alloc(0) }
}

function mechanismsIn(list: Buffer): readonly string[] {
  const names = list.toString('latin1').split('\0')
  // Each name ends in NUL, and an empty one ends the list.
  if (names.length < 3 || names.at(-1) !== '' || names.at(-2) !== '') {
    throw new RemoteProtocolError('AuthenticationSASL without a list of mechanisms')
  }
  return names.slice(0, -2)
}

function initialResponse(mechanism: string, first: string): Uint8Array {
  return passwordMessage((out) => {
    writeText(out, mechanism)
    out.u32be(first.length)
    out.ascii(first)
  })
}

/** The text of the next SASL message, which must have this code. */
function* answer(code: number): Script<string> {
  const message = yield* serverMessage('SCRAM')
  if (authenticationCode(message) !== code) {
    throw new RemoteProtocolError('the server left the SCRAM exchange before it had proved that it knows the password')
  }
  return authenticationData(message).toString('utf8')
}

const FIRST = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})(?:,.*)?$/

function parseFirst(text: string, nonce: string): { serverNonce: string; salt: Buffer; iterations: number } {
  const parts = FIRST.exec(text)
  if (parts === null) throw new RemoteProtocolError('the first SCRAM message of the server cannot be read')
  const [, serverNonce, salt, rounds] = parts as unknown as [string, string, string, string]
  if (!serverNonce.startsWith(nonce) || serverNonce.length === nonce.length) {
    throw new RemoteProtocolError('the nonce of the server does not continue ours: this is not the server that answers')
  }
  const iterations = Number(rounds)
  if (iterations > SCRAM_ITERATIONS_MAX) {
    throw new RemoteProtocolError(`the server asks for ${iterations} rounds of SCRAM, at most ${SCRAM_ITERATIONS_MAX}`)
  }
  return { serverNonce, salt: Buffer.from(salt, 'base64'), iterations }
}

function saltedPassword(password: string, salt: Buffer, iterations: number): Buffer {
  const prepared = Buffer.from(prepare(password))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(prepared.length)
  const digest = createHash('sha256').update(length).update(prepared).update(salt).update(`,${iterations}`)
  const name = digest.digest('base64')
  const kept = known.get(name)
  if (kept !== undefined) return kept
  const made = pbkdf2Sync(prepared, salt, iterations, 32, 'sha256')
  const oldest = known.size >= SALTED_MAX ? known.keys().next().value : undefined
  if (oldest !== undefined) known.delete(oldest)
  known.set(name, made)
  return made
}

function prepare(password: string): string {
  try {
    return saslprep(password)
  } catch {
    return password
  }
}

function checkSignature(text: string, wanted: Buffer): void {
  const parts = /^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/.exec(text)
  if (parts === null) {
    // `e=`: it says so in an ErrorResponse too, but a proxy may not.
    if (text.startsWith('e=')) throw new RefusedError('28P01', 'SCRAM: wrong password, or no such user')
    throw new RemoteProtocolError('the last SCRAM message of the server cannot be read')
  }
  const given = Buffer.from(parts[1] as string, 'base64')
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new RefusedError('SERVER_SIGNATURE', 'the server does not know the password: it is not the one you think')
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/**
 * Who we are: what the server asks for, what we give, and what we never give.
 *
 * Theory of operation: the first proof goes along with HandshakeResponse, for the plugin that the greeting names. Then
 *
 *   00  OK                      the end
 *   FE  plugin, NUL, nonce      the user's plugin is another one: a proof for it; once
 *   01  more, by the plugin     caching_sha2_password: 03, the server remembers the password, OK follows
 *                                                      04, it does not, and wants to see it
 *                               both of the SHA-256:   a public key (PEM), where it was asked for
 *
 * Rules:
 * 1. What is asked for must be among `requireAuth`, where that is given.
 * 2. A password is shown over TLS or a unix socket alone. Elsewhere it is sealed with the server's RSA key: a key that
 *    is pinned, or one that is asked for where `allowPublicKeyRetrieval` says that whoever may answer can be trusted.
 * 3. mysql_clear_password, which is for servers that hand passwords on, needs `allowClearText` as well.
 * 4. A server that switches twice is none (nobody needs it, and each switch is another chance to ask for less).
 */
import type { Script } from '@iokernel/core/plugin'
import { RefusedError, RemoteProtocolError } from '@iokernel/core/plugin'
import { HEADER_BYTES } from '../codec/packet.ts'
import type { MysqlIo } from '../io.ts'
import { ed25519Proof } from './ed25519.ts'
import type { Exchange } from './exchange.ts'
import { cachingProof, nativeProof, sealedPassword } from './proofs.ts'

export interface AuthenticationTerms {
  readonly options: Pick<MysqlIo, 'requireAuth' | 'serverPublicKey' | 'allowPublicKeyRetrieval' | 'allowClearText'>
  /** Empty where there is none. */
  readonly password: string
  /** TLS, or a unix socket. */
  readonly isPrivate: boolean
}

/** A plugin, and the nonce that it is answered with. */
export interface Demand {
  readonly plugin: string
  readonly nonce: Uint8Array
}

/** What is proved in HandshakeResponse: by the server's plugin if we have it and may use it, else by one of ours. */
export function firstDemand(plugin: string, nonce: Uint8Array, terms: AuthenticationTerms): Demand {
  const { requireAuth } = terms.options
  const isKnown = FIRST.includes(plugin) && isAllowed(plugin, requireAuth)
  const mine = FIRST.find((name) => isAllowed(name, requireAuth))
  return { plugin: isKnown ? plugin : (mine ?? plugin), nonce }
}

/** The proof for HandshakeResponse: nothing for a plugin that is only known to be asked for. */
export function firstProof(demand: Demand, terms: AuthenticationTerms): Uint8Array {
  return FIRST.includes(demand.plugin) && isAllowed(demand.plugin, terms.options.requireAuth)
    ? proofOf(demand, terms)
    : NOTHING
}

/** Until OK, which is returned. */
export function* authenticate(first: Demand, terms: AuthenticationTerms, exchange: Exchange): Script<Buffer> {
  let demand = first
  let hasSwitched = false
  for (;;) {
    const packet = yield* exchange.receive('authentication')
    switch (packet[HEADER_BYTES]) {
      case OK:
        checkAllowed(demand.plugin, terms)
        return packet
      case SWITCH: {
        if (hasSwitched) throw new RemoteProtocolError('the server switches to another authentication twice')
        hasSwitched = true
        demand = demandIn(packet)
        checkAllowed(demand.plugin, terms)
        const proof = proofOf(demand, terms)
        yield* exchange.send((out) => out.copy(proof))
        break
      }
      case MORE:
        yield* more(packet.subarray(HEADER_BYTES + 1), demand, terms, exchange)
        break
      case NEXT_FACTOR:
        throw new RefusedError('AUTHENTICATION', 'the server asks for a second factor, which is not known')
      default:
        throw new RemoteProtocolError('a packet that belongs elsewhere during authentication')
    }
  }
}

/** By what a connection may begin: the rest is asked for by a switch. */
const FIRST: readonly string[] = ['caching_sha2_password', 'mysql_native_password']
const NOTHING = new Uint8Array(0)
const OK = 0
const MORE = 1
const NEXT_FACTOR = 2
const SWITCH = 0xfe
const REMEMBERED = 3
const UNKNOWN = 4
/** How the server is asked for its key. */
const ASK_KEY: { readonly [plugin: string]: number | undefined } = { caching_sha2_password: 2, sha256_password: 1 }
/** Names are identifiers; nonces have 20 or 32 bytes, and a NUL behind. */
const PLUGIN_CHARS_MAX = 64
const NONCE_BYTES_MAX = 64

function demandIn(packet: Buffer): Demand {
  if (packet.length === HEADER_BYTES + 1) {
    throw new RefusedError(
      'AUTHENTICATION',
      'the server asks for a password of the kind before 4.1, which is not known',
    )
  }
  const stop = packet.indexOf(0, HEADER_BYTES + 1)
  const end = packet.at(-1) === 0 && packet.length - 1 > stop ? packet.length - 1 : packet.length
  if (stop < 0 || stop > HEADER_BYTES + 1 + PLUGIN_CHARS_MAX || end - stop - 1 > NONCE_BYTES_MAX) {
    throw new RemoteProtocolError('a switch to another authentication that cannot be read')
  }
  return { plugin: packet.toString('latin1', HEADER_BYTES + 1, stop), nonce: packet.subarray(stop + 1, end) }
}

function proofOf(demand: Demand, terms: AuthenticationTerms): Uint8Array {
  const { plugin, nonce } = demand
  switch (plugin) {
    case 'mysql_native_password':
      checkNonce(nonce, 20)
      return nativeProof(terms.password, nonce)
    case 'caching_sha2_password':
      checkNonce(nonce, 20)
      return cachingProof(terms.password, nonce)
    case 'client_ed25519':
      checkNonce(nonce, 32)
      return ed25519Proof(terms.password, nonce)
    case 'sha256_password':
      checkNonce(nonce, 20)
      if (terms.isPrivate || terms.password === '') return shown(terms.password)
      if (terms.options.serverPublicKey !== undefined) return sealed(demand, terms, terms.options.serverPublicKey)
      return askForKey(demand, terms)
    case 'mysql_clear_password':
      if (terms.options.allowClearText && terms.isPrivate) return shown(terms.password)
      throw new RefusedError(
        'AUTHENTICATION',
        'the server asks for the password in clear text: set allowClearText, and use TLS, where it may have it',
      )
    default:
      throw new RefusedError('AUTHENTICATION', `the server asks for ${nameOf(plugin)}, which is not known`)
  }
}

function* more(data: Buffer, demand: Demand, terms: AuthenticationTerms, exchange: Exchange): Script<void> {
  const { plugin } = demand
  if (plugin === 'caching_sha2_password' && data.length === 1) {
    if (data[0] === REMEMBERED) return
    if (data[0] !== UNKNOWN) throw new RemoteProtocolError('caching_sha2_password goes on with neither 3 nor 4')
    if (terms.isPrivate) return yield* exchange.send((out) => out.copy(shown(terms.password)))
    const { serverPublicKey } = terms.options
    if (serverPublicKey !== undefined) {
      const pinned = sealed(demand, terms, serverPublicKey)
      return yield* exchange.send((out) => out.copy(pinned))
    }
    const asked = askForKey(demand, terms)
    yield* exchange.send((out) => out.copy(asked))
    const key = yield* exchange.receive('authentication')
    if (key[HEADER_BYTES] !== MORE)
      throw new RemoteProtocolError('the server was asked for its key and did not send it')
    return yield* sendSealed(key.subarray(HEADER_BYTES + 1), demand, terms, exchange)
  }
  const { options } = terms
  const hasAsked = plugin === 'sha256_password' && !terms.isPrivate && options.serverPublicKey === undefined
  if (!hasAsked || terms.password === '')
    throw new RemoteProtocolError('authentication goes on where it should be over')
  yield* sendSealed(data, demand, terms, exchange)
}

function* sendSealed(key: Buffer, demand: Demand, terms: AuthenticationTerms, exchange: Exchange): Script<void> {
  const proof = sealed(demand, terms, key.toString('latin1'))
  yield* exchange.send((out) => out.copy(proof))
}

function sealed({ nonce }: Demand, { password }: AuthenticationTerms, pem: string): Uint8Array {
  return sealedPassword(password, nonce, pem)
}

function askForKey({ plugin }: Demand, { options }: AuthenticationTerms): Uint8Array {
  if (options.allowPublicKeyRetrieval) return Uint8Array.of(ASK_KEY[plugin] as number)
  throw new RefusedError(
    'AUTHENTICATION',
    'the server wants to see the password, and the connection has no TLS: use sslmode=require, ' +
      'or give serverPublicKey, or set allowPublicKeyRetrieval where the network can be trusted',
  )
}

function shown(password: string): Uint8Array {
  return Buffer.from(`${password}\0`)
}

function checkNonce(nonce: Uint8Array, length: number): void {
  if (nonce.length !== length)
    throw new RemoteProtocolError(`a nonce of ${nonce.length} bytes, where ${length} are due`)
}

function isAllowed(plugin: string, required: readonly string[] | undefined): boolean {
  return required === undefined || required.includes(plugin)
}

function checkAllowed(plugin: string, { options: { requireAuth } }: AuthenticationTerms): void {
  if (isAllowed(plugin, requireAuth)) return
  const asked = nameOf(plugin)
  throw new RefusedError('AUTHENTICATION', `requireAuth is ${requireAuth?.join(',')}, and the server asks for ${asked}`)
}

/** A plugin's name, where it looks like one. */
function nameOf(plugin: string): string {
  return /^\w+$/.test(plugin) ? plugin : 'an authentication without a name'
}

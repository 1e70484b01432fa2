/**
 * How a connection to Postgres begins.
 *
 *   [SSLRequest, TLS]                    handshake/ssl.ts
 *   StartupMessage                       user, database, and parameters that hold from the start
 *     v  NegotiateProtocolVersion        a server that speaks 3.0 alone
 *     R  demands for authentication      handshake/authentication.ts, scram.ts, md5.ts
 *     S  its parameters                  taken in by the framer
 *     K  process and key, for cancelling
 *     Z  ready
 *   [SELECT pg_is_in_recovery()]         where its parameters do not say what it is: before version 14, behind a pooler
 *
 * A connection of purpose `cancel` says one thing after TLS, CancelRequest, and waits for the server to close.
 *
 * Rules: every message is in its place or ends the connection. What cannot pass by itself is a `RefusedError`, what can
 * a `RemoteError` (handshake/refusal.ts), and a server of another role a `RoleError`. No message holds the name of a
 * user or anything of a password.
 *
 * Limits: `prefer-standby` takes the server it finds; it does not look for another one first.
 */
import type { Cloneable, Place, Script } from '@iokernel/core/plugin'
import { LocalError, RemoteProtocolError, read, send } from '@iokernel/core/plugin'
import type { PostgresFacts } from './codec/facts.ts'
import { authenticate, type Identity } from './handshake/authentication.ts'
import {
  type BackendKey,
  cancelRequest,
  KEY_DATA,
  keyData,
  NEGOTIATE_VERSION,
  negotiatedVersion,
  type ProtocolVersion,
  READY,
  serverMessage,
  startupMessage,
} from './handshake/messages.ts'
import { encrypt } from './handshake/ssl.ts'
import type { PostgresIo } from './io.ts'
import type { Parameters } from './parameters.ts'
import { assertRole, roleOf } from './role.ts'

/** What a connection keeps of its beginning. */
export interface Greeted {
  readonly facts: PostgresFacts
  readonly key: BackendKey | undefined
  /** A transaction that says nothing may write; undefined where it is not known. */
  readonly writable: boolean | undefined
}

export function* handshake(options: PostgresIo, place: Place, parameters: Parameters): Script<Greeted> {
  const certificate = yield* encrypt(options.sslMode, place)
  const identity = identityOf(options, place)
  const asked: ProtocolVersion = options.protocolVersion === '3.0' ? '3.0' : '3.2'
  yield* send(startupMessage(asked, startupParameters(options, identity)))
  let message = yield* serverMessage('startup')
  let protocol = asked
  if (message[0] === NEGOTIATE_VERSION) {
    protocol = negotiatedVersion(message, asked)
    message = yield* serverMessage('startup')
  }
  yield* authenticate(message, { options, identity, place, certificate })
  const key = yield* untilReady()
  const { role, writable } = yield* roleOf(parameters)
  assertRole(options.targetSessionAttrs, role, writable)
  const facts: PostgresFacts = {
    version: parameters.get('server_version') ?? '',
    parameters: parameters.snapshot(),
    role,
    protocol,
    processId: key?.processId ?? 0,
  }
  return { facts, key, writable }
}

/** The whole of a `cancel` connection. The server answers by closing; the kernel closes it otherwise. */
export function* cancelHandshake(options: PostgresIo, place: Place): Script<Cloneable> {
  yield* encrypt(options.sslMode, place)
  yield* send(cancelRequest(keyOf(place.cancels)))
  yield* read(1)
  throw new RemoteProtocolError('a CancelRequest was answered')
}

/**
 * The static identity, or what the credentials say: a password; a user and a password; passwords by place (of the
 * password file).
 */
export function identityOf(options: Pick<PostgresIo, 'user' | 'password'>, place: Place): Identity {
  const { user, password } = options
  const { credentials, endpoint } = place
  if (typeof credentials === 'string') return { user, password: credentials }
  if (typeof credentials !== 'object' || credentials === null) return { user, password }
  const given = credentials as { readonly [name: string]: Cloneable }
  const places = given['passwords']
  if (typeof places === 'object' && places !== null) {
    const byPlace = places as { readonly [place: string]: Cloneable }
    const { name, port, id } = endpoint
    const found = (name === undefined ? undefined : byPlace[`${name}:${port}`]) ?? byPlace[id] ?? byPlace['*']
    return { user, password: typeof found === 'string' ? found : password }
  }
  return {
    user: typeof given['user'] === 'string' ? given['user'] : user,
    password: typeof given['password'] === 'string' ? given['password'] : password,
  }
}

function startupParameters(options: PostgresIo, { user }: Identity): ReadonlyMap<string, string> {
  return new Map([['user', user], ['database', options.database], ...Object.entries(options.parameters)])
}

/** BackendKeyData, where there is one, and ReadyForQuery. */
function* untilReady(): Script<BackendKey | undefined> {
  let key: BackendKey | undefined
  for (;;) {
    const message = yield* serverMessage('startup')
    if (message[0] === READY) return key
    if (message[0] !== KEY_DATA || key !== undefined) {
      throw new RemoteProtocolError('a message that belongs elsewhere between authentication and ReadyForQuery')
    }
    key = keyData(message)
  }
}

function keyOf(cancels: Cloneable): BackendKey {
  const { processId, key } = cancels as { readonly processId?: Cloneable; readonly key?: Cloneable }
  if (typeof processId !== 'number' || !(key instanceof Uint8Array)) {
    throw new LocalError('NO_CANCEL_KEY', 'the server has given no key to cancel with')
  }
  return { processId, key }
}

/**
 * How a connection to Redis begins, and how a session is made as good as new.
 *
 * Theory of operation:
 *
 *   HELLO 3 [AUTH user password] [SETNAME name]   one round trip for version, identity and name
 *     NOPROTO            -> HELLO 2 ...           a server that knows HELLO but not RESP3
 *     unknown command    -> [AUTH] [CLIENT SETNAME] ROLE       before Redis 6, or a proxy
 *   CLIENT SETINFO lib-name, lib-ver              since 7.2; refused before, which does not matter
 *   SELECT database                               where it is not 0
 *   PING                                          HELLO is answered while the data set is loaded; PING is not
 *
 * Rules:
 * 1. A refusal that will not pass by itself (password, permission, database) is a `RefusedError` with the server's
 *    code; one that will (LOADING, MASTERDOWN, BUSY, too many clients) a `RemoteError`, after which the kernel tries
 *    again.
 * 2. A message never holds a password or a user's name.
 * 3. A password for a server that wants none is no fault: development and production differ in this.
 *
 * Limits: a proxy that closes the connection at a command it does not know cannot be told from a dead server; for
 * those there is `protocolVersion: 2`, and for those that do not know HELLO at all, nothing is lost by the fallback
 * but a round trip.
 */
import type { Cloneable, Script } from '@iokernel/core/plugin'
import { ByteWriter, frame, RefusedError, RemoteError, RemoteProtocolError, send } from '@iokernel/core/plugin'
import { type Argument, writeCommand } from './codec/encode.ts'
import { RedisError } from './codec/errors.ts'
import type { RedisFacts } from './codec/reply.ts'
import { type AnyReply, decodeResp3One } from './codec/resp3.ts'

export interface Identity {
  readonly username: string | undefined
  readonly password: string | undefined
}

export interface HandshakeOptions {
  readonly protocolVersion: 2 | 3
  readonly database: number
  readonly clientName: string | undefined
  readonly libraryName: string
  readonly libraryVersion: string
}

export function* handshake(options: HandshakeOptions, identity: Identity): Script<RedisFacts> {
  let facts = yield* hello(options.protocolVersion, options, identity)
  if (facts === 'no-protocol') facts = yield* hello(2, options, identity)
  if (facts === 'no-hello' || facts === 'no-protocol') facts = yield* withoutHello(options, identity)
  yield* settle(options)
  return facts
}

/** RESET, and the handshake again: everything a caller may have left behind is gone. Redis 6.2 and later. */
export function* reset(options: HandshakeOptions, identity: Identity): Script<RedisFacts> {
  const reply = yield* ask(['RESET'])
  if (reply !== 'RESET') throw new RemoteError('NORESET', 'the server has no RESET (Redis 6.2): the session is closed')
  return yield* handshake(options, identity)
}

/** The static identity, or what the credentials callback returned last. */
export function identityOf(credentials: Cloneable, fallback: Identity): Identity {
  if (typeof credentials === 'string') return { username: fallback.username, password: credentials }
  if (typeof credentials !== 'object' || credentials === null) return fallback
  const { username, password } = credentials as { readonly username?: Cloneable; readonly password?: Cloneable }
  return {
    username: typeof username === 'string' ? username : fallback.username,
    password: typeof password === 'string' ? password : fallback.password,
  }
}

/** Sends a command and returns its reply; an error reply as a value. */
export function* ask(words: readonly Argument[]): Script<AnyReply> {
  yield* send(commandBytes([words]))
  return yield* answer()
}

export function* answer(): Script<AnyReply> {
  const bytes = yield* frame()
  return decodeResp3One(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, false)
}

/** A peer that does not know this answer is no Redis, or its answers are shifted. */
export function assertPong(reply: AnyReply): void {
  if (reply !== 'PONG') throw new RemoteProtocolError('PING was not answered by PONG')
}

export function commandBytes(commands: readonly (readonly Argument[])[]): Uint8Array {
  const out = new ByteWriter(256)
  for (const words of commands) writeCommand(out, words)
  return out.written()
}

/** Some refusals pass by themselves; the others need a person. */
export function refusal(error: RedisError, step: string): RemoteError {
  const { code } = error
  const passes = PASSING.has(code) || error.message.startsWith('max number of clients')
  if (passes) return new RemoteError(code, `${step}: the server is not ready (${code})`, { sent: 'no' })
  return new RefusedError(code, `${step}: ${ADVICE[code] ?? 'the server refused'} (${code})`)
}

function* hello(
  version: 2 | 3,
  options: HandshakeOptions,
  identity: Identity,
): Script<RedisFacts | 'no-protocol' | 'no-hello'> {
  const words: Argument[] = ['HELLO', version]
  if (identity.password !== undefined) words.push('AUTH', identity.username ?? 'default', identity.password)
  if (options.clientName !== undefined) words.push('SETNAME', options.clientName)
  const reply = yield* ask(words)
  if (!(reply instanceof RedisError)) return factsOf(reply, version)
  if (reply.code === 'NOPROTO' && version === 3) return 'no-protocol'
  if (reply.code === 'ERR' && UNKNOWN_COMMAND.test(reply.message)) return 'no-hello'
  // Some servers before ACLs want AUTH before they look at the command at all.
  if (reply.code === 'NOAUTH' && identity.password !== undefined) return 'no-hello'
  throw refusal(reply, 'HELLO')
}

function* withoutHello(options: HandshakeOptions, identity: Identity): Script<RedisFacts> {
  const { username, password } = identity
  if (password !== undefined) {
    const oneWord = username === undefined || username === 'default'
    const reply = yield* ask(oneWord ? ['AUTH', password] : ['AUTH', username, password])
    if (reply instanceof RedisError && !NO_PASSWORD_SET.test(reply.message)) throw refusal(reply, 'AUTH')
  }
  if (options.clientName !== undefined) yield* ask(['CLIENT', 'SETNAME', options.clientName])
  const role = yield* ask(['ROLE'])
  if (role instanceof RedisError && role.code === 'NOAUTH') throw refusal(role, 'AUTH')
  return { resp: 2, version: '', mode: 'unknown', role: Array.isArray(role) ? roleOf(role[0]) : 'unknown', id: 0 }
}

/** What every connection needs after it knows who it is, in one round trip. */
function* settle(options: HandshakeOptions): Script<void> {
  const commands: Argument[][] = [
    ['CLIENT', 'SETINFO', 'lib-name', options.libraryName],
    ['CLIENT', 'SETINFO', 'lib-ver', options.libraryVersion],
  ]
  if (options.database !== 0) commands.push(['SELECT', options.database])
  commands.push(['PING'])
  yield* send(commandBytes(commands))
  // Refused before 7.2, and by an ACL that allows little: neither matters.
  yield* answer()
  yield* answer()
  if (options.database !== 0) {
    const selected = yield* answer()
    if (selected instanceof RedisError) throw refusal(selected, `SELECT ${options.database}`)
  }
  const pong = yield* answer()
  if (!(pong instanceof RedisError)) return assertPong(pong)
  // An ACL may forbid PING; what the server would say to other commands is then for them to find out.
  if (PASSING.has(pong.code) || pong.code === 'NOAUTH') throw refusal(pong, 'PING')
}

/** HELLO's reply: a map in RESP3, a flat array in RESP2. */
function factsOf(reply: AnyReply, asked: 2 | 3): RedisFacts {
  const fields = new Map<AnyReply, AnyReply>()
  if (reply instanceof Map) for (const [name, value] of reply) fields.set(name, value)
  else if (Array.isArray(reply)) {
    for (let at = 0; at + 1 < reply.length; at += 2) fields.set(reply[at] as AnyReply, reply[at + 1] as AnyReply)
  } else throw new RemoteProtocolError('HELLO was answered by neither a map nor an array')
  const version = fields.get('version')
  const mode = fields.get('mode')
  const id = fields.get('id')
  if (fields.get('proto') !== asked) throw new RemoteProtocolError(`HELLO ${asked} was not answered by proto ${asked}`)
  return {
    resp: asked,
    version: typeof version === 'string' ? version : '',
    mode: mode === 'standalone' || mode === 'cluster' || mode === 'sentinel' ? mode : 'unknown',
    role: roleOf(fields.get('role')),
    id: typeof id === 'number' ? id : 0,
  }
}

/** `master`, `slave` (ROLE) or `replica` (HELLO), `sentinel`. */
export function roleOf(word: AnyReply | undefined): RedisFacts['role'] {
  if (word === 'master') return 'primary'
  if (word === 'slave' || word === 'replica') return 'replica'
  return word === 'sentinel' ? 'sentinel' : 'unknown'
}

const PASSING: ReadonlySet<string> = new Set(['LOADING', 'MASTERDOWN', 'BUSY', 'CLUSTERDOWN', 'TRYAGAIN'])

const ADVICE: { readonly [code: string]: string | undefined } = {
  NOAUTH: 'the server wants a password: give one in the target, or a credentials callback',
  WRONGPASS: 'wrong user name or password',
  NOPERM: 'the user has no permission for this',
  DENIED: 'the server is in protected mode and accepts local connections only',
}

/** The words of Redis, and of proxies that stand in for it. */
const UNKNOWN_COMMAND = /^(unknown|unsupported|invalid) (command|request)/i
const NO_PASSWORD_SET = /no password is set|without any password configured/i

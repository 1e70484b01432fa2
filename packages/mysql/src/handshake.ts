/**
 * How a connection to MySQL or MariaDB begins.
 *
 *   greeting                     the server speaks first: handshake/greeting.ts
 *   [SSLRequest, TLS]            where the server has it and `sslMode` wants it
 *   HandshakeResponse            user, a proof of the password, database, attributes: handshake/messages.ts
 *     FE, 01                     further demands: handshake/authentication.ts
 *     OK
 *   SET                          settings.ts
 *   SELECT                       what the server is, whether something stands between, and what the session shows
 *
 * A connection of purpose `cancel` begins the same, and then says KILL QUERY.
 *
 * Rules: every packet is in its place or ends the connection. What cannot pass by itself is a `RefusedError`, what can
 * a `RemoteError` (handshake/refusal.ts), and a server of another role a `RoleError`. No message holds the name of a
 * user or anything of a password. Nothing but SSLRequest is said before TLS where TLS is wanted.
 *
 * Limits: MariaDB's TLS without certificates of its own (11.4, a signature in the last OK) is not looked at.
 */
import type { Cloneable, Place, Script } from '@iokernel/core/plugin'
import { LocalError, RefusedError, RemoteProtocolError, upgradeTls } from '@iokernel/core/plugin'
import { ask, queryPacket, tell } from './ask.ts'
import { lookColumns, type Seen } from './audit.ts'
import { Capability, type MysqlFacts, type MysqlRole, Status } from './codec/facts.ts'
import { type AuthenticationTerms, authenticate, firstDemand, firstProof } from './handshake/authentication.ts'
import { Exchange } from './handshake/exchange.ts'
import { type Greeting, greetingIn } from './handshake/greeting.ts'
import { type Agreement, agree, hasExtendedMetadata, writeAgreement, writeResponse } from './handshake/messages.ts'
import type { MysqlIo } from './io.ts'
import { looksProxied } from './proxies.ts'
import { assertRole, roleColumns, roleIn, roleOf, type ServerKind } from './role.ts'
import { okStatus } from './session-state.ts'
import { applySettings } from './settings.ts'

/** What a connection keeps of its beginning. */
export interface Greeted {
  readonly facts: MysqlFacts
  /** What the session shows of itself, for the audit; empty where it does not. */
  readonly seen: Seen
  /** A pipeline of several calls would reach the server itself. */
  readonly isDirect: boolean
  /** sql_mode has NO_BACKSLASH_ESCAPES. */
  readonly noBackslashEscapes: boolean
}

export function* handshake(options: MysqlIo, place: Place): Script<Greeted> {
  const { greeting, agreement } = yield* enter(options, place)
  const deprecateEof = (agreement.capabilities & Capability.DeprecateEof) !== 0
  const sessionTrack = (agreement.capabilities & Capability.SessionTrack) !== 0
  const kind = { server: greeting.server, version: greeting.version, deprecateEof, sessionTrack }
  yield* applySettings(options, kind)
  const { about, role, seen, status } = yield* look(kind)
  const [id, comment, packet, timeZone, sqlMode] = about
  assertRole(options.targetRole, role)
  const facts: MysqlFacts = {
    server: greeting.server,
    version: greeting.version,
    connectionId: id === undefined ? greeting.connectionId : Number(id),
    capabilities: agreement.capabilities,
    deprecateEof,
    extendedMetadata: hasExtendedMetadata(agreement),
    collation: agreement.collation,
    sessionTrack,
    role,
    timeZone: timeZone ?? '',
    sqlMode: sqlMode ?? '',
    maxAllowedPacket: Number(packet ?? PACKET_DEFAULT),
  }
  return {
    facts,
    seen,
    isDirect: greeting.server === 'mariadb' && !looksProxied({ greeting, id, comment }),
    noBackslashEscapes: (status & Status.NoBackslashEscapes) !== 0,
  }
}

/** The whole of a `cancel` connection. */
export function* cancelHandshake(options: MysqlIo, place: Place): Script<Cloneable> {
  const id = (place.cancels as { readonly connectionId?: Cloneable } | undefined)?.connectionId
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) {
    throw new LocalError('NO_CANCEL_KEY', 'the number of the connection to be cancelled is not known')
  }
  const { agreement } = yield* enter(options, place)
  const deprecateEof = (agreement.capabilities & Capability.DeprecateEof) !== 0
  const { failed } = yield* tell(queryPacket(`KILL QUERY ${id}`), { deprecateEof })
  return { killed: failed === 0 }
}

interface Entered {
  readonly greeting: Greeting
  readonly agreement: Agreement
}

interface Looked {
  /** The columns of `ABOUT`; empty where they are not answered. */
  readonly about: Seen
  readonly role: MysqlRole
  readonly seen: Seen
  readonly status: number
}

/** Everything at once; what does not know all of it (an old server, a proxy) is asked for what matters most. */
function* look(kind: ServerKind): Script<Looked> {
  const roles = roleColumns(kind)
  const columns = [...ABOUT, ...roles, ...lookColumns(kind)]
  const { rows, failed, status } = yield* ask(queryPacket(`SELECT ${columns.join(', ')}`), kind)
  const [row] = rows
  if (failed === 0 && row?.length === columns.length) {
    const rolesEnd = ABOUT.length + roles.length
    const role = roleIn(row.slice(ABOUT.length, rolesEnd))
    return { about: row.slice(0, ABOUT.length), role, seen: row.slice(rolesEnd), status }
  }
  const answer = yield* ask(queryPacket(`SELECT ${ABOUT.join(', ')}`), kind)
  const about = answer.failed === 0 ? (answer.rows[0] ?? []) : []
  return { about, role: yield* roleOf(kind), seen: [], status: answer.status }
}

/** Up to the server's OK. */
function* enter(options: MysqlIo, place: Place): Script<Entered> {
  const exchange = new Exchange()
  const greeting = greetingIn(yield* exchange.receive('greeting'))
  const isEncrypted = wantsTls(options, place, greeting)
  const isSession = place.purpose === 'session'
  const agreement = agree(greeting, { options, isSession, isEncrypted })
  if (options.database !== '' && (agreement.capabilities & Capability.ConnectWithDb) === 0) {
    throw new RemoteProtocolError('the server cannot be told a database when a connection begins')
  }
  if (isEncrypted) {
    yield* exchange.send((out) => writeAgreement(out, agreement))
    yield* upgradeTls()
  }
  const { user, password } = identityOf(options, place)
  const isPrivate = isEncrypted || place.encrypted || place.endpoint.port === 0
  const terms: AuthenticationTerms = { options, password: password ?? '', isPrivate }
  const demand = firstDemand(greeting.plugin, greeting.nonce, terms)
  const proof = firstProof(demand, terms)
  const { database, attributes } = options
  const response = { agreement, user, proof, database, plugin: demand.plugin, attributes }
  yield* exchange.send((out) => writeResponse(out, response))
  const ok = yield* authenticate(demand, terms, exchange)
  okStatus(ok, 0, ok.length)
  return { greeting, agreement }
}

function wantsTls({ sslMode }: MysqlIo, place: Place, greeting: Greeting): boolean {
  if (sslMode === 'disable' || place.encrypted || place.endpoint.port === 0) return false
  if ((greeting.capabilities & Capability.Ssl) !== 0) return true
  if (sslMode === 'prefer') return false
  throw new RefusedError('TLS', `the server has no TLS, and sslMode is ${sslMode}: give it a certificate (ssl_cert)`)
}

/**
 * The static identity, or what the credentials say: a password; a user and a password.
 */
function identityOf({ user, password }: MysqlIo, { credentials }: Place): Pick<MysqlIo, 'user' | 'password'> {
  if (typeof credentials === 'string') return { user, password: credentials }
  if (typeof credentials !== 'object' || credentials === null) return { user, password }
  const given = credentials as { readonly [name: string]: Cloneable }
  return {
    user: typeof given['user'] === 'string' ? given['user'] : user,
    password: typeof given['password'] === 'string' ? given['password'] : password,
  }
}

const ABOUT = ['CONNECTION_ID()', '@@version_comment', '@@max_allowed_packet', '@@time_zone', '@@sql_mode']
/** MySQL's before 8.0 and MariaDB's, in case the server does not say. */
const PACKET_DEFAULT = 4 * 1024 * 1024

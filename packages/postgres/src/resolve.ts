/**
 * From what an application wrote to what the kernel needs: where, as whom, how.
 *
 * Rules:
 * 1. A target is a URL or an object, whose other fields win over its `url`. What neither says comes from the
 *    environment (PGHOST and its kin), then from defaults: `localhost:5432`, the name of the account, a database of the
 *    user's name.
 * 2. What is not understood is a `LocalError` `TARGET`. No message holds a password.
 * 3. Two targets share an upstream when everything that may make them differ is equal; secrets enter that key as a
 *    digest.
 *
 * Theory of operation: every source is brought into libpq's words (`Settings`), laid over each other, and judged once.
 * Where no password is given and there is a password file, it is read anew before each handshake.
 */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { Cloneable, NameTarget, Resolved, TlsOptions } from '@iokernel/core/plugin'
import {
  addressText,
  badTarget,
  checkCredentials,
  checkTarget,
  identityOf,
  isSocket,
  nameTarget,
  upstreamKey,
} from '@iokernel/core/toolkit'
import { APP_DEFAULTS, type PostgresApp, type TypeParsers } from './app.ts'
import type { PostgresIo, SslMode, TargetSessionAttrs } from './io.ts'
import { FRAMER_LIMITS, type FramerLimits, STATEMENTS } from './limits.ts'
import { encryptionOf } from './resolve/encryption.ts'
import { type Environment, environmentSettings } from './resolve/environment.ts'
import { defaultPassfile, passwordsFor } from './resolve/passfile.ts'
import { endpointOf, type Place, PORT_DEFAULT, parsePlace, placesOf } from './resolve/places.ts'
import { TARGET } from './resolve/target-kind.ts'
import { type ParsedUrl, parseUrl, type Settings, URL_LIKE } from './target.ts'

/** Who to be: a password, or a user and a password. */
export type PostgresCredentials = string | { readonly user?: string; readonly password: string }

/** All is optional. What is not named comes from `url`, then from the environment (PG...), then from defaults. */
export interface PostgresTarget {
  /** The rest of this object adds to it. */
  readonly url?: string
  /** A name, an address, or the folder of a unix socket (`/var/run/postgresql`). */
  readonly host?: string
  readonly port?: number
  /** Several: `['10.0.0.1:5432', 'b.internal', '/var/run/postgresql']`. */
  readonly hosts?: readonly string[]
  /** A registered discovery, and what it understands. */
  readonly discovery?: { readonly name: string; readonly target: string }
  readonly user?: string
  /** A function is asked before each handshake, for passwords that expire. */
  readonly password?: string | (() => PostgresCredentials | Promise<PostgresCredentials>)
  readonly database?: string
  /** Read where no password is given. Default: PGPASSFILE, or `.pgpass` in the home directory. */
  readonly passfile?: string
  /** `true` is `verify-full`; options are as in `node:tls`. Wins over `sslMode`. */
  readonly tls?: boolean | TlsOptions
  readonly sslMode?: SslMode
  readonly channelBinding?: 'disable' | 'prefer' | 'require'
  /** Methods that the server may ask for, or each with a `!` those that it may not: `['scram-sha-256']`. */
  readonly requireAuth?: readonly string[]
  readonly targetSessionAttrs?: TargetSessionAttrs
  /** Run-time parameters that hold from the start: `{ statement_timeout: '5s' }`. */
  readonly parameters?: { readonly [name: string]: string }
  /** Command-line options for the server's process: `-c geqo=off`. */
  readonly options?: string
  /** What pg_stat_activity shows. Default `iokernel`. */
  readonly applicationName?: string
  /** What is asked for; a server that speaks 3.0 alone is understood too. Default `3.0`, as with libpq. */
  readonly protocolVersion?: '3.0' | '3.2' | 'latest'
  /** False for what stands between and knows no prepared statements. Default true. */
  readonly prepare?: boolean
  /** Statements that a connection keeps prepared. Default 256. */
  readonly statementsMax?: number
  /** How values are read, by the OID of their type. */
  readonly types?: TypeParsers
  /** Functions that leave nothing behind on a connection. */
  readonly trustedFunctions?: readonly string[]
  /** What a call on the client does inside one of its own transactions. Default `refuse`. */
  readonly insideTransaction?: 'refuse' | 'join'
  /** Bounds on what the server may send. */
  readonly limits?: Partial<FramerLimits>
}

export function resolve(
  target: string | PostgresTarget,
  environment: Environment = process.env,
): Resolved<PostgresIo, PostgresApp> {
  const given: PostgresTarget = typeof target === 'string' ? { url: target } : target
  checkTarget(given, TARGET, URL_LIKE)
  const url = given.url === undefined ? undefined : parseUrl(given.url)
  const settings = new Map([...environmentSettings(environment), ...(url?.settings ?? []), ...ofObject(given)])
  const discovery = discoveryOf(given, url)
  const places = discovery === undefined ? placesOf(settings.get('host'), settings.get('port')) : []
  const name: NameTarget =
    discovery === undefined
      ? nameTarget(places.map(endpointOf), PORT_DEFAULT)
      : { discovery: discovery.name, target: discovery.target, portDefault: PORT_DEFAULT }
  const onlySockets = places.length > 0 && places.every(isSocket)
  const { mode, tls } = encryptionOf(onlySockets ? false : given.tls, settings)
  if (tls?.mode === 'direct' && places.some(isSocket)) throw badTarget('TLS over a unix socket is not supported')
  const io = ioOf(given, settings, mode)
  const credentials = credentialsOf(given, settings, places, io, environment)
  return {
    upstreamKey: keyOf(name, tls, io, credentials?.key),
    authority: authorityOf(name, places, io.database),
    name,
    io,
    app: appOf(given),
    ...timeoutOf(settings.get('connect_timeout')),
    ...(tls === undefined ? {} : { tls }),
    ...(credentials === undefined ? {} : { credentials: credentials.ask }),
  }
}

/** The fields of the object form that libpq has a word for. */
function ofObject(given: PostgresTarget): Settings {
  const settings: Settings = new Map()
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) settings.set(name, value)
  }
  const listed = given.hosts?.map(parsePlace)
  set('host', given.host ?? listed?.map(({ host }) => host).join(','))
  set('port', given.port === undefined ? listed?.map(({ port }) => port).join(',') : String(given.port))
  set('user', given.user)
  set('dbname', given.database)
  if (typeof given.password === 'string') set('password', given.password)
  set('passfile', given.passfile)
  set('sslmode', given.sslMode)
  set('channel_binding', given.channelBinding)
  set('require_auth', given.requireAuth?.join(','))
  set('target_session_attrs', given.targetSessionAttrs)
  set('options', given.options)
  set('application_name', given.applicationName)
  set('max_protocol_version', given.protocolVersion)
  return settings
}

function discoveryOf(given: PostgresTarget, url: ParsedUrl | undefined): PostgresTarget['discovery'] {
  const places = [given.host, given.hosts, given.discovery ?? url?.discovery].filter((place) => place !== undefined)
  if (places.length > 1) throw badTarget('one place is enough: host, hosts or discovery')
  return given.discovery ?? url?.discovery
}

function ioOf(given: PostgresTarget, settings: Settings, sslMode: SslMode): PostgresIo {
  const user = settings.get('user') ?? accountName()
  const options = settings.get('options')
  const encoding = settings.get('client_encoding') ?? 'auto'
  if (!/^(auto|utf-?8|unicode)$/i.test(encoding))
    throw badTarget('client_encoding is UTF8: nothing else is read or written')
  const gss = settings.get('gssencmode') ?? 'disable'
  if (gss !== 'disable' && gss !== 'prefer') throw badTarget('gssencmode is disable: GSS encryption is not supported')
  const io: PostgresIo = {
    user,
    password: settings.get('password'),
    database: settings.get('dbname') ?? user,
    parameters: {
      application_name: settings.get('application_name') ?? settings.get('fallback_application_name') ?? 'iokernel',
      client_encoding: 'UTF8',
      // What is read as a date is written so, whatever the server's configuration; the order of day and month stays.
      DateStyle: 'ISO',
      // Statements are judged by their text, and a backslash in it must mean to the server what it means here.
      standard_conforming_strings: 'on',
      ...(options === undefined ? {} : { options }),
      ...given.parameters,
    },
    protocolVersion: choose(settings, 'max_protocol_version', ['3.0', '3.2', 'latest']),
    sslMode,
    channelBinding: choose(settings, 'channel_binding', ['prefer', 'disable', 'require']),
    requireAuth: requiredAuth(settings.get('require_auth')),
    targetSessionAttrs: choose(settings, 'target_session_attrs', ATTRS),
    prepare: given.prepare ?? true,
    statementsMax: given.statementsMax ?? STATEMENTS.max,
    limits: { ...FRAMER_LIMITS, ...defined(given.limits ?? {}) },
  }
  if (io.statementsMax > STATEMENTS.maxLargest) throw badTarget(`statementsMax is at most ${STATEMENTS.maxLargest}`)
  for (const [name, value] of Object.entries({ ...io.parameters, user: io.user, database: io.database })) {
    if (value.includes('\0')) throw badTarget(`${name} holds a NUL, which ends a text`)
  }
  return io
}

const ATTRS: readonly TargetSessionAttrs[] = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby']
const METHODS: ReadonlySet<string> = new Set(['password', 'md5', 'gss', 'sspi', 'scram-sha-256', 'oauth', 'none'])

/** One of `values`, of which the first is the default. */
function choose<Value extends string>(settings: Settings, name: string, values: readonly Value[]): Value {
  const text = settings.get(name) ?? values[0]
  const found = values.find((value) => value === text)
  if (found === undefined) throw badTarget(`${name} is one of ${values.join(', ')}`)
  return found
}

function requiredAuth(text: string | undefined): readonly string[] | undefined {
  if (text === undefined || text === '') return undefined
  const names = text.split(',').map((name) => name.trim())
  const negative = names.filter((name) => name.startsWith('!')).length
  if (negative > 0 && negative < names.length)
    throw badTarget('require_auth names what is allowed, or what is not: not both')
  for (const name of names) {
    if (!METHODS.has(name.replace(/^!/, ''))) throw badTarget(`require_auth knows ${[...METHODS].join(', ')}`)
  }
  return names
}

/** libpq's seconds, for connecting and for the handshake each; 0 and less mean that nothing is said. */
function timeoutOf(text: string | undefined): { readonly limits?: { readonly [option: string]: number } } {
  if (text === undefined) return {}
  if (!/^-?\d{1,9}$/.test(text)) throw badTarget('connect_timeout is a number of seconds')
  const timeoutMs = Number(text) * 1_000
  return timeoutMs <= 0 ? {} : { limits: { connectTimeoutMs: timeoutMs, handshakeTimeoutMs: timeoutMs } }
}

function defined<Limits extends object>(given: Limits): Limits {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Limits
}

function appOf({ types, trustedFunctions, insideTransaction, prepare }: PostgresTarget): PostgresApp {
  return {
    types: types ?? APP_DEFAULTS.types,
    trustedFunctions: trustedFunctions ?? APP_DEFAULTS.trustedFunctions,
    insideTransaction: insideTransaction ?? APP_DEFAULTS.insideTransaction,
    prepare: prepare ?? APP_DEFAULTS.prepare,
  }
}

interface Asking {
  /** What makes two of them differ. */
  readonly key: string
  ask(): Promise<Cloneable>
}

function credentialsOf(
  given: PostgresTarget,
  settings: Settings,
  places: readonly Place[],
  { user, database }: PostgresIo,
  environment: Environment,
): Asking | undefined {
  const { password } = given
  if (typeof password === 'function') {
    return { key: `callback ${identityOf(password)}`, ask: async () => checkCredentials(await password(), 'user') }
  }
  if (settings.has('password')) return undefined
  const path = settings.get('passfile') ?? defaultPassfile(environment)
  // A file that is not there, and that nobody has named, costs no question before each handshake.
  if (!settings.has('passfile') && !existsSync(path)) return undefined
  return {
    key: `passfile ${path}`,
    ask: async () => {
      const passwords = await passwordsFor(path, places, database, user)
      return passwords === undefined ? undefined : { passwords }
    },
  }
}

function keyOf(name: NameTarget, tls: TlsOptions | undefined, io: PostgresIo, asking: string | undefined): string {
  const { password, ...open } = io
  return upstreamKey([name, open, asking ?? 0], [password, tls])
}

/** A URL that could be written again, without the user. */
function authorityOf(name: NameTarget, places: readonly Place[], database: string): string {
  const path = `/${encodeURIComponent(database)}`
  if (places.length === 0) return `postgres+${name.discovery}://${name.target}`
  const written = places.map((place) =>
    isSocket(place) ? `${encodeURIComponent(place.host)}:${place.port}` : addressText(place),
  )
  return `postgres://${written.join(',')}${path}`
}

function accountName(): string {
  try {
    return userInfo().username
  } catch {
    throw badTarget('the account has no name: give a user, postgres://user@host/database')
  }
}

/**
 * From what an application wrote to what the kernel needs: where, as whom, how.
 *
 * Rules:
 * 1. A target is a URL or an object, whose other fields win over its `url`. What neither says comes from the
 *    environment (MYSQL_HOST and its kin), then from defaults: `localhost:3306` over TCP, the name of the account, no
 *    database.
 * 2. What is not understood is a `LocalError` `TARGET`. No message holds a password.
 * 3. Two targets share an upstream when everything that may make them differ is equal; secrets enter that key as a
 *    digest.
 *
 * Theory of operation: every source is brought into one set of names (`Settings`), laid over each other, and judged
 * once.
 */
import { userInfo } from 'node:os'
import type { Cloneable, NameTarget, Resolved, TlsOptions } from '@iokernel/core/plugin'
import {
  type Address,
  addressText,
  badTarget,
  checkCredentials,
  checkTarget,
  identityOf,
  isSocket,
  nameTarget,
  takePort,
  takeSocket,
  upstreamKey,
} from '@iokernel/core/toolkit'
import { APP_DEFAULTS, type MysqlApp, type TypeParsers } from './app.ts'
import type { Zone } from './codec/times.ts'
import type { MysqlIo, Pipelining, SslMode, TargetRole } from './io.ts'
import { FRAMER_LIMITS, type FramerLimits, STATEMENTS } from './limits.ts'
import { encryptionOf, readPem } from './resolve/encryption.ts'
import { type Environment, environmentSettings } from './resolve/environment.ts'
import { PORT_DEFAULT, placeOf } from './resolve/places.ts'
import { TARGET } from './resolve/target-kind.ts'
import { type ParsedUrl, parseUrl, type Settings, URL_LIKE } from './target.ts'

/** Who to be: a password, or a user and a password. */
export type MysqlCredentials = string | { readonly user?: string; readonly password: string }

/** All is optional. What is not named comes from `url`, then from the environment (MYSQL_...), then from defaults. */
export interface MysqlTarget {
  /** The rest of this object adds to it. */
  readonly url?: string
  /** A name, an address, or the file of a unix socket. */
  readonly host?: string
  readonly port?: number
  /** Several: `['10.0.0.1:3306', 'b.internal']`. */
  readonly hosts?: readonly string[]
  /** The file of a unix socket (`/run/mysqld/mysqld.sock`). */
  readonly socket?: string
  /** A registered discovery, and what it understands. */
  readonly discovery?: { readonly name: string; readonly target: string }
  readonly user?: string
  /** A function is asked before each handshake, for passwords that expire. */
  readonly password?: string | (() => MysqlCredentials | Promise<MysqlCredentials>)
  readonly database?: string
  /** `true` is `verify-full`; options are as in `node:tls`. Wins over `sslMode`. */
  readonly tls?: boolean | TlsOptions
  readonly sslMode?: SslMode
  /** Authentication plugins that the server may ask for: `['caching_sha2_password']`. */
  readonly requireAuth?: readonly string[]
  /** The server's RSA key (PEM), for its sha2 passwords where nothing is encrypted. */
  readonly serverPublicKey?: string
  /** Ask the server for that key. Whoever stands between may answer: default false. */
  readonly allowPublicKeyRetrieval?: boolean
  /** Passwords as they are (mysql_clear_password), over TLS or a unix socket. Default false. */
  readonly allowClearText?: boolean
  /** What a server must be: `primary` takes writes. Default `any`. */
  readonly targetRole?: TargetRole
  /** Of utf8mb4. Default: the server's. */
  readonly collation?: string
  /** Session variables that hold from the start: `{ max_execution_time: 5000 }`. */
  readonly variables?: { readonly [name: string]: string | number }
  /** Shown in performance_schema.session_connect_attrs. */
  readonly attributes?: { readonly [name: string]: string }
  /** The attribute `program_name`. Default `iokernel`. */
  readonly applicationName?: string
  /** `affectedRows` of an UPDATE counts the rows that were found. Default false: those that were changed. */
  readonly foundRows?: boolean
  /** Allows `session.loadLocal()`. Default false. */
  readonly localInfile?: boolean
  /** Whether calls are written without waiting for the answer before. Default `auto`: on MariaDB. */
  readonly pipelining?: Pipelining
  /** False for what stands between and knows no prepared statements. Default true. */
  readonly prepare?: boolean
  /** Statements that a connection keeps prepared. Default 256. */
  readonly statementsMax?: number
  /** What the clock of a DATETIME is: `local` (default), `Z`, `+02:00`. */
  readonly timezone?: string
  /** `usual`: DATETIME and TIMESTAMP are `Date`, a DATE is text. `strings`: all text. `objects`: all `Date`. */
  readonly dates?: MysqlApp['dates']
  /** BIGINT as bigint where no number is exact (`unsafe`, the default), or `always`. */
  readonly bigints?: MysqlApp['bigints']
  /** How values are read, by the name of their type: `{ DECIMAL: Number }`. */
  readonly types?: TypeParsers
  /** Functions that leave nothing behind on a connection. */
  readonly trustedFunctions?: readonly string[]
  /** What a call on the client does inside one of its own transactions. Default `refuse`. */
  readonly insideTransaction?: 'refuse' | 'join'
  /** Bounds on what the server may send. */
  readonly limits?: Partial<FramerLimits>
}

export function resolve(
  target: string | MysqlTarget,
  environment: Environment = process.env,
): Resolved<MysqlIo, MysqlApp> {
  const given: MysqlTarget = typeof target === 'string' ? { url: target } : target
  checkTarget(given, TARGET, URL_LIKE)
  const url = given.url === undefined ? undefined : parseUrl(given.url)
  const said = new Map([...(url?.settings ?? []), ...ofObject(given)])
  const settings: Settings = new Map([...environmentSettings(environment), ...said])
  const discovery = discoveryOf(given, url)
  const places = discovery === undefined ? placesOf(said, settings) : []
  const name: NameTarget =
    discovery === undefined
      ? nameTarget(places, PORT_DEFAULT)
      : { discovery: discovery.name, target: discovery.target, portDefault: PORT_DEFAULT }
  const onlySockets = places.length > 0 && places.every(isSocket)
  const { mode, tls } = encryptionOf(onlySockets ? false : given.tls, onlySockets ? inTheClear(settings) : settings)
  const io = ioOf(given, settings, mode)
  const credentials = credentialsOf(given)
  const { password, ...open } = io
  return {
    upstreamKey: upstreamKey([name, open, credentials?.key ?? 0], [password, tls]),
    authority: authorityOf(name, places, io.database),
    name,
    io,
    app: appOf(given, settings, io),
    ...timeoutOf(settings.get('connectTimeout')),
    ...(tls === undefined ? {} : { tls }),
    ...(credentials === undefined ? {} : { credentials: credentials.ask }),
  }
}

/** The fields of the object form that an option has a name for. */
function ofObject(given: MysqlTarget): Settings {
  const settings: Settings = new Map()
  const set = (name: string, value: string | boolean | undefined): void => {
    if (value !== undefined) settings.set(name, String(value))
  }
  set('host', given.host ?? given.hosts?.join(','))
  set('port', given.port === undefined ? undefined : String(given.port))
  set('socket', given.socket)
  set('user', given.user)
  set('database', given.database)
  if (typeof given.password === 'string') set('password', given.password)
  set('sslMode', given.sslMode)
  set('collation', given.collation)
  set('timezone', given.timezone)
  set('programName', given.applicationName)
  set('allowPublicKeyRetrieval', given.allowPublicKeyRetrieval)
  set('allowClearText', given.allowClearText)
  set('localInfile', given.localInfile)
  set('foundRows', given.foundRows)
  set('pipelining', given.pipelining)
  set('targetRole', given.targetRole)
  return settings
}

function discoveryOf(given: MysqlTarget, url: ParsedUrl | undefined): MysqlTarget['discovery'] {
  const { host, hosts, socket } = given
  const places = [host, hosts, socket, given.discovery ?? url?.discovery].filter((place) => place !== undefined)
  if (places.length > 1) throw badTarget('one place is enough: host, hosts, socket or discovery')
  return given.discovery ?? url?.discovery
}

/** A place that was said wins over one of the environment's, whichever kind it is. */
function placesOf(said: Settings, settings: Settings): readonly Address[] {
  const from = said.has('host') || said.has('socket') ? said : settings
  const socket = from.get('socket')
  if (socket !== undefined) return [takeSocket(socket)]
  const port = settings.get('port')
  const portDefault = port === undefined ? PORT_DEFAULT : takePort(port)
  return (from.get('host') ?? '').split(',').map((text) => placeOf(text, portDefault))
}

/** What goes through a socket's file leaves no machine. */
function inTheClear(settings: Settings): Settings {
  return new Map([...settings, ['sslMode', 'disable']])
}

function ioOf(given: MysqlTarget, settings: Settings, sslMode: SslMode): MysqlIo {
  const keyPath = settings.get('serverPublicKeyPath')
  const io: MysqlIo = {
    user: settings.get('user') ?? accountName(),
    password: settings.get('password'),
    database: settings.get('database') ?? '',
    collation: collationOf(settings),
    variables: given.variables ?? {},
    attributes: { program_name: settings.get('programName') ?? 'iokernel', ...given.attributes },
    sslMode,
    requireAuth: given.requireAuth,
    serverPublicKey:
      given.serverPublicKey ?? (keyPath === undefined ? undefined : readPem('server-public-key-path', keyPath)),
    allowPublicKeyRetrieval: flag(settings, 'allowPublicKeyRetrieval'),
    allowClearText: flag(settings, 'allowClearText'),
    targetRole: choose(settings, 'targetRole', ['any', 'primary', 'replica']),
    foundRows: flag(settings, 'foundRows'),
    localInfile: flag(settings, 'localInfile'),
    pipelining: choose(settings, 'pipelining', ['auto', 'never', 'always']),
    prepare: given.prepare ?? true,
    statementsMax: given.statementsMax ?? STATEMENTS.max,
    limits: { ...FRAMER_LIMITS, ...defined(given.limits ?? {}) },
  }
  if (io.statementsMax > STATEMENTS.maxLargest) throw badTarget(`statementsMax is at most ${STATEMENTS.maxLargest}`)
  for (const [name, value] of Object.entries({ user: io.user, database: io.database, password: io.password ?? '' })) {
    if (value.includes('\0')) throw badTarget(`${name} holds a NUL, which ends a text`)
  }
  return io
}

function collationOf(settings: Settings): string {
  const charset = settings.get('charset') ?? 'utf8mb4'
  const collation = settings.get('collation') ?? (charset.includes('_') ? charset : '')
  const isUtf8 = /^utf8mb4$/i.test(charset) || charset === collation
  if (!isUtf8 || (collation !== '' && !COLLATION.test(collation))) {
    throw badTarget('the charset is utf8mb4, and the collation one of its: nothing else is read or written')
  }
  return collation
}

const COLLATION = /^(utf8mb4|uca1400)_[A-Za-z0-9_]+$/

/** One of `values`, of which the first is the default. */
function choose<Value extends string>(settings: Settings, name: string, values: readonly Value[]): Value {
  const text = settings.get(name) ?? values[0]
  const found = values.find((value) => value === text)
  if (found === undefined) throw badTarget(`${name} is one of ${values.join(', ')}`)
  return found
}

function flag(settings: Settings, name: string): boolean {
  const text = settings.get(name) ?? 'false'
  if (/^(true|1|on)$/i.test(text)) return true
  if (/^(false|0|off)$/i.test(text)) return false
  throw badTarget(`${name} is true or false`)
}

/** Seconds, as in the servers' own clients, for connecting and for the handshake each; 0 says nothing. */
function timeoutOf(text: string | undefined): { readonly limits?: { readonly [option: string]: number } } {
  if (text === undefined) return {}
  if (!/^\d{1,9}$/.test(text)) throw badTarget('connect-timeout is a number of seconds')
  const timeoutMs = Number(text) * 1_000
  return timeoutMs === 0 ? {} : { limits: { connectTimeoutMs: timeoutMs, handshakeTimeoutMs: timeoutMs } }
}

function defined<Limits extends object>(given: Limits): Limits {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Limits
}

function appOf(given: MysqlTarget, settings: Settings, { localInfile }: MysqlIo): MysqlApp {
  return {
    types: given.types,
    bigints: given.bigints ?? APP_DEFAULTS.bigints,
    dates: given.dates ?? APP_DEFAULTS.dates,
    zone: zoneOf(settings.get('timezone')),
    trustedFunctions: given.trustedFunctions ?? APP_DEFAULTS.trustedFunctions,
    insideTransaction: given.insideTransaction ?? APP_DEFAULTS.insideTransaction,
    prepare: given.prepare ?? APP_DEFAULTS.prepare,
    localInfile,
  }
}

function zoneOf(text: string | undefined): Zone {
  if (text === undefined || text.toLowerCase() === 'local') return APP_DEFAULTS.zone
  if (text === 'Z' || text.toUpperCase() === 'UTC') return 0
  const parts = /^([+-])(\d{2}):(\d{2})$/.exec(text)
  if (parts === null) throw badTarget("timezone is 'local', 'Z', or an offset like '+02:00'")
  const minutes = Number(parts[2]) * 60 + Number(parts[3])
  return parts[1] === '-' ? -minutes : minutes
}

interface Asking {
  /** What makes two of them differ. */
  readonly key: string
  ask(): Promise<Cloneable>
}

function credentialsOf({ password }: MysqlTarget): Asking | undefined {
  if (typeof password !== 'function') return undefined
  return { key: `callback ${identityOf(password)}`, ask: async () => checkCredentials(await password(), 'user') }
}

/** A URL that could be written again, without the user. */
function authorityOf(name: NameTarget, places: readonly Address[], database: string): string {
  const path = `/${encodeURIComponent(database)}`
  if (places.length === 0) return `mysql+${name.discovery}://${name.target}`
  const written = places.map((place) => (isSocket(place) ? encodeURIComponent(place.host) : addressText(place)))
  return `mysql://${written.join(',')}${path}`
}

function accountName(): string {
  try {
    return userInfo().username
  } catch {
    throw badTarget('the account has no name: give a user, mysql://user@host/database')
  }
}

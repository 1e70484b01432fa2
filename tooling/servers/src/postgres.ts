/**
 * PostgreSQL servers of our own, in temporary folders and on free ports; or one that the environment names.
 *
 * Theory of operation: the cluster is made (`initdb`, or `pg_basebackup` for a standby), users and databases are
 * made by `postgres --single`, which needs neither a port nor a password, and then the server starts. So what
 * pg_hba.conf says holds from the first connection on, and there is no way in but the one that was asked for.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Certificates, makeCertificates } from './certificates.ts'
import { type Lodging, openLodging } from './lodging.ts'
import type { Launch } from './messages.ts'
import { freePorts } from './ports.ts'
import { giveTo, writeFor } from './possession.ts'
import {
  connectionString,
  type PostgresPlan,
  type PostgresUser,
  pgHbaConf,
  postgresqlConf,
  setupStatements,
} from './postgres-configuration.ts'
import { askPostgres, PostgresRefusal } from './postgres-probe.ts'
import { findPostgres, POSTGRES_URL_VARIABLE, type PostgresProgram, type PostgresVersion } from './postgres-program.ts'
import { untilReady } from './readiness.ts'
import { ServerUnavailableError, type Surroundings, thisMachine } from './surroundings.ts'

export interface PostgresOptions {
  /** A port of the caller's choice: to come back where a stopped server was. */
  readonly port?: number
  /** Lines of postgresql.conf, after and so above our own. */
  readonly configLines?: readonly string[]
  /** Lines of pg_hba.conf, before and so above our own. */
  readonly hbaLines?: readonly string[]
  /** The superuser's name; `postgres` if left out. */
  readonly user?: string
  /** The superuser's password. Without one the server trusts everybody who can reach it, except `users`. */
  readonly password?: string
  /** Users besides the superuser. Each is asked for its password. */
  readonly users?: readonly PostgresUser[]
  /** Names of databases besides `postgres`. */
  readonly databases?: readonly string[]
  /** The port speaks TLS to those who ask, with certificates made for this server. Clients' are optional. */
  readonly tls?: boolean
  /** The server that the new one copies and then follows, with its superuser and users. */
  readonly standbyOf?: PostgresServer
  /** `system` if left out: the machine's, or the newest of npm where it has none. 17 and 18 come from npm. */
  readonly version?: PostgresVersion
  /** Where to look for PostgreSQL; this machine if left out. */
  readonly surroundings?: Surroundings
}

export interface PostgresServer {
  /** As the superuser, with the password if there is one, to the database `postgres`. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** `15.20`; `unknown` for a server that we did not start and that wants a password. */
  readonly version: string
  /** NaN where the version is unknown, so that no comparison with it is true. */
  readonly major: number
  /** Undefined for a server that we did not start. */
  readonly pid: number | undefined
  /** The socket's file, for a client that takes a path. */
  readonly socketPath: string | undefined
  /** The folder it lies in, for a client that takes this as the host. */
  readonly socketFolder: string | undefined
  readonly user: string
  readonly password: string | undefined
  readonly tls: PostgresTls | undefined
  readonly source: 'environment' | PostgresProgram['source']
  /** Ends the recovery of a standby; resolves when the server takes writes. */
  promote(): Promise<void>
  /** Ends the server without a farewell to its clients, and leaves the folder to `stop()`. */
  kill(signal?: 'SIGQUIT' | 'SIGKILL'): Promise<void>
  /** Stops the server if we started it, removes its folder. Stopping twice is the same as stopping once. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface PostgresTls extends Certificates {
  readonly url: string
}

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const surroundings = options.surroundings ?? thisMachine()
  const url = surroundings.environment[POSTGRES_URL_VARIABLE]
  if (url && isPlain(options)) return usePostgresAt(url)
  if (options.standbyOf && (options.users || options.databases || options.user || options.password)) {
    throw new TypeError('a standby has the users and databases of its primary: none can be made in it')
  }
  const program = await findPostgres(options.version ?? 'system', surroundings)
  const { major = majorOf(program.version) } = options.standbyOf ?? {}
  if (major !== majorOf(program.version)) {
    throw new ServerUnavailableError(`a standby of PostgreSQL ${major} cannot be a ${program.version}`)
  }
  const lodging = await openLodging('postgres')
  try {
    return await startIn({ lodging, program, data: join(lodging.folder, 'data') }, options, surroundings)
  } catch (error) {
    await lodging.close()
    throw error
  }
}

function isPlain(options: PostgresOptions): boolean {
  const { surroundings: _, version = 'system', ...rest } = options
  return version === 'system' && Object.keys(rest).length === 0
}

async function usePostgresAt(url: string): Promise<PostgresServer> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const user = decodeURIComponent(username) || 'postgres'
  const database = decodeURIComponent(pathname.slice(1)) || user
  const secure = /^(require|verify-)/.test(searchParams.get('sslmode') ?? '')
  const address = { host, port: Number(port || 5432), secure, user, database }
  const { version } = await askPostgres(address).catch((error: unknown) => {
    throw new Error(`${POSTGRES_URL_VARIABLE} names a server that does not answer: ${String(error)}`)
  })
  const nothing = async (): Promise<void> => {}
  const refuse = (): Promise<never> => Promise.reject(new Error('the server belongs to somebody else'))
  return {
    url,
    host,
    port: address.port,
    version,
    major: majorOf(version),
    ...{ pid: undefined, socketPath: undefined, socketFolder: undefined, tls: undefined, source: 'environment' },
    user,
    password: password === '' ? undefined : decodeURIComponent(password),
    promote: refuse,
    kill: refuse,
    stop: nothing,
    [Symbol.asyncDispose]: nothing,
  }
}

/** Where the server lives and what it is made with. */
interface Site {
  readonly lodging: Lodging
  readonly program: PostgresProgram
  readonly data: string
}

async function startIn(site: Site, options: PostgresOptions, surroundings: Surroundings): Promise<PostgresServer> {
  const { folder } = site.lodging
  const [anyPort] = (await freePorts(1)) as [number]
  await giveTo(site.program.account, folder)
  const certificates = options.tls ? await makeCertificates(folder, surroundings) : undefined
  await giveTo(site.program.account, ...Object.values(certificates?.files ?? {}))
  let plan: PostgresPlan = {
    port: options.port ?? anyPort,
    socketFolder: folder,
    user: options.standbyOf?.user ?? options.user ?? 'postgres',
    password: options.standbyOf ? options.standbyOf.password : options.password,
    users: options.users ?? [],
    databases: options.databases ?? [],
    configLines: options.configLines ?? [],
    hbaLines: options.hbaLines ?? [],
    certificates,
    primary: options.standbyOf,
  }
  await (plan.primary ? copyPrimary(site, plan) : makeCluster(site, plan))
  for (let attempt = 1; ; attempt++) {
    await writeFor(site.program.account, join(site.data, 'postgresql.conf'), postgresqlConf(plan))
    const running = await site.lodging.launch(launchOf(site, 'postgres', ['-D', site.data]))
    const outcome = await untilReady(() => askIfReady(plan), running)
    if ('answer' in outcome) return describe(site, plan, running.pid)
    const log = await readFile(join(folder, 'output.log'), 'utf8')
    const taken = /in use/i.test(log) && options.port === undefined
    if (!taken || attempt === ATTEMPTS_MAX) {
      throw new Error(`postgres did not start: ${outcome.failure}\n${lastLines(log)}`)
    }
    const [otherPort] = (await freePorts(1)) as [number]
    plan = { ...plan, port: otherPort }
  }
}

async function makeCluster(site: Site, plan: PostgresPlan): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C']
  await run(site, 'initdb', ['-D', site.data, '--no-sync', ...locale, '--auth=trust', `--username=${plan.user}`])
  await writeFor(site.program.account, join(site.data, 'postgresql.conf'), postgresqlConf(plan))
  await writeFor(site.program.account, join(site.data, 'pg_hba.conf'), pgHbaConf(plan))
  const statements = setupStatements(plan)
  if (statements === '') return
  const input = join(site.lodging.folder, 'setup.sql')
  await writeFor(site.program.account, input, statements)
  await run(site, 'postgres', ['--single', '-j', '-c', 'exit_on_error=on', '-D', site.data, 'postgres'], input)
}

/** With the copy come the primary's pg_hba.conf and whoever it lets in. */
async function copyPrimary(site: Site, plan: PostgresPlan): Promise<void> {
  const source = connectionString(plan.primary as NonNullable<typeof plan.primary>)
  const copying = ['--wal-method=stream', '--checkpoint=fast', '--no-sync']
  await run(site, 'pg_basebackup', ['-D', site.data, '-d', source, ...copying])
  await writeFor(site.program.account, join(site.data, 'standby.signal'), '')
  if (plan.hbaLines.length === 0) return
  const pgHba = join(site.data, 'pg_hba.conf')
  await writeFor(site.program.account, pgHba, [...plan.hbaLines, await readFile(pgHba, 'utf8')].join('\n'))
}

/** Runs one of the programs to its end, in the keeper's care like the server itself. */
async function run(site: Site, name: 'initdb' | 'pg_basebackup' | 'postgres', args: string[], input?: string) {
  const { code, signal } = await site.lodging.run({ ...launchOf(site, name, args), ...(input && { input }) })
  if (code === 0) return
  const log = await readFile(join(site.lodging.folder, 'output.log'), 'utf8')
  throw new Error(`${name} failed (${signal ?? code})\n${lastLines(log)}`)
}

function launchOf(site: Site, name: Parameters<PostgresProgram['path']>[0], args: readonly string[]): Launch {
  const { account } = site.program
  return {
    command: site.program.path(name),
    args,
    ...(account && { account }),
    environment: environmentOf(site),
    ending: ENDING,
  }
}

/** None of the PG… variables of whoever runs this; a home where libpq looks for certificates and may; English. */
function environmentOf(site: Site): Readonly<Record<string, string>> {
  return { PATH: process.env['PATH'] ?? '', HOME: site.lodging.folder, LC_ALL: 'C' }
}

/** Asked over the socket: nobody else listens there. */
async function askIfReady(plan: PostgresPlan): Promise<void> {
  const { port, user } = plan
  const address = { host: socketPathOf(plan), port, secure: false, user, database: 'postgres' }
  await askPostgres(address).catch((error: unknown) => {
    // Whoever is refused by name, by pg_hba.conf or for too many connections speaks with a server that is up.
    if (error instanceof PostgresRefusal && error.code !== STARTING_UP) return
    throw error
  })
}

function describe(site: Site, plan: PostgresPlan, pid: number): PostgresServer {
  const { port, user, password, certificates, socketFolder } = plan
  const { lodging, program } = site
  const { version, source } = program
  const credentials = [user, ...(password === undefined ? [] : [password])].map(encodeURIComponent).join(':')
  const url = `postgres://${credentials}@127.0.0.1:${port}/postgres`
  const verified = `${url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificates?.files.ca ?? '')}`
  const stop = (): Promise<void> => lodging.close()
  return {
    url,
    host: '127.0.0.1',
    port,
    version,
    major: majorOf(version),
    pid,
    socketPath: socketPathOf(plan),
    socketFolder,
    user,
    password,
    tls: certificates && { ...certificates, url: verified },
    source,
    promote: () => promote(site),
    kill: (signal = 'SIGQUIT') => lodging.kill(signal),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function promote(site: Site): Promise<void> {
  const options = { ...site.program.account, env: environmentOf(site), cwd: site.lodging.folder }
  const wait = ['--wait', `--timeout=${PROMOTION_TIMEOUT_S}`]
  await promisify(execFile)(site.program.path('pg_ctl'), ['promote', '-D', site.data, ...wait], options)
}

function socketPathOf({ socketFolder, port }: PostgresPlan): string {
  return join(socketFolder, `.s.PGSQL.${port}`)
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}

function lastLines(log: string): string {
  return log.split('\n').slice(-12).join('\n')
}

/**
 * SIGINT ends sessions and says goodbye, within 100 ms here. SIGQUIT does not wait for that, but five seconds for
 * processes that do not react, which it then kills: the time after it has to be longer.
 */
const ENDING = [
  { signal: 'SIGINT', graceMs: 5_000 },
  { signal: 'SIGQUIT', graceMs: 7_000 },
] as const
/** It listens before it can answer; with this SQLSTATE it says so. */
const STARTING_UP = '57P03'
/** A standby has to replay what it has fetched first. */
const PROMOTION_TIMEOUT_S = 30
/** Three processes in a row that take the very port found free: something else is wrong. */
const ATTEMPTS_MAX = 3

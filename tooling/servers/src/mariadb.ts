/**
 * MariaDB servers of our own, in temporary folders and on free ports; or one that the environment names.
 *
 * Theory of operation: `mariadb-install-db` makes the system tables, `mariadbd --bootstrap`, which needs neither a port
 * nor a password, makes accounts and databases, and then the server starts. So from the first connection on there is
 * no way in but the one that was asked for. (`init_file` would spare a start, but gives up silently at an error.)
 *
 * MariaDB refuses to be root. Where we are, it runs as the system's account for it or as `nobody`; the folders it
 * needs are given to that account. Passwords are in a file of a 0700 folder, never among the arguments.
 */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Certificates, makeCertificates } from './certificates.ts'
import { type Lodging, openLodging } from './lodging.ts'
import { type MariadbPlan, type MariadbUser, myCnf, setupStatements } from './mariadb-configuration.ts'
import { askMariadb } from './mariadb-probe.ts'
import type { Launch } from './messages.ts'
import { freePorts } from './ports.ts'
import { giveTo, writeFor } from './possession.ts'
import { untilReady } from './readiness.ts'
import {
  type Account,
  accountForRoot,
  findProgram,
  type ServerNeed,
  ServerUnavailableError,
  type Surroundings,
  thisMachine,
} from './surroundings.ts'

export interface MariadbOptions {
  /** A port of the caller's choice: to come back where a stopped server was. */
  readonly port?: number
  /** Lines of the `[mariadbd]` section of my.cnf, after and so above our own. */
  readonly configLines?: readonly string[]
  /** The superuser's name; `root` if left out. */
  readonly user?: string
  /** The superuser's password. Without one it needs none. */
  readonly password?: string
  /** Accounts besides the superuser. */
  readonly users?: readonly MariadbUser[]
  /** Names of databases besides the server's own. */
  readonly databases?: readonly string[]
  /** The port speaks TLS to those who ask, with certificates made for this server. Clients' are optional. */
  readonly tls?: boolean
  /** Where to look for MariaDB; this machine if left out. */
  readonly surroundings?: Surroundings
}

export interface MariadbServer {
  /** As the superuser, with the password if there is one, and the first of the databases if there is one. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** `10.11.19`. */
  readonly version: string
  /** Undefined for a server that we did not start. */
  readonly pid: number | undefined
  readonly socketPath: string | undefined
  readonly user: string
  readonly password: string | undefined
  readonly tls: Certificates | undefined
  readonly source: 'environment' | 'machine' | 'debian'
  /** Ends the server without a farewell to its clients, and leaves the folder to `stop()`. */
  kill(): Promise<void>
  /** Stops the server if we started it, removes its folder. Stopping twice is the same as stopping once. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const surroundings = options.surroundings ?? thisMachine()
  const url = surroundings.environment[MARIADB.urlVariable]
  if (url && isPlain(options)) return useMariadbAt(url)
  const program = await findMariadb(surroundings)
  const lodging = await openLodging('mariadb')
  try {
    return await startIn({ lodging, program }, options, surroundings)
  } catch (error) {
    await lodging.close()
    throw error
  }
}

function isPlain(options: MariadbOptions): boolean {
  return Object.keys(options).every((name) => name === 'surroundings')
}

async function useMariadbAt(url: string): Promise<MariadbServer> {
  const { hostname, port: portText, username, password } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const port = Number(portText || 3306)
  const version = await askMariadb({ host, port }).catch((error: unknown) => {
    throw new Error(`${MARIADB.urlVariable} names a server that does not answer: ${String(error)}`)
  })
  const nothing = async (): Promise<void> => {}
  return {
    url,
    host,
    port,
    version,
    ...{ pid: undefined, socketPath: undefined, tls: undefined, source: 'environment' },
    user: decodeURIComponent(username) || 'root',
    password: password === '' ? undefined : decodeURIComponent(password),
    kill: () => Promise.reject(new Error('the server belongs to somebody else')),
    stop: nothing,
    [Symbol.asyncDispose]: nothing,
  }
}

interface MariadbProgram {
  readonly source: 'machine' | 'debian'
  readonly server: string
  readonly installer: string
  readonly account: Account | undefined
}

/** The folders are an argument so that a test can describe a machine that has none. */
export async function findMariadb(
  surroundings: Surroundings,
  folders: readonly string[] = MARIADB.folders,
): Promise<MariadbProgram> {
  const server = await findProgram({ ...MARIADB, folders }, surroundings)
  const installer = await findProgram({ ...MARIADB, folders, name: 'mariadb-install-db' }, surroundings)
  if (server.source === 'container' || installer.source === 'container') {
    throw new ServerUnavailableError('MariaDB is not run in a container here')
  }
  return { source: server.source, server: server.path, installer: installer.path, account: accountForRoot(ACCOUNTS) }
}

/** Where the server lives and what it is made with. */
interface Site {
  readonly lodging: Lodging
  readonly program: MariadbProgram
}

async function startIn(site: Site, options: MariadbOptions, surroundings: Surroundings): Promise<MariadbServer> {
  const { folder } = site.lodging
  await giveTo(site.program.account, folder)
  const certificates = options.tls ? await makeCertificates(folder, surroundings) : undefined
  await giveTo(site.program.account, ...Object.values(certificates?.files ?? {}))
  const [anyPort] = (await freePorts(1)) as [number]
  let plan: MariadbPlan = {
    port: options.port ?? anyPort,
    socketPath: join(folder, 'mariadb.sock'),
    data: join(folder, 'data'),
    user: options.user ?? 'root',
    password: options.password,
    users: options.users ?? [],
    databases: options.databases ?? [],
    configLines: options.configLines ?? [],
    certificates,
  }
  const configuration = join(folder, 'my.cnf')
  await writeFor(site.program.account, configuration, myCnf(plan))
  await makeData(site, plan, configuration)
  for (let attempt = 1; ; attempt++) {
    const running = await site.lodging.launch(launchOf(site, site.program.server, [`--defaults-file=${configuration}`]))
    // Asked over the socket: nobody else listens there.
    const outcome = await untilReady(() => askMariadb({ path: plan.socketPath }), running)
    if ('answer' in outcome) return describe(site, plan, running.pid, outcome.answer)
    const log = await readFile(join(folder, 'output.log'), 'utf8')
    const taken = /in use/i.test(log) && options.port === undefined
    if (!taken || attempt === ATTEMPTS_MAX) {
      throw new Error(`mariadbd did not start: ${outcome.failure}\n${errorsOf(log)}`)
    }
    const [otherPort] = (await freePorts(1)) as [number]
    plan = { ...plan, port: otherPort }
    await writeFor(site.program.account, configuration, myCnf(plan))
  }
}

async function makeData(site: Site, plan: MariadbPlan, configuration: string): Promise<void> {
  const { server, installer } = site.program
  // It has to be the first argument: the programs read it there and nowhere else.
  const defaults = `--defaults-file=${configuration}`
  await run(site, installer, [defaults, '--auth-root-authentication-method=normal', '--skip-test-db'])
  const setup = join(site.lodging.folder, 'setup.sql')
  await writeFor(site.program.account, setup, setupStatements(plan))
  await run(site, server, [defaults, '--bootstrap'], setup)
}

/** Runs one of the programs to its end, in the keeper's care like the server itself. */
async function run(site: Site, command: string, args: readonly string[], input?: string): Promise<void> {
  const { code, signal } = await site.lodging.run({ ...launchOf(site, command, args), ...(input && { input }) })
  if (code === 0) return
  const log = await readFile(join(site.lodging.folder, 'output.log'), 'utf8')
  throw new Error(`${basename(command)} failed (${signal ?? code})\n${errorsOf(log)}`)
}

/** None of the MYSQL_… variables of whoever runs this; English. */
function launchOf({ program, lodging }: Site, command: string, args: readonly string[]): Launch {
  const { account } = program
  const environment = { PATH: process.env['PATH'] ?? '', HOME: lodging.folder, TMPDIR: lodging.folder, LC_ALL: 'C' }
  return { command, args, ...(account && { account }), environment, ending: ENDING }
}

function describe(site: Site, plan: MariadbPlan, pid: number, version: string): MariadbServer {
  const { port, socketPath, user, password, certificates, databases } = plan
  const { lodging, program } = site
  const credentials = [user, ...(password === undefined ? [] : [password])].map(encodeURIComponent).join(':')
  const stop = (): Promise<void> => lodging.close()
  return {
    url: `mysql://${credentials}@127.0.0.1:${port}/${encodeURIComponent(databases[0] ?? '')}`,
    host: '127.0.0.1',
    port,
    version,
    pid,
    socketPath,
    user,
    password,
    tls: certificates,
    source: program.source,
    kill: () => lodging.kill('SIGKILL'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** The log is long, and what the installer says last is where to ask for help. */
function errorsOf(log: string): string {
  const lines = log.split('\n')
  const errors = lines.filter((line) => line.includes('ERROR'))
  return (errors.length > 0 ? errors : lines).slice(-12).join('\n')
}

export const MARIADB: ServerNeed = {
  name: 'mariadbd',
  // Not on the PATH of everybody.
  folders: ['/usr/sbin', '/usr/local/sbin'],
  debianPackages: ['mariadb-server'],
  urlVariable: 'IOKERNEL_MARIADB_URL',
}

const ACCOUNTS = ['mysql', 'nobody']
/** It says goodbye and writes its pages, within 400 ms here. */
const ENDING = [{ signal: 'SIGTERM', graceMs: 10_000 }] as const
/** Three processes in a row that take the very port found free: something else is wrong. */
const ATTEMPTS_MAX = 3

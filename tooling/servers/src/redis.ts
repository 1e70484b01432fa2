/**
 * Redis: where it comes from, how it is configured, how one knows that it answers.
 *
 * Every kind of server is one file of this shape: options, a description of what runs, `start<Kind>()`. What they
 * share (folders, processes, ports, certificates, finding the program) is in the files beside.
 *
 * Rules: a server named by `IOKERNEL_REDIS_URL` is used where a plain server will do, and is never configured or
 * stopped; a caller that asks for more (TLS, users, a configuration of its own) gets a server of its own. The
 * password is in a file of a 0700 folder, never among the arguments, which everybody can read.
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Certificates, makeCertificates } from './certificates.ts'
import { type Lodging, openLodging } from './lodging.ts'
import type { Launch } from './messages.ts'
import { freePorts } from './ports.ts'
import { untilReady } from './readiness.ts'
import { askRedis, type RedisAddress } from './redis-probe.ts'
import { type FoundProgram, findProgram, type ServerNeed, type Surroundings, thisMachine } from './surroundings.ts'

export interface RedisOptions {
  /** A port of the caller's choice: to come back where a stopped server was. */
  readonly port?: number
  /** Lines of redis.conf, after and so above our own. */
  readonly configLines?: readonly string[]
  /** The password of the default user. */
  readonly password?: string
  /** Users as ACL rules: `app on >secret ~* &* +@all`. */
  readonly users?: readonly string[]
  /** A second port that speaks TLS, with certificates made for this server. Client certificates are optional. */
  readonly tls?: boolean
  readonly replicaOf?: { readonly host: string; readonly port: number; readonly password?: string }
  /** Where to look for Redis; this machine if left out. */
  readonly surroundings?: Surroundings
}

export interface RedisServer {
  /** With the default user's password, if there is one. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly version: string
  /** Undefined for a server that we did not start. */
  readonly pid: number | undefined
  readonly socketPath: string | undefined
  readonly tls: RedisTls | undefined
  readonly source: 'environment' | FoundProgram['source']
  /** Stops the server if we started it, removes its folder. Stopping twice is the same as stopping once. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface RedisTls extends Certificates {
  readonly url: string
  readonly port: number
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const surroundings = options.surroundings ?? thisMachine()
  const url = surroundings.environment[REDIS.urlVariable]
  if (url && isPlain(options)) return useRedisAt(url)
  const program = await findProgram(REDIS, surroundings)
  const lodging = await openLodging('redis')
  try {
    return await startIn(lodging, program, options, surroundings)
  } catch (error) {
    await lodging.close()
    throw error
  }
}

function isPlain(options: RedisOptions): boolean {
  return Object.keys(options).every((name) => name === 'surroundings')
}

async function useRedisAt(url: string): Promise<RedisServer> {
  const { hostname, port, username, password, protocol } = new URL(url)
  const address: RedisAddress = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 6379),
    secure: protocol === 'rediss:',
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  }
  const version = await askRedis(address).catch((error: unknown) => {
    throw new Error(`${REDIS.urlVariable} names a server that does not answer: ${String(error)}`)
  })
  const { host } = address
  const nothing = async (): Promise<void> => {}
  const unowned = { pid: undefined, socketPath: undefined, tls: undefined, source: 'environment' } as const
  return { url, host, port: address.port, version, ...unowned, stop: nothing, [Symbol.asyncDispose]: nothing }
}

interface Plan {
  readonly major: number
  readonly port: number
  readonly tlsPort: number
  readonly socketPath: string
  readonly certificates: Certificates | undefined
}

async function startIn(
  lodging: Lodging,
  program: FoundProgram,
  options: RedisOptions,
  surroundings: Surroundings,
): Promise<RedisServer> {
  const certificates = options.tls ? await makeCertificates(lodging.folder, surroundings) : undefined
  const major = await majorVersion(program)
  for (let attempt = 1; ; attempt++) {
    const [port, tlsPort] = (await freePorts(2)) as [number, number]
    const socketPath = join(lodging.folder, 'redis.sock')
    const plan: Plan = { major, port: options.port ?? port, tlsPort, socketPath, certificates }
    const configuration = join(lodging.folder, 'redis.conf')
    await writeFile(configuration, configure(plan, options, lodging.folder), { mode: 0o600 })
    const running = await lodging.launch(launchOf(program, lodging.folder, configuration, plan.port))
    const address = { host: '127.0.0.1', port: plan.port, secure: false, user: '', password: options.password ?? '' }
    const outcome = await untilReady(() => askRedis(address), running)
    if ('answer' in outcome) return describe(lodging, program, options, plan, running.pid, outcome.answer)
    const log = await readFile(join(lodging.folder, 'output.log'), 'utf8')
    const taken = /in use/i.test(log) && options.port === undefined
    if (!taken || attempt === ATTEMPTS_MAX) {
      throw new Error(`redis-server did not start: ${outcome.failure}\n${log.split('\n').slice(-12).join('\n')}`)
    }
  }
}

function configure(plan: Plan, options: RedisOptions, folder: string): string {
  const { certificates } = plan
  const lines = [
    `port ${plan.port}`,
    'bind 127.0.0.1',
    `unixsocket ${plan.socketPath}`,
    'unixsocketperm 700',
    `dir ${folder}`,
    'daemonize no',
    'save ""',
    'appendonly no',
    // Tests cut connections, fake errors and put the server to sleep with DEBUG; before 7 it needs no permission.
    ...(plan.major >= 7 ? ['enable-debug-command yes'] : []),
    // A replica of a test must not wait for the next cron of an idle primary.
    'repl-diskless-sync-delay 0',
    ...(options.password ? [`requirepass ${quote(options.password)}`, `masterauth ${quote(options.password)}`] : []),
    ...(options.users ?? []).map((user) => `user ${user}`),
    ...(options.replicaOf ? [`replicaof ${options.replicaOf.host} ${options.replicaOf.port}`] : []),
    ...(options.replicaOf?.password ? [`masterauth ${quote(options.replicaOf.password)}`] : []),
  ]
  if (certificates) {
    lines.push(`tls-port ${plan.tlsPort}`, 'tls-auth-clients optional', `tls-ca-cert-file ${certificates.files.ca}`)
    lines.push(`tls-cert-file ${certificates.files.serverCert}`, `tls-key-file ${certificates.files.serverKey}`)
  }
  return [...lines, ...(options.configLines ?? []), ''].join('\n')
}

/** Asked of the program and not of the server: the configuration depends on it. */
async function majorVersion(program: FoundProgram): Promise<number> {
  if (program.source === 'container') return Number(/:(\d+)/.exec(program.image)?.[1])
  const { stdout } = await promisify(execFile)(program.path, ['--version'])
  return Number(/v=(\d+)\./.exec(stdout)?.[1])
}

function launchOf(program: FoundProgram, folder: string, configuration: string, port: number): Launch {
  if (program.source !== 'container') {
    return { command: program.path, args: [configuration], ending: ENDING }
  }
  const name = `iokernel-redis-${process.pid}-${port}`
  const user = process.getuid ? ['--user', `${process.getuid()}:${process.getgid?.()}`] : []
  const place = ['--network', 'host', '--volume', `${folder}:${folder}`]
  return {
    command: 'docker',
    args: ['run', '--rm', '--name', name, ...user, ...place, program.image, 'redis-server', configuration],
    ending: ENDING,
    farewell: { command: 'docker', args: ['rm', '--force', name] },
  }
}

function describe(
  lodging: Lodging,
  program: FoundProgram,
  options: RedisOptions,
  plan: Plan,
  pid: number,
  version: string,
): RedisServer {
  const credentials = options.password ? `:${encodeURIComponent(options.password)}@` : ''
  const { port, tlsPort, certificates } = plan
  const stop = (): Promise<void> => lodging.close()
  return {
    url: `redis://${credentials}127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    version,
    pid,
    socketPath: plan.socketPath,
    tls: certificates && { ...certificates, port: tlsPort, url: `rediss://${credentials}127.0.0.1:${tlsPort}` },
    source: program.source,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** As redis.conf reads a quoted word. */
function quote(word: string): string {
  return `"${word.replace(/[\\"]/g, '\\$&')}"`
}

export const REDIS: ServerNeed = {
  name: 'redis-server',
  folders: [],
  debianPackages: ['redis-server'],
  containerImage: 'redis:7',
  urlVariable: 'IOKERNEL_REDIS_URL',
}

/** Redis ends within milliseconds of a SIGTERM unless a script runs. */
const ENDING = [{ signal: 'SIGTERM', graceMs: 2_000 }] as const
/** Three processes in a row that take the very port found free: something else is wrong. */
const ATTEMPTS_MAX = 3

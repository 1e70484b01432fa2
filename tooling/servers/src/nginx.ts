/**
 * nginx servers of our own, in temporary folders and on free ports: files, locations, TLS, limits of keep-alive.
 *
 * Theory of operation: everything it reads or writes lies in its lodging: the configuration, the files, the bodies it
 * puts aside. With one worker it is one process (`master_process off`), so that whatever kills it leaves nothing
 * behind; several workers need a master, and a master that is killed with SIGKILL would leave them, so that one is
 * only ever told to stop. A second socket of its own answers whether it is ready and how many connections it took.
 *
 * Rules: our lines stand at the level `http`, the caller's in `server`, where each of ours may be said again. Started
 * by root it runs as `www-data` or `nobody`: it serves files, and to everybody on the machine.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { dirname, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { type Certificates, makeCertificates } from './certificates.ts'
import { type Lodging, openLodging } from './lodging.ts'
import { freePorts } from './ports.ts'
import { giveTo, writeFor } from './possession.ts'
import { untilReady } from './readiness.ts'
import {
  type Account,
  accountForRoot,
  findProgram,
  type ProgramNeed,
  ServerUnavailableError,
  type Surroundings,
  thisMachine,
} from './surroundings.ts'

export interface NginxOptions {
  /** A port of the caller's choice: to come back where a stopped server was. */
  readonly port?: number
  /** What it serves, by path without the first slash: `{ 'a/b.json': '{}' }`. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Lines of the `server` block: `location /empty { return 204; }`. */
  readonly serverLines?: readonly string[]
  /** A second port that speaks TLS, with certificates made for this server. Client certificates are optional. */
  readonly tls?: boolean
  readonly keepalive?: {
    /** The connection is closed after so many requests; 1000 if left out, nginx's own default. */
    readonly requests?: number
    /** The connection is closed after so long without a request; 75 s if left out, nginx's own default. */
    readonly timeoutMs?: number
  }
  /** Processes that serve; 1 if left out. */
  readonly workers?: number
  /** Where to look for nginx; this machine if left out. */
  readonly surroundings?: Surroundings
}

export interface NginxServer {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly version: string
  readonly pid: number
  readonly socketPath: string
  /** What it serves lies here: a file that is written here while it runs is served from then on. */
  readonly filesFolder: string
  readonly tls: NginxTls | undefined
  readonly source: 'machine' | 'debian'
  /** How many connections clients have made since the start. */
  accepted(): Promise<number>
  /** Ends the server, in the middle of a response too, and leaves the folder to `stop()`. */
  kill(): Promise<void>
  /** Stops the server, removes its folder. Stopping twice is the same as stopping once. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface NginxTls extends Certificates {
  readonly url: string
  readonly port: number
}

export async function startNginx(options: NginxOptions = {}): Promise<NginxServer> {
  const surroundings = options.surroundings ?? thisMachine()
  const program = await findNginx(surroundings)
  const lodging = await openLodging('nginx')
  try {
    return await startIn({ lodging, program }, options, surroundings)
  } catch (error) {
    await lodging.close()
    throw error
  }
}

interface NginxProgram {
  readonly source: 'machine' | 'debian'
  readonly path: string
  readonly version: string
  readonly account: Account | undefined
}

/** The folders are an argument so that a test can describe a machine that has none. */
export async function findNginx(
  surroundings: Surroundings,
  folders: readonly string[] = NGINX.folders,
): Promise<NginxProgram> {
  const found = await findProgram({ ...NGINX, folders }, surroundings)
  if (found.source === 'container') throw new ServerUnavailableError('nginx is not run in a container here')
  // It says its version where others complain.
  const { stderr } = await promisify(execFile)(found.path, ['-v'])
  const version = /nginx\/(\S+)/.exec(stderr)?.[1] ?? 'unknown'
  return { source: found.source, path: found.path, version, account: accountForRoot(ACCOUNTS) }
}

/** Where the server lives and what it is made with. */
interface Site {
  readonly lodging: Lodging
  readonly program: NginxProgram
}

interface Plan {
  readonly folder: string
  readonly port: number
  readonly tlsPort: number
  readonly workers: number
  readonly certificates: Certificates | undefined
}

async function startIn(site: Site, options: NginxOptions, surroundings: Surroundings): Promise<NginxServer> {
  const { lodging, program } = site
  const { folder } = lodging
  await giveTo(program.account, folder)
  const certificates = options.tls ? await makeCertificates(folder, surroundings) : undefined
  await giveTo(program.account, ...Object.values(certificates?.files ?? {}))
  await writeFiles(site, options.files ?? {})
  const workers = options.workers ?? 1
  for (let attempt = 1; ; attempt++) {
    const [port, tlsPort] = (await freePorts(2)) as [number, number]
    const plan: Plan = { folder, port: options.port ?? port, tlsPort, workers, certificates }
    const configuration = join(folder, 'nginx.conf')
    await writeFor(program.account, configuration, configure(plan, options))
    const args = ['-p', folder, '-c', configuration, '-e', 'stderr']
    const running = await lodging.launch({
      command: program.path,
      args,
      ...(program.account && { account: program.account }),
      ending: ENDING,
    })
    const outcome = await untilReady(() => askAccepted(folder), running)
    if ('answer' in outcome) return describe(site, plan, running.pid)
    const log = await readFile(join(folder, 'output.log'), 'utf8')
    const taken = /in use/i.test(log) && options.port === undefined
    if (!taken || attempt === ATTEMPTS_MAX) {
      throw new Error(`nginx did not start: ${outcome.failure}\n${log.split('\n').slice(-12).join('\n')}`)
    }
  }
}

async function writeFiles({ lodging, program }: Site, files: NonNullable<NginxOptions['files']>): Promise<void> {
  const root = filesFolderOf(lodging.folder)
  await mkdir(root, { mode: 0o700 })
  await giveTo(program.account, root)
  for (const [name, content] of Object.entries(files)) {
    if (normalize(name).startsWith('..')) throw new TypeError('a file of the server has to lie inside its folder')
    let folder = root
    for (const part of dirname(normalize(name)).split('/')) {
      folder = join(folder, part)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await giveTo(program.account, folder)
    }
    await writeFor(program.account, join(root, name), content)
  }
}

function configure(plan: Plan, options: NginxOptions): string {
  const { folder, certificates } = plan
  const { requests = 1000, timeoutMs = 75_000 } = options.keepalive ?? {}
  const aside = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const secure = certificates && [
    `listen 127.0.0.1:${plan.tlsPort} ssl;`,
    `ssl_certificate ${certificates.files.serverCert};`,
    `ssl_certificate_key ${certificates.files.serverKey};`,
    `ssl_client_certificate ${certificates.files.ca};`,
    'ssl_verify_client optional;',
  ]
  return [
    'daemon off;',
    plan.workers === 1 ? 'master_process off;' : `worker_processes ${plan.workers};`,
    `pid ${folder}/nginx.pid;`,
    'error_log stderr;',
    // Twice nginx's own default: no test of many connections runs into it by accident.
    'events { worker_connections 1024; }',
    'http {',
    ...aside.map((what) => `${what}_temp_path ${folder}/${what};`),
    'access_log off;',
    'default_type application/octet-stream;',
    'types { application/json json; text/plain txt; text/html html; }',
    `keepalive_requests ${requests};`,
    `keepalive_timeout ${timeoutMs}ms;`,
    // Tests upload more than nginx's own 1 MB.
    'client_max_body_size 0;',
    `server { listen unix:${folder}/status.sock; location / { stub_status; } }`,
    'server {',
    `listen 127.0.0.1:${plan.port};`,
    `listen unix:${socketPathOf(plan)};`,
    ...(secure ?? []),
    `root ${filesFolderOf(folder)};`,
    ...(options.serverLines ?? []),
    '}',
    '}',
    '',
  ].join('\n')
}

/** Over the socket that is ours alone: how many connections it has taken, this one among them. */
function askAccepted(folder: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ socketPath: join(folder, 'status.sock'), agent: false }, async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('')
      resolve(Number(/accepts handled requests\s+(\d+)/.exec(text)?.[1]))
    })
    request.setTimeout(ANSWER_TIMEOUT_MS, () => request.destroy(new Error('no answer')))
    request.on('error', reject)
  })
}

async function describe(site: Site, plan: Plan, pid: number): Promise<NginxServer> {
  const { lodging, program } = site
  const { port, tlsPort, certificates, folder } = plan
  const atStart = await askAccepted(folder)
  let asked = 0
  const stop = (): Promise<void> => lodging.close()
  return {
    url: `http://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    version: program.version,
    pid,
    socketPath: socketPathOf(plan),
    filesFolder: filesFolderOf(folder),
    tls: certificates && { ...certificates, port: tlsPort, url: `https://127.0.0.1:${tlsPort}` },
    source: program.source,
    accepted: async () => (await askAccepted(folder)) - atStart - ++asked,
    kill: () => lodging.kill(plan.workers === 1 ? 'SIGKILL' : 'SIGTERM'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function socketPathOf({ folder }: Plan): string {
  return join(folder, 'nginx.sock')
}

function filesFolderOf(folder: string): string {
  return join(folder, 'files')
}

export const NGINX: ProgramNeed = {
  name: 'nginx',
  // Not on the PATH of everybody.
  folders: ['/usr/sbin', '/usr/local/sbin'],
  debianPackages: ['nginx-light'],
}

const ACCOUNTS = ['www-data', 'nobody']
/** nginx ends within milliseconds of a SIGTERM, whatever its clients do. */
const ENDING = [{ signal: 'SIGTERM', graceMs: 2_000 }] as const
const ANSWER_TIMEOUT_MS = 2_000
/** Three processes in a row that take the very port found free: something else is wrong. */
const ATTEMPTS_MAX = 3

/**
 * Neovims of our own: real peers for msgpack-rpc, on a socket or on a port, without a screen and without anybody's
 * configuration.
 *
 * Rules: whoever connects can have it run any program, so it never runs as root: started by root it runs as `nobody`.
 * `--clean` and a home of its own: no plugin of the machine's is loaded, and nothing is left behind.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Lodging, openLodging } from './lodging.ts'
import { freePorts } from './ports.ts'
import { giveTo } from './possession.ts'
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

export interface NeovimOptions {
  /** Where it listens; `unix` if left out. */
  readonly listen?: 'tcp' | 'unix'
  /** A port of the caller's choice: to come back where a stopped one was. */
  readonly port?: number
  /** Where to look for Neovim; this machine if left out. */
  readonly surroundings?: Surroundings
}

export interface Neovim {
  readonly host: string
  /** Undefined where it listens on a socket. */
  readonly port: number | undefined
  /** Undefined where it listens on a port. */
  readonly socketPath: string | undefined
  readonly version: string
  readonly pid: number
  readonly source: 'machine' | 'debian'
  /** Ends it at once, and leaves the folder to `stop()`. */
  kill(): Promise<void>
  /** Stops it, removes its folder. Stopping twice is the same as stopping once. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startNeovim(options: NeovimOptions = {}): Promise<Neovim> {
  const program = await findNeovim(options.surroundings ?? thisMachine())
  const lodging = await openLodging('neovim')
  try {
    return await startIn(lodging, program, options)
  } catch (error) {
    await lodging.close()
    throw error
  }
}

interface NeovimProgram {
  readonly source: 'machine' | 'debian'
  readonly path: string
  readonly version: string
  readonly account: Account | undefined
}

async function findNeovim(surroundings: Surroundings): Promise<NeovimProgram> {
  const found = await findProgram(NEOVIM, surroundings)
  if (found.source === 'container') throw new ServerUnavailableError('Neovim is not run in a container here')
  const { stdout } = await promisify(execFile)(found.path, ['--version'])
  const version = /NVIM v(\S+)/.exec(stdout)?.[1] ?? 'unknown'
  return { source: found.source, path: found.path, version, account: accountForRoot(ACCOUNTS) }
}

async function startIn(lodging: Lodging, program: NeovimProgram, options: NeovimOptions): Promise<Neovim> {
  const { folder } = lodging
  const { account } = program
  await giveTo(account, folder)
  for (let attempt = 1; ; attempt++) {
    const [anyPort] = (await freePorts(1)) as [number]
    const port = options.listen === 'tcp' ? (options.port ?? anyPort) : undefined
    const socketPath = port === undefined ? join(folder, 'nvim.sock') : undefined
    const running = await lodging.launch({
      command: program.path,
      args: ['--headless', '--clean', '-n', '--listen', socketPath ?? `127.0.0.1:${port}`],
      ...(account && { account }),
      environment: environmentOf(folder),
      ending: ENDING,
    })
    const outcome = await untilReady(() => askPid(socketPath, port), running)
    const own = 'answer' in outcome && outcome.answer === running.pid
    if (own) return describe(lodging, program, { port, socketPath, pid: running.pid })
    // A Neovim that cannot have its port says nothing, lives on and listens nowhere.
    const taken = 'answer' in outcome
    await lodging.kill('SIGKILL')
    if (!taken || options.port !== undefined || attempt === ATTEMPTS_MAX) {
      const log = await readFile(join(folder, 'output.log'), 'utf8')
      const failure = taken ? 'another process listens on its port' : outcome.failure
      throw new Error(`nvim did not start: ${failure}\n${log.split('\n').slice(-12).join('\n')}`)
    }
  }
}

/** Nothing of whoever runs this: no plugins, no address of another Neovim. */
function environmentOf(folder: string): Readonly<Record<string, string>> {
  const own = Object.fromEntries(['CONFIG', 'DATA', 'STATE', 'CACHE'].map((what) => [`XDG_${what}_HOME`, folder]))
  return { ...own, PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder, LC_ALL: 'C' }
}

/** Asks whoever listens there which process it is: on a port it may be another. */
async function askPid(socketPath: string | undefined, port: number | undefined): Promise<number> {
  const socket = socketPath === undefined ? connect(port as number, '127.0.0.1') : connect(socketPath)
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
  try {
    socket.write(WHICH_PID)
    let heard = Buffer.alloc(0)
    for await (const chunk of socket) {
      heard = Buffer.concat([heard, chunk])
      const pid = readPid(heard)
      if (pid !== undefined) return pid
    }
    throw new Error('the connection closed before the answer')
  } finally {
    socket.destroy()
  }
}

/** `[1, 0, nil, pid]`; undefined until it is there whole. */
function readPid(answer: Buffer): number | undefined {
  const type = answer[ANSWER_HEAD_BYTES]
  if (type === undefined) return undefined
  if (type <= MSGPACK.fixedPositiveMax) return type
  const bytes = { [MSGPACK.uint8]: 1, [MSGPACK.uint16]: 2, [MSGPACK.uint32]: 4 }[type]
  if (bytes === undefined) throw new Error('the peer does not say its pid: it is no Neovim')
  const at = ANSWER_HEAD_BYTES + 1
  return answer.length < at + bytes ? undefined : answer.readUIntBE(at, bytes)
}

function describe(
  lodging: Lodging,
  { version, source }: NeovimProgram,
  running: Pick<Neovim, 'port' | 'socketPath' | 'pid'>,
): Neovim {
  const stop = (): Promise<void> => lodging.close()
  return {
    ...running,
    host: '127.0.0.1',
    version,
    source,
    kill: () => lodging.kill('SIGKILL'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** The request `[0, 0, "nvim_eval", ["getpid()"]]`. */
const WHICH_PID = Buffer.from('\x94\0\0\xa9nvim_eval\x91\xa8getpid()', 'latin1')
/** An array of four, the type of an answer, the id of the request, nil for no error. */
const ANSWER_HEAD_BYTES = 4
const MSGPACK = { fixedPositiveMax: 0x7f, uint8: 0xcc, uint16: 0xcd, uint32: 0xce } as const
const ANSWER_TIMEOUT_MS = 2_000

export const NEOVIM: ProgramNeed = { name: 'nvim', folders: [], debianPackages: ['neovim'] }

const ACCOUNTS = ['nobody']
/** It ends within milliseconds of a SIGTERM, unless a script of a client's keeps it. */
const ENDING = [{ signal: 'SIGTERM', graceMs: 2_000 }] as const
/** Three processes in a row that take the very port found free: something else is wrong. */
const ATTEMPTS_MAX = 3

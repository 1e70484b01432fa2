/**
 * A lodging: a temporary folder and at most one program at a time running in it, both held by the keeper.
 *
 * Theory of operation: this process starts one keeper when it first needs one and talks to it over two pipes. The
 * keeper never keeps this process alive unless an answer is being waited for; when this process ends, however it
 * ends, the keeper stops every program and removes every folder.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { KeeperReport, KeeperRequest, Launch } from './messages.ts'

/** Both null if the keeper itself ended: nobody can tell any more. */
export interface ProgramExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface RunningProgram {
  readonly pid: number
  /** Waiting for it does not keep this process alive. */
  readonly exited: Promise<ProgramExit>
}

export interface Lodging {
  readonly folder: string
  /** Starts the program. A second one may follow when the first has exited. */
  launch(launch: Launch): Promise<RunningProgram>
  /** Runs a program that ends by itself. */
  run(launch: Launch): Promise<ProgramExit>
  /** Sends the program this signal, which it must die of, and waits for its end. The folder stays. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Stops the program and removes the folder. Closing twice is the same as closing once. */
  close(): Promise<void>
}

export async function openLodging(name: string): Promise<Lodging> {
  keeper ??= startKeeper()
  const own = keeper
  const lodging = own.nextLodging++
  const opened = await own.ask({ do: 'open', lodging, name }, 'open')
  let closed: Promise<void> | undefined
  let killed: Promise<unknown> = Promise.resolve()
  const launch = async (program: Launch): Promise<RunningProgram> => {
    const exited = new Promise<ProgramExit>((resolve) => own.exits.set(lodging, resolve))
    const { pid } = await own.ask({ do: 'launch', lodging, launch: program }, 'launch')
    return { pid, exited }
  }
  return {
    folder: opened.folder,
    launch,
    async run(program) {
      const { exited } = await launch(program)
      return own.hold(exited)
    },
    async kill(signal) {
      // One request of a lodging at a time. A closed one has nothing left to kill.
      if (closed) return closed
      killed = killed.then(() => own.ask({ do: 'kill', lodging, signal }, 'kill'))
      await killed
    },
    close() {
      closed ??= killed.then(() => own.ask({ do: 'close', lodging }, 'close')).then(() => {})
      return closed
    },
  }
}

type Report<Did extends KeeperReport['did']> = Extract<KeeperReport, { did: Did }>

interface Keeper {
  nextLodging: number
  readonly exits: Map<number, (exit: ProgramExit) => void>
  /** Keeps this process alive until the promise is settled. */
  hold<Value>(promise: Promise<Value>): Promise<Value>
  ask<Did extends 'open' | 'launch' | 'kill' | 'close'>(request: KeeperRequest, did: Did): Promise<Report<Did>>
}

interface Waiting {
  readonly did: KeeperReport['did']
  resolve(report: KeeperReport): void
  reject(error: Error): void
}

let keeper: Keeper | undefined

function startKeeper(): Keeper {
  // `detached` gives it a process group of its own, out of reach of Ctrl-C; the pipe is what ties it to us.
  const child = spawn(process.execPath, [keeperProgram()], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  const exits = new Map<number, (exit: ProgramExit) => void>()
  const waiting = new Map<number, Waiting>()
  let held = 0
  const holdIfNeeded = (): void => holdOpen(child, waiting.size + held > 0)
  const settle = (lodging: number, action: (waiter: Waiting) => void): void => {
    const waiter = waiting.get(lodging)
    waiting.delete(lodging)
    holdIfNeeded()
    if (waiter) action(waiter)
  }
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const report = JSON.parse(line) as KeeperReport
    if (report.did === 'exit') return exits.get(report.lodging)?.({ code: report.code, signal: report.signal })
    settle(report.lodging, (waiter) => {
      if (report.did === 'fail') waiter.reject(new Error(`the keeper could not ${waiter.did}: ${report.reason}`))
      else waiter.resolve(report)
    })
  })
  child.once('exit', () => {
    keeper = undefined
    for (const resolve of exits.values()) resolve({ code: null, signal: null })
    for (const lodging of [...waiting.keys()]) {
      settle(lodging, (waiter) => waiter.reject(new Error('the keeper of the servers ended unexpectedly')))
    }
  })
  return {
    nextLodging: 1,
    exits,
    hold(promise) {
      held++
      holdIfNeeded()
      return promise.finally(() => {
        held--
        holdIfNeeded()
      })
    },
    ask(request, did) {
      return new Promise((resolve, reject) => {
        waiting.set(request.lodging, { did, resolve: resolve as Waiting['resolve'], reject })
        holdIfNeeded()
        child.stdin?.write(`${JSON.stringify(request)}\n`)
      })
    },
  }
}

/** Under a test runner this file is TypeScript, and the keeper beside it is what the build made of it. */
function keeperProgram(): string {
  const beside = fileURLToPath(new URL('./keeper.js', import.meta.url))
  return existsSync(beside) ? beside : fileURLToPath(new URL('../dist/keeper.js', import.meta.url))
}

function holdOpen(child: ChildProcess, hold: boolean): void {
  const handles = [child, child.stdin, child.stdout] as unknown as readonly { ref(): void; unref(): void }[]
  for (const handle of handles) hold ? handle.ref() : handle.unref()
}

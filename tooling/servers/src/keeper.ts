/**
 * The keeper: a small process that starts servers for its parent and outlives it just long enough to clean up.
 *
 * Rules:
 * 1. It knows that its parent is gone by one sign only: stdin has closed. The system closes a pipe whatever killed
 *    its owner, SIGKILL included, so this needs no polling and no pid of the parent.
 * 2. It ends what it started and nothing else: its own children, by the handle it got when it started them.
 * 3. It makes the temporary folders itself, so there is no moment when one exists and nobody owns it.
 * 4. It leads a process group of its own and ignores SIGINT and SIGHUP: Ctrl-C reaches the parent, the parent ends,
 *    stdin closes. SIGTERM means the same as a closed stdin.
 *
 * Limit: a keeper that is itself killed with SIGKILL leaves its servers behind. Nothing portable prevents that.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { KeeperReport, KeeperRequest, Launch } from './messages.ts'

interface Lodger {
  folder: string
  running: { readonly child: ChildProcess; readonly launch: Launch; readonly exited: Promise<void> } | undefined
  /** Requests for one lodging are carried out in the order they came; lodgings do not wait for each other. */
  queue: Promise<void>
}

const lodgers = new Map<number, Lodger>()
let leaving = false

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => receive(JSON.parse(line)))
lines.on('close', leave)
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
process.on('SIGTERM', leave)
// The parent may be gone before it has read the last report.
process.stdout.on('error', () => {})

function receive(request: KeeperRequest): void {
  if (leaving) return
  const lodger = lodgers.get(request.lodging) ?? { folder: '', running: undefined, queue: Promise.resolve() }
  lodgers.set(request.lodging, lodger)
  lodger.queue = lodger.queue
    .then(() => carryOut(request, lodger))
    .catch((error: unknown) => {
      report({ did: 'fail', lodging: request.lodging, reason: String(error) })
    })
}

async function carryOut(request: KeeperRequest, lodger: Lodger): Promise<void> {
  switch (request.do) {
    case 'open':
      lodger.folder = await mkdtemp(join(tmpdir(), `iokernel-${request.name}-`))
      return report({ did: 'open', lodging: request.lodging, folder: lodger.folder })
    case 'launch':
      return launch(request.lodging, lodger, request.launch)
    case 'kill':
      lodger.running?.child.kill(request.signal)
      await lodger.running?.exited
      return report({ did: 'kill', lodging: request.lodging })
    case 'close':
      await end(lodger)
      lodgers.delete(request.lodging)
      return report({ did: 'close', lodging: request.lodging })
  }
}

async function launch(lodging: number, lodger: Lodger, program: Launch): Promise<void> {
  const log = openSync(join(lodger.folder, 'output.log'), 'a')
  const input = program.input === undefined ? undefined : openSync(program.input, 'r')
  const child = spawn(program.command, program.args, {
    cwd: lodger.folder,
    stdio: [input ?? 'ignore', log, log],
    ...program.account,
    ...(program.environment && { env: program.environment }),
  })
  closeSync(log)
  if (input !== undefined) closeSync(input)
  await once(child, 'spawn')
  const exited = once(child, 'exit').then(([code, signal]) => report({ did: 'exit', lodging, code, signal }))
  lodger.running = { child, launch: program, exited }
  report({ did: 'launch', lodging, pid: child.pid as number })
}

async function end(lodger: Lodger): Promise<void> {
  if (lodger.running) {
    const { child, launch: program, exited } = lodger.running
    for (const { signal, graceMs } of program.ending) {
      child.kill(signal)
      // A program stopped by SIGSTOP would not see the signal before the grace is over.
      child.kill('SIGCONT')
      if (await within(graceMs, exited)) break
    }
    child.kill('SIGKILL')
    await exited
    if (program.farewell) {
      await once(spawn(program.farewell.command, program.farewell.args, { stdio: 'ignore' }), 'close').catch(() => {})
    }
  }
  // What a killed program had started may write for a moment longer; `rm` meets that as a folder that is not empty.
  if (lodger.folder !== '') await rm(lodger.folder, { recursive: true, force: true, maxRetries: 5 })
}

/** False if the time is over first. */
async function within(graceMs: number, exited: Promise<void>): Promise<boolean> {
  let impatience: NodeJS.Timeout | undefined
  const tooLong = new Promise<boolean>((resolve) => {
    impatience = setTimeout(resolve, graceMs, false)
  })
  const ended = await Promise.race([exited.then(() => true), tooLong])
  clearTimeout(impatience)
  return ended
}

function leave(): void {
  if (leaving) return
  leaving = true
  const endings = [...lodgers.values()].map((lodger) => lodger.queue.then(() => end(lodger)))
  void Promise.allSettled(endings).then(() => process.exit(0))
}

function report(what: KeeperReport): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

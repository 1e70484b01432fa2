/**
 * Starts a service of our own as a process of its own, and stops it.
 *
 * Rules: it has a process group of its own, so Ctrl-C reaches the gateway alone, which stops it when nothing needs it
 * any more; the pipe to its stdin is what ties it to us (life.ts). Its stderr is ours.
 *
 * Limit: one that ends by itself is not started again. The gateway says so: `GET /health`.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Listening } from './life.ts'

export interface Service extends Listening {
  readonly host: string
  readonly pid: number
  /** Idempotent. */
  stop(): Promise<void>
}

type Child = ChildProcessByStdio<Writable, Readable, null>

/** The HTTP service: files (files/server.ts). */
export function startFileService(): Promise<Service> {
  return start(new URL('./files/program.js', import.meta.url))
}

/** The msgpack-rpc service: jobs (jobs/server.ts). */
export function startJobService(): Promise<Service> {
  return start(new URL('./jobs/program.js', import.meta.url))
}

async function start(program: URL): Promise<Service> {
  const child: Child = spawn(process.execPath, [built(program)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  // It may have ended before it is told to.
  child.stdin.on('error', () => undefined)
  const exited = once(child, 'exit')
  exited.catch(() => undefined)
  try {
    const { version, port } = await listening(child, exited)
    child.unref()
    let stopped: Promise<void> | undefined
    const stop = (): Promise<void> => {
      stopped ??= end(child, exited)
      return stopped
    }
    return { version, port, host: '127.0.0.1', pid: child.pid as number, stop }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

async function listening(child: Child, exited: Promise<unknown>): Promise<Listening> {
  const lines = createInterface(child.stdout)
  const givenUp = AbortSignal.timeout(READY_TIMEOUT_MS)
  const ended = exited.then(() => Promise.reject(new Error('a service of the gateway ended at once')))
  const [line] = (await Promise.race([once(lines, 'line', { signal: givenUp }), ended])) as [string]
  lines.close()
  child.stdout.destroy()
  return JSON.parse(line) as Listening
}

async function end(child: Child, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  child.stdin.end()
  const impatience = setTimeout(() => child.kill('SIGKILL'), ENDING_MS_MAX)
  await exited
  clearTimeout(impatience)
}

/** Under a test runner this file is TypeScript, and the program is what the build made of it. */
function built(program: URL): string {
  const path = fileURLToPath(program)
  return existsSync(path) ? path : path.replace(/([\\/])src([\\/]services[\\/])/, '$1dist$2')
}

/** Node starts within 50 ms here; a busy machine is many times slower. */
const READY_TIMEOUT_MS = 30_000
/** It has nothing to finish: a few milliseconds here. */
const ENDING_MS_MAX = 2_000

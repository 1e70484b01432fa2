/**
 * A program that is measured beside the Node clients: run to its end, with its output, its processor time and memory.
 *
 * Limits: time and memory are read from /proc every 20 ms while it runs, so up to 2 % of a round's are missed at its
 * end; its start is included. Only its main thread is looked at: these programs have one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { SkippedError } from '../harness/contestant.ts'
import { threadCpuUsOf } from '../harness/cpu.ts'

export interface Finished {
  readonly output: string
  readonly cpuUs: number
  readonly rssBytes: number
}

export interface ProgramCall {
  readonly program: string
  readonly args: readonly string[]
  /** Besides our own. */
  readonly environment?: Readonly<Record<string, string>>
  /** What to say where the program is missing. */
  readonly advice: string
}

/** Throws `SkippedError` where there is no such program. */
export async function runProgram({ program, args, environment, advice }: ProgramCall): Promise<Finished> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
  let output = ''
  let complaints = ''
  child.stdout.on('data', (piece) => {
    output += piece
  })
  child.stderr.on('data', (piece) => {
    complaints += piece
  })
  let cpuUs = 0
  let rssBytes = 0
  const look = (): void => {
    const pid = child.pid as number
    cpuUs = threadCpuUsOf(pid) ?? cpuUs
    rssBytes = rssBytesOf(pid) ?? rssBytes
  }
  const looking = setInterval(look, LOOK_INTERVAL_MS)
  try {
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaints.trim()}`)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    throw new SkippedError(advice)
  } finally {
    clearInterval(looking)
  }
  return { output, cpuUs, rssBytes }
}

function rssBytesOf(pid: number): number | undefined {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024
  } catch {
    return undefined
  }
}

const LOOK_INTERVAL_MS = 20

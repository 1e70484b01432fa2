/**
 * Processor time of this process, and of its main thread alone.
 *
 * Theory of operation: the process's time is `process.cpuUsage()`, which Linux scales from its exact run time. The main
 * thread's (its id is the process's) is read, by preference, from `/proc/self/task/<tid>/schedstat` (nanoseconds), from
 * `process.threadCpuUsage()` (Node 23.9+), and from `/proc/self/task/<tid>/stat` (ticks of 10 ms: over a round of a
 * second, 1 %). Utilisation of the event loop is no processor time and is not used.
 */
import { readFileSync } from 'node:fs'

export interface CpuTimes {
  readonly processUs: number
  /** NaN where the system does not tell. */
  readonly mainThreadUs: number
}

/** On the main thread. */
export function cpuTimes(): CpuTimes {
  const { user, system } = process.cpuUsage()
  return { processUs: user + system, mainThreadUs: mainThreadUs() }
}

export function cpuSince(before: CpuTimes): CpuTimes {
  const now = cpuTimes()
  return { processUs: now.processUs - before.processUs, mainThreadUs: now.mainThreadUs - before.mainThreadUs }
}

/** What another process's main thread has used; for programs that are not Node. Undefined when it is gone. */
export function threadCpuUsOf(pid: number): number | undefined {
  return fromSchedstat(pid) ?? fromStat(pid)
}

function mainThreadUs(): number {
  return fromSchedstat(process.pid) ?? fromNode() ?? fromStat(process.pid) ?? Number.NaN
}

function fromSchedstat(pid: number): number | undefined {
  const runNs = Number(read(`/proc/${pid}/task/${pid}/schedstat`)?.split(' ')[0])
  // A system that does not keep it says 0.
  return runNs > 0 ? runNs / 1_000 : undefined
}

function fromNode(): number | undefined {
  const { threadCpuUsage } = process as { threadCpuUsage?: () => { user: number; system: number } }
  const usage = threadCpuUsage?.()
  return usage && usage.user + usage.system
}

function fromStat(pid: number): number | undefined {
  // The name of the program, in parentheses, may contain spaces.
  const fields = read(`/proc/${pid}/task/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
  return fields && (Number(fields[UTIME]) + Number(fields[UTIME + 1])) * TICK_US
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/** Field 14 of proc(5), counted after the name, which is field 2. */
const UTIME = 11
/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000

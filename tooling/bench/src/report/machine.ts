/** On what it was measured: a number without its machine says nothing. */
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly node: string
  readonly server: string
  /** Of the minute before the run: above 0.2 or so, the numbers are somebody else's too. */
  readonly loadBefore: number
  readonly date: string
}

export function machine(server: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    server,
    loadBefore: Math.round((loadavg()[0] as number) * 100) / 100,
    date: new Date().toISOString(),
  }
}

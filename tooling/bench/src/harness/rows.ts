/** Results: the rows that every suite writes, each the median over its rounds. */
import type { Measured } from './messages.ts'
import { median } from './statistics.ts'

/** The form of `--json`; its names are read by others. */
export interface Row {
  readonly subject: string
  readonly operation: string
  readonly bytes: number
  readonly inFlight: number
  readonly opsPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly cpuUsPerOp: number
  /** Null where the system does not tell. */
  readonly mainCpuUsPerOp: number | null
  readonly rssMb: number
}

/** A subject under a fixed rate. */
export interface OpenLoopRow {
  readonly subject: string
  readonly ratePerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly p999Us: number
  readonly cpuUsPerOp: number
}

/** A subject connected and doing nothing. */
export interface RestRow {
  readonly subject: string
  readonly cpuPercent: number
  readonly rssMb: number
}

export function rowOf(
  subject: string,
  cell: { readonly operation: string; readonly bytes: number; readonly inFlight: number },
  rounds: readonly Measured[],
): Row {
  const { operation, bytes, inFlight } = cell
  const mainCpu = rounds.map((round) => (round.mainCpuUs === null ? Number.NaN : round.mainCpuUs / round.operations))
  return {
    subject,
    operation,
    bytes,
    inFlight,
    opsPerSecond: rounded(over(rounds, (round) => (round.operations * 1_000) / round.elapsedMs)),
    p50Us: rounded(over(rounds, (round) => round.p50Us)),
    p99Us: rounded(over(rounds, (round) => round.p99Us)),
    cpuUsPerOp: rounded(over(rounds, (round) => round.cpuUs / round.operations)),
    mainCpuUsPerOp: mainCpu.some(Number.isNaN) ? null : rounded(median(mainCpu)),
    rssMb: rounded(over(rounds, (round) => round.rssBytes / MB)),
  }
}

export function openLoopRowOf(subject: string, rounds: readonly Measured[]): OpenLoopRow {
  return {
    subject,
    ratePerSecond: over(rounds, (round) => (round.operations * 1_000) / round.elapsedMs),
    p50Us: over(rounds, (round) => round.p50Us),
    p99Us: over(rounds, (round) => round.p99Us),
    p999Us: over(rounds, (round) => round.p999Us),
    cpuUsPerOp: over(rounds, (round) => round.cpuUs / round.operations),
  }
}

function over(rounds: readonly Measured[], value: (round: Measured) => number): number {
  return median(rounds.map(value))
}

/** Three decimals are more than any of these is worth, and fewer than a reader of JSON stumbles over. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

export const MB: number = 1 << 20

/** Results: the rows that every suite writes, each the median over its rounds. */
import type { Stream } from '../suites/suite.ts'
import type { Measured, MixtureMeasured, StreamMeasured } from './messages.ts'
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
  /** How many it has made, its rounds and the warm-up together; where the server counts them. */
  readonly connections?: number
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

/** One stream of a mixture, for one subject; in `--json` too. */
export interface MixtureRow {
  readonly subject: string
  /** The stream's name. */
  readonly operation: string
  readonly bytes: number
  readonly ratePerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
  /** Over all rounds. */
  readonly errors: number
  /** Of the whole process, over the calls of all streams. */
  readonly cpuUsPerOp: number
  readonly rssMb: number
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
  connections?: number,
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
    ...(connections !== undefined && { connections }),
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

export function mixtureRowOf(
  subject: string,
  stream: Stream,
  bytes: number,
  rounds: readonly MixtureMeasured[],
): MixtureRow {
  const own = rounds.flatMap(({ streams }) => streams.filter(({ name }) => name === stream.name))
  const calls = ({ streams }: MixtureMeasured): number => streams.reduce((sum, { operations }) => sum + operations, 0)
  const ofStream = (value: (one: StreamMeasured) => number): number => rounded(over(own, value))
  return {
    subject,
    operation: stream.name,
    bytes,
    ratePerSecond: stream.ratePerSecond,
    p50Us: ofStream((one) => one.p50Us),
    p99Us: ofStream((one) => one.p99Us),
    maxUs: ofStream((one) => one.maxUs),
    errors: own.reduce((sum, { errors }) => sum + errors, 0),
    cpuUsPerOp: rounded(over(rounds, (round) => round.cpuUs / calls(round))),
    rssMb: rounded(over(rounds, (round) => round.rssBytes / MB)),
  }
}

function over<Round>(rounds: readonly Round[], value: (round: Round) => number): number {
  return median(rounds.map(value))
}

/** Three decimals are more than any of these is worth, and fewer than a reader of JSON stumbles over. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

export const MB: number = 1 << 20

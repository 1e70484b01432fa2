/**
 * redis-benchmark on one connection: what the server and the machine can give to a client that computes nothing.
 *
 * Rules: it is a program and no Node client: it is run anew for each round, with as many requests as take about as long
 * as a round. It does not look at its answers, so what it wrote is looked at instead. It uses the key of the others.
 *
 * Limits: how its processor time and memory are read says `program.ts`. It speaks to plain TCP only.
 */
import { type Cell, type Contestant, SkippedError } from '../harness/contestant.ts'
import type { Measured } from '../harness/messages.ts'
import { type Finished, runProgram } from './program.ts'

export async function openRedisBenchmark(url: string, cell: Cell, pipelineDepth: number): Promise<Contestant> {
  const { protocol } = new URL(url)
  if (protocol !== 'redis:') throw new SkippedError(`redis-benchmark is used over redis: and not over ${protocol}`)
  const operation = cell.operation
  const perSecond = async (requests: number): Promise<Finished> =>
    run(argumentsFor(url, operation, cell.bytes, pipelineDepth, requests))
  const first = await perSecond(CALIBRATION_BYTES_MAX / Math.max(cell.bytes, CALIBRATION_BYTES_MIN))
  let rate = parseCsv(first.output).opsPerSecond
  return {
    async round(durationMs) {
      const requests = Math.max(pipelineDepth, Math.round((rate * durationMs) / 1_000))
      const { output, cpuUs, rssBytes } = await perSecond(requests)
      const result = parseCsv(output)
      rate = result.opsPerSecond
      const elapsedMs = (requests * 1_000) / result.opsPerSecond
      const measured: Measured = {
        operations: requests,
        elapsedMs,
        p50Us: result.p50Us,
        p99Us: result.p99Us,
        p999Us: result.maxUs,
        cpuUs,
        mainCpuUs: cpuUs,
        rssBytes,
      }
      return measured
    },
    close: async () => {},
  }
}

export interface BenchmarkResult {
  readonly opsPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

/** The last line of `--csv`, read by the names in the first. */
export function parseCsv(output: string): BenchmarkResult {
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('"'))
  const cells = (line: string): string[] => line.split(',').map((cell) => cell.replaceAll('"', ''))
  const names = cells(lines[0] ?? '')
  const values = cells(lines.at(-1) ?? '')
  const value = (name: string): number => {
    const found = Number(values[names.indexOf(name)])
    if (!Number.isFinite(found)) throw new Error(`redis-benchmark said no ${name}: ${output.slice(-300)}`)
    return found
  }
  return {
    opsPerSecond: value('rps'),
    p50Us: value('p50_latency_ms') * 1_000,
    p99Us: value('p99_latency_ms') * 1_000,
    maxUs: value('max_latency_ms') * 1_000,
  }
}

function argumentsFor(
  url: string,
  operation: string,
  bytes: number,
  pipelineDepth: number,
  requests: number,
): readonly string[] {
  const { hostname, port, username, password } = new URL(url)
  const identity = password === '' ? [] : ['-a', decodeURIComponent(password)]
  const user = username === '' ? [] : ['--user', decodeURIComponent(username)]
  const server = ['-h', hostname, '-p', port || '6379', ...identity, ...user]
  const load = ['-c', '1', '-P', String(pipelineDepth), '-n', String(Math.round(requests)), '-d', String(bytes)]
  return [...server, ...load, '-t', operation, '--csv']
}

function run(args: readonly string[]): Promise<Finished> {
  return runProgram({ program: PROGRAM, args, advice: ADVICE })
}

const PROGRAM = 'redis-benchmark'
const ADVICE = 'there is no redis-benchmark on the PATH (Debian: apt-get install redis-tools)'
/** The first run finds the rate: 20 000 small requests, or 64 MB. */
const CALIBRATION_BYTES_MAX = 64 << 20
const CALIBRATION_BYTES_MIN = 3_200

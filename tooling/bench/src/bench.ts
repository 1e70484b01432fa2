/** One run: the server, everything that the suite compares, and the report of all of it. */
import { atRest, type RestSubject } from './harness/at-rest.ts'
import { compare } from './harness/comparison.ts'
import { compareAtFixedRate } from './harness/fixed-rate.ts'
import { compareInMixture } from './harness/mixture.ts'
import { randomFrom } from './harness/random.ts'
import type { MixtureRow, Row } from './harness/rows.ts'
import type { BenchOptions } from './options.ts'
import { type Machine, machine } from './report/machine.ts'
import { comparisonText, mixtureText, openLoopText, restText, targetsText } from './report/table.ts'

/** What `--json` writes. Every suite uses this form. */
export interface BenchResult {
  readonly suite: string
  readonly machine: Machine
  readonly rows: readonly (Row | MixtureRow)[]
}

export interface BenchReport {
  readonly result: BenchResult
  readonly text: string
  /** Wrong or missing answers. Any fails the run. */
  readonly failures: readonly string[]
}

export async function runBench(options: BenchOptions, say: (line: string) => void): Promise<BenchReport> {
  const { suite, cells, subjects, seed } = options
  const server = await suite.startServer()
  try {
    const where = machine(server.description)
    const turns = { ...options, random: randomFrom(seed), say }
    const comparison = await compare(suite, server, turns)
    const fixedRate = await compareAtFixedRate(suite, server, turns)
    const mixture = await compareInMixture(suite, server, turns)
    const clients = subjects.flatMap(({ name, client }): RestSubject[] => (client ? [{ name, client }] : []))
    const rest =
      cells.length === 0
        ? NO_REST
        : await atRest(clients, server.url, {
            repetitions: options.restRepetitions,
            settleDurationMs: options.restDurationMs / 5,
            durationMs: options.restDurationMs,
            say,
          })
    const failures = [comparison, fixedRate, mixture, rest].flatMap((part) => part.failures)
    const text = [
      headText(options, where),
      ...[...comparison.skipped, ...mixture.skipped].map(([name, reason]) => `${name} is skipped: ${reason}`),
      ...(cells.length > 0 ? [comparisonText(suite, cells, comparison.rows)] : []),
      ...(suite.openLoop ? [openLoopText(suite.openLoop, fixedRate.rows)] : []),
      ...(suite.mixture ? [mixtureText(suite.mixture, mixture.rows)] : []),
      ...(cells.length > 0 ? [restText(rest.rows)] : []),
      targetsText(suite, comparison.rows, rest.rows, mixture.rows),
      ...(failures.length === 0 ? [] : [['FAILED', ...failures.map((failure) => `  ${failure}`)].join('\n')]),
    ].join('\n\n')
    const result = { suite: suite.name, machine: where, rows: [...comparison.rows, ...mixture.rows] }
    return { result, text, failures }
  } finally {
    await server.stop()
  }
}

function headText(options: BenchOptions, where: Machine): string {
  const { cpu, cores, system, node, server, loadBefore } = where
  const plan = `medians of ${options.rounds} rounds of ${options.roundDurationMs} ms, seed ${options.seed}`
  return `${cpu}, ${cores} cores, ${system}, Node ${node}, ${server}\nload before: ${loadBefore}; ${plan}`
}

const NO_REST = { rows: [], failures: [] }

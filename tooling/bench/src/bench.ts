/** One run: the server, the comparison, the fixed rate, the rest, and the report of all of them. */
import { atRest } from './harness/at-rest.ts'
import { compare } from './harness/comparison.ts'
import { compareAtFixedRate } from './harness/fixed-rate.ts'
import { randomFrom } from './harness/random.ts'
import type { Row } from './harness/rows.ts'
import type { BenchOptions } from './options.ts'
import { type Machine, machine } from './report/machine.ts'
import { comparisonText, openLoopText, restText, targetsText } from './report/table.ts'

/** What `--json` writes. Every suite uses this form. */
export interface BenchResult {
  readonly suite: string
  readonly machine: Machine
  readonly rows: readonly Row[]
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
    const clients = subjects.filter(({ isNodeClient }) => isNodeClient).map(({ name }) => name)
    const rest = await atRest(clients, server.url, {
      repetitions: options.restRepetitions,
      settleDurationMs: options.restDurationMs / 5,
      durationMs: options.restDurationMs,
      say,
    })
    const { rows, skipped } = comparison
    const failures = [...comparison.failures, ...fixedRate.failures]
    const text = [
      headText(options, where),
      ...[...skipped].map(([name, reason]) => `${name} is skipped: ${reason}`),
      comparisonText(suite, cells, rows),
      openLoopText(suite, fixedRate.rows),
      restText(rest),
      targetsText(suite, rows, rest),
      ...(failures.length === 0 ? [] : [['FAILED', ...failures.map((failure) => `  ${failure}`)].join('\n')]),
    ].join('\n\n')
    return { result: { suite: suite.name, machine: where, rows }, text, failures }
  } finally {
    await server.stop()
  }
}

function headText(options: BenchOptions, where: Machine): string {
  const { cpu, cores, system, node, server, loadBefore } = where
  const plan = `medians of ${options.rounds} rounds of ${options.roundDurationMs} ms, seed ${options.seed}`
  return `${cpu}, ${cores} cores, ${system}, Node ${node}, ${server}\nload before: ${loadBefore}; ${plan}`
}

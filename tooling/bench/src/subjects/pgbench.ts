/**
 * pgbench on one connection, with prepared statements, twenty to a pipeline: what the server and the machine can give
 * to a client that computes nothing.
 *
 * Rules: it is a program and no Node client: it is run anew for each round, with as many transactions as take about as
 * long as a round. It looks at no answer, but ends when one is an error. A transaction is a pipeline of twenty, and
 * one Sync: less work for the server than twenty calls that each have their own.
 *
 * Limits: its latencies are those of whole pipelines.
 */
import { constants } from 'node:fs'
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Cell, type Contestant, SkippedError } from '../harness/contestant.ts'
import type { Measured } from '../harness/messages.ts'
import { percentile } from '../harness/statistics.ts'
import { ACCOUNTS } from './accounts.ts'
import { SELECT_ACCOUNT } from './postgres-data.ts'
import { runProgram } from './program.ts'

export const PIPELINE_DEPTH = 20

export async function openPgbench(url: string, cell: Cell): Promise<Contestant> {
  if (cell.operation !== 'select') throw new SkippedError('pgbench is used for select only')
  const program = await findPgbench(process.env['PATH'] ?? '', VERSIONS_FOLDER)
  const folder = await mkdtemp(join(tmpdir(), 'iokernel-pgbench-'))
  const run = async (transactions: number): Promise<Measured> => {
    const logs = await mkdtemp(join(folder, 'round-'))
    const count = ['-t', String(transactions), '-l', `--log-prefix=${join(logs, 'log')}`]
    const { args, environment } = connectionOf(url)
    const load = ['-n', '-M', 'prepared', '-c', '1', '-j', '1', '-f', join(folder, 'script.sql')]
    const finished = await runProgram({ program, args: [...load, ...count, ...args], environment, advice: ADVICE })
    const { cpuUs, rssBytes } = finished
    const latenciesUs = await readLatencies(logs)
    const [p50Us, p99Us, p999Us] = [0.5, 0.99, 0.999].map((share) => percentile(latenciesUs, share)) as Percentiles
    return {
      operations: transactions * PIPELINE_DEPTH,
      elapsedMs: (transactions * 1_000) / transactionsPerSecond(finished.output),
      ...{ p50Us, p99Us, p999Us, cpuUs, mainCpuUs: cpuUs, rssBytes },
    }
  }
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    await writeFile(join(folder, 'script.sql'), scriptOf(PIPELINE_DEPTH))
    let { operations, elapsedMs } = await run(CALIBRATION_TRANSACTIONS)
    return {
      async round(durationMs) {
        const rate = operations / PIPELINE_DEPTH / elapsedMs
        const measured = await run(Math.max(1, Math.round(rate * durationMs)))
        operations = measured.operations
        elapsedMs = measured.elapsedMs
        return measured
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

export function scriptOf(depth: number): string {
  const one = `\\set id random(1, ${ACCOUNTS})\n${SELECT_ACCOUNT.replace('$1', ':id')};\n`
  return `\\startpipeline\n${one.repeat(depth)}\\endpipeline\n`
}

/** Its last line: `tps = 3973.488882 (without initial connection time)`. */
export function transactionsPerSecond(output: string): number {
  const rate = Number(/^tps = ([\d.]+) \(without initial/m.exec(output)?.[1])
  if (!(rate > 0)) throw new Error(`pgbench said no tps: ${output.slice(-300)}`)
  return rate
}

/** On the PATH, or the newest beside a server, where Debian keeps it. */
export async function findPgbench(path: string, versionsFolder: string): Promise<string> {
  const versions = await readdir(versionsFolder).catch((): string[] => [])
  const newestFirst = versions.sort((one, other) => Number.parseFloat(other) - Number.parseFloat(one))
  const folders = [...path.split(delimiter), ...newestFirst.map((version) => join(versionsFolder, version, 'bin'))]
  for (const folder of folders.filter((one) => one !== '')) {
    const program = join(folder, 'pgbench')
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return program
  }
  throw new SkippedError(ADVICE)
}

function connectionOf(url: string): { readonly args: readonly string[]; readonly environment: Record<string, string> } {
  const { hostname, port, username, password, pathname } = new URL(url)
  const user = decodeURIComponent(username) || 'postgres'
  const args = ['-h', hostname, '-p', port || '5432', '-U', user, decodeURIComponent(pathname.slice(1)) || user]
  return { args, environment: password === '' ? {} : { PGPASSWORD: decodeURIComponent(password) } }
}

/** The third word of each line of its log is the time that one transaction took. */
async function readLatencies(folder: string): Promise<Float64Array> {
  const files = await readdir(folder)
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'latin1')))
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line !== '')
  return Float64Array.from(lines, (line) => Number(line.split(' ')[2])).sort()
}

type Percentiles = [number, number, number]

const VERSIONS_FOLDER = '/usr/lib/postgresql'
/** 10 000 selects: a tenth of a second. */
const CALIBRATION_TRANSACTIONS = 500
const ADVICE = `there is no pgbench on the PATH or in ${VERSIONS_FOLDER}/*/bin (Debian: apt-get install postgresql)`

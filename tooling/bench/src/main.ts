/**
 * The program behind `npm run bench`. The report goes to stdout, what it is doing to stderr.
 *
 * Rules: exit code 1 when an answer was wrong or missing; a figure that is not reached is a result, not a failure.
 */
import { writeFileSync } from 'node:fs'
import { ServerUnavailableError } from '@iokernel/servers'
import { runBench } from './bench.ts'
import { type BenchOptions, parseOptions } from './options.ts'
import { SUITES } from './suites/table.ts'

async function main(): Promise<void> {
  let options: BenchOptions
  try {
    options = parseOptions(process.argv.slice(2), SUITES)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 2
    return
  }
  try {
    const { result, text, failures } = await runBench(options, (line) => console.error(line))
    console.log(text)
    if (options.jsonPath !== undefined) writeFileSync(options.jsonPath, `${JSON.stringify(result, null, 2)}\n`)
    if (failures.length > 0) process.exitCode = 1
  } catch (error) {
    console.error(error instanceof ServerUnavailableError ? error.message : error)
    process.exitCode = 1
  }
}

await main()

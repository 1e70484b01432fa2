/** What the command line asks for. Anything it does not know is an error, never ignored. */
import type { Cell } from './harness/contestant.ts'
import type { Suite, SuiteSubject } from './suites/suite.ts'

export interface BenchOptions {
  readonly suite: Suite
  readonly cells: readonly Cell[]
  readonly subjects: readonly SuiteSubject[]
  readonly rounds: number
  readonly roundDurationMs: number
  readonly warmUpDurationMs: number
  readonly restDurationMs: number
  readonly restRepetitions: number
  readonly seed: number
  readonly jsonPath: string | undefined
}

export function usage(suites: readonly Suite[]): string {
  return `npm run bench -- SUITE [options]

suites: ${suites.map(({ name }) => name).join(', ')}

  --json FILE            write the rows there too
  --rounds N             rounds of each subject (5); reported are medians
  --quick                short rounds, two of them: does it work, not how fast is it
  --operations get,set   only these
  --bytes 64,16384       these sizes
  --in-flight 1,50       these many calls in flight
  --subjects a,b         only these
  --round-ms N           how long a round is (1000; of a mixture, as long as its suite says)
  --seed N               the order of the subjects in each round`
}

/** Throws an `Error` whose message is for the user. */
export function parseOptions(args: readonly string[], suites: readonly Suite[]): BenchOptions {
  const [name, ...rest] = args
  const suite = suites.find((one) => one.name === name)
  if (suite === undefined)
    throw new Error(`${name ? `There is no suite '${name}'.` : 'Which suite?'}\n\n${usage(suites)}`)
  const given = flagsOf(rest, suites)
  const isQuick = given.has('--quick')
  const rounds = numbersOf(given, '--rounds')?.[0] ?? (isQuick ? 2 : 5)
  return {
    suite,
    cells: cellsOf(suite, given),
    subjects: subjectsOf(suite, given.get('--subjects')),
    rounds,
    roundDurationMs: numbersOf(given, '--round-ms')?.[0] ?? roundDurationMsOf(suite, isQuick),
    warmUpDurationMs: isQuick ? 100 : 700,
    restDurationMs: isQuick ? 500 : 5_000,
    restRepetitions: isQuick ? 1 : 3,
    // From the clock where none is given, and printed, so that any run can be repeated.
    seed: numbersOf(given, '--seed')?.[0] ?? Date.now() % 1_000_000,
    jsonPath: given.get('--json'),
  }
}

function roundDurationMsOf({ mixture }: Suite, isQuick: boolean): number {
  if (mixture === undefined) return isQuick ? 150 : 1_000
  return isQuick ? mixture.quickRoundDurationMs : mixture.roundDurationMs
}

function flagsOf(args: readonly string[], suites: readonly Suite[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>()
  for (let index = 0; index < args.length; index++) {
    const flag = args[index] as string
    if (flag === '--quick') {
      given.set(flag, '')
      continue
    }
    const value = args[++index]
    if (!FLAGS.has(flag)) throw new Error(`Unknown option '${flag}'.\n\n${usage(suites)}`)
    if (value === undefined) throw new Error(`${flag} needs a value.\n\n${usage(suites)}`)
    given.set(flag, value)
  }
  return given
}

/** Operations with their sizes; a size that was asked for goes with every operation. */
function cellsOf(suite: Suite, given: ReadonlyMap<string, string>): readonly Cell[] {
  const meaningless = CELL_FLAGS.filter((flag) => suite.operations.length === 0 && given.has(flag))
  if (meaningless.length > 0) throw new Error(`${suite.name} is one mixture: ${meaningless.join(', ')} has no effect.`)
  const wanted = given.get('--operations')?.split(',')
  const unknown = wanted?.filter((name) => !suite.operations.some((operation) => operation.name === name)) ?? []
  if (unknown.length > 0) throw new Error(`There is no operation '${unknown.join(', ')}' in ${suite.name}.`)
  const sizes = numbersOf(given, '--bytes')
  const wantedInFlight = numbersOf(given, '--in-flight')
  return suite.operations
    .filter(({ name }) => wanted?.includes(name) ?? true)
    .flatMap(({ name, bytes, inFlight = suite.inFlight }) =>
      (sizes ?? bytes).flatMap((size) =>
        (wantedInFlight ?? inFlight).map((count) => ({ operation: name, bytes: size, inFlight: count })),
      ),
    )
}

function subjectsOf(suite: Suite, wanted: string | undefined): readonly SuiteSubject[] {
  if (wanted === undefined) return suite.subjects
  return wanted.split(',').map((name) => {
    const subject = suite.subjects.find((one) => one.name === name.trim())
    if (subject !== undefined) return subject
    const known = suite.subjects.map((one) => one.name).join(', ')
    throw new Error(`There is no subject '${name}' in ${suite.name}: ${known}.`)
  })
}

function numbersOf(given: ReadonlyMap<string, string>, flag: string): readonly number[] | undefined {
  return given
    .get(flag)
    ?.split(',')
    .map((text) => {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
      if (value === 0) throw new Error(`${flag} takes whole numbers above 0, separated by commas.`)
      return value
    })
}

const CELL_FLAGS = ['--operations', '--bytes', '--in-flight']
const FLAGS = new Set(['--json', '--rounds', '--round-ms', '--subjects', '--seed', ...CELL_FLAGS])

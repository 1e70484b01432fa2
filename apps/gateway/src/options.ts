/**
 * What the program is told: arguments and environment. Anything it does not know is an error, never ignored.
 */
export interface ProgramOptions {
  readonly check: boolean
  readonly thread: 'worker' | 'inline'
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** A backend that cannot be had is a failure: nobody reads the output of a CI that passed. */
  readonly mustHaveAll: boolean
}

export const USAGE = `npm start [-- --check] [-- --inline]

  --check    send real requests to every backend, print a line for each, stop; exit code 1 when one fails
  --inline   the I/O kernel in the main thread, for comparison

  PORT, HOST listen there; otherwise on a free port of 127.0.0.1
  CI         --check counts a backend that cannot be had as failed`

/** Throws an `Error` whose message is for the user. */
export function parseOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ProgramOptions {
  const unknown = args.filter((argument) => argument !== '--check' && argument !== '--inline')
  if (unknown.length > 0) throw new Error(`Unknown argument ${unknown.join(' ')}.\n\n${USAGE}`)
  const given = environment['PORT'] || '0'
  const port = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN
  if (!(port >= 0 && port <= 65_535)) throw new Error(`PORT is a number between 0 and 65535, not ${given}.`)
  const ci = environment['CI'] ?? ''
  return {
    check: args.includes('--check'),
    thread: args.includes('--inline') ? 'inline' : 'worker',
    host: environment['HOST'] || '127.0.0.1',
    port,
    mustHaveAll: ci !== '' && ci !== 'false' && ci !== '0',
  }
}

/**
 * What a suite is: a server, who is compared on it, with which operations, and which figures are wanted.
 *
 * To add one, write a file beside `redis.ts` and a row in `table.ts`; its clients go into `../subjects/`.
 */
import type { Cell, Contestant } from '../harness/contestant.ts'
import type { MixtureRow, RestRow, Row } from '../harness/rows.ts'

export interface Suite {
  readonly name: string
  /** What is compared call by call, and then at rest; nothing in a suite that has only a mixture. */
  readonly operations: readonly SuiteOperation[]
  readonly inFlight: readonly number[]
  readonly subjects: readonly SuiteSubject[]
  readonly openLoop?: { readonly operation: string; readonly bytes: number; readonly ratePerSecond: number }
  readonly mixture?: Mixture
  readonly targets: readonly Target[]
  startServer(): Promise<SuiteServer>
}

/** What is done with how many bytes and how many in flight, unless the command line says otherwise. */
export interface SuiteOperation {
  readonly name: string
  readonly bytes: readonly number[]
  /** The suite's own if left out. */
  readonly inFlight?: readonly number[]
}

/** Several kinds of calls at fixed rates, all at once. */
export interface Mixture {
  /** For all of them: they share the server's data. */
  readonly bytes: number
  readonly streams: readonly Stream[]
  /** Long enough for the rarest stream to say something. */
  readonly roundDurationMs: number
  readonly quickRoundDurationMs: number
}

export interface Stream {
  /** The name of its rows. */
  readonly name: string
  readonly operation: string
  readonly ratePerSecond: number
}

export interface SuiteSubject {
  readonly name: string
  /** `own`: ours. `peer`: what one would use instead. `limit`: what the server can give at most. */
  readonly kind: 'own' | 'peer' | 'limit'
  /** A Node client, by its name in `subjects/table.ts`; undefined for a program. */
  readonly client: string | undefined
  /** Does it take part there? */
  joins(cell: Cell): boolean
  /** How many it has in flight there. */
  inFlightIn(cell: Cell): number
  open(server: SuiteServer, cell: Cell): Promise<Contestant>
}

export interface SuiteServer {
  readonly url: string
  /** For people: program, version, where from. */
  readonly description: string
  /** Puts the data there that the operation expects. */
  prepare(operation: string, bytes: number): Promise<void>
  /** How many connections have been made to it since its start, where that is of interest. */
  connectionsMade?(): Promise<number>
  stop(): Promise<void>
}

export interface Target {
  readonly text: string
  /** Undefined where the run did not measure what it needs. */
  judge(rows: readonly Row[], rest: readonly RestRow[], mixture: readonly MixtureRow[]): Judgement | undefined
}

export interface Judgement {
  readonly found: string
  readonly isReached: boolean
}

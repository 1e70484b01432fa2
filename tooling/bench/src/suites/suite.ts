/**
 * What a suite is: a server, who is compared on it, with which operations, and which figures are wanted.
 *
 * To add one, write a file beside `redis.ts` and a row in `table.ts`; its clients go into `../subjects/`.
 */
import type { Cell, Contestant } from '../harness/contestant.ts'
import type { RestRow, Row } from '../harness/rows.ts'

export interface Suite {
  readonly name: string
  /** What is done with how many bytes, unless the command line says otherwise. */
  readonly operations: readonly { readonly name: string; readonly bytes: readonly number[] }[]
  readonly inFlight: readonly number[]
  readonly subjects: readonly SuiteSubject[]
  readonly openLoop: { readonly operation: string; readonly bytes: number; readonly ratePerSecond: number }
  readonly targets: readonly Target[]
  startServer(): Promise<SuiteServer>
}

export interface SuiteSubject {
  readonly name: string
  /** `own`: ours. `peer`: what one would use instead. `limit`: what the server can give at most. */
  readonly kind: 'own' | 'peer' | 'limit'
  /** A Node client, which `subjects/table.ts` knows by this name; absent for a program. */
  readonly isNodeClient: boolean
  /** Does it take part where so many calls are in flight? */
  joins(inFlight: number): boolean
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
  stop(): Promise<void>
}

export interface Target {
  readonly text: string
  /** Undefined where the run did not measure what it needs. */
  judge(rows: readonly Row[], rest: readonly RestRow[]): Judgement | undefined
}

export interface Judgement {
  readonly found: string
  readonly isReached: boolean
}

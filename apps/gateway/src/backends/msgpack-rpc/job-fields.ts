/** Jobs in JSON: what a client may call one, and how a job of the service is shown: as it is. */
import { RequestError } from '../../http/failures.ts'
import { type Fields, idIn, isId } from '../../http/fields.ts'

/** Paths under `/jobs/` that are no job; no job has these names. */
const SEGMENTS_TAKEN: readonly string[] = ['events', 'questions']

/** As the service sends it. */
export interface Job {
  readonly id: string
  readonly below: number
  readonly state: 'running' | 'asking' | 'done' | 'refused' | 'failed' | 'cancelled'
  readonly done: number
  readonly primes: number
  readonly reason?: string
}

export function jobIn(given: Fields): string {
  return idIn(given, 'id', SEGMENTS_TAKEN)
}

/** The id in a path. One that cannot be is not there. */
export function idInPath(name: Buffer): string {
  const id = name.toString('latin1')
  if (isId(id)) return id
  throw new RequestError(404, 'NO_JOB', 'there is no job of this id')
}

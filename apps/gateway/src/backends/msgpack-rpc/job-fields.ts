/** Jobs in JSON: what a client may write, and how a job of the service is shown: as it is. */
import { RequestError } from '../../http/failures.ts'

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

type Fields = Readonly<Record<string, unknown>>

export function checkFields(given: Fields, known: readonly string[]): void {
  if (Object.keys(given).every((field) => known.includes(field))) return
  throw wrong(`there is ${known.join(', ')}, and no other field`)
}

export function idIn({ id }: Fields): string {
  if (typeof id === 'string' && isId(id)) return id
  throw wrong(
    'id is a string of 1 to 64 letters, digits, . _ and -, beginning with one of the first two; ' +
      `${SEGMENTS_TAKEN.join(', ')} are taken`,
  )
}

/** The id in a path. One that cannot be is not there. */
export function idInPath(name: Buffer): string {
  const id = name.toString('latin1')
  if (isId(id)) return id
  throw new RequestError(404, 'NO_JOB', 'there is no job of this id')
}

export function isId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) && !SEGMENTS_TAKEN.includes(text)
}

export function wrong(message: string): RequestError {
  return new RequestError(400, 'ARGUMENT', message)
}

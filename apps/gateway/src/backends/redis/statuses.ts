/** What Redis's errors mean over HTTP, where the general rule (502) would blame the server for the client's request. */
import { IoKernelError } from '@iokernel/core'

export function redisStatusOf(error: IoKernelError): number | undefined {
  // A transaction is refused for what one of its commands met.
  if (error.code === 'EXECABORT' && error.cause instanceof IoKernelError) return redisStatusOf(error.cause)
  const known = STATUSES.get(error.code)
  if (known !== undefined) return known
  // `INCR` of what is no number has no code of its own.
  return error.code === 'ERR' && /not an integer|would overflow/.test(error.message) ? 409 : undefined
}

const STATUSES: ReadonlyMap<string, number> = new Map([
  // The key holds something of another type.
  ['WRONGTYPE', 409],
  // Out of memory, loading, a script that holds the server, a replica without its primary: later.
  ['OOM', 507],
  ['LOADING', 503],
  ['BUSY', 503],
  ['MASTERDOWN', 503],
  ['CLUSTERDOWN', 503],
])

type Succeeded<Results extends readonly unknown[]> = {
  [Index in keyof Results]: Exclude<Results[Index], IoKernelError>
}

/** A transaction's commands fail one by one; here one failure is the failure of all. */
export function resultsOf<Results extends readonly unknown[]>(results: Results): Succeeded<Results> {
  if (haveSucceeded(results)) return results
  throw results.find((result) => result instanceof IoKernelError)
}

function haveSucceeded<Results extends readonly unknown[]>(results: Results): results is Results & Succeeded<Results> {
  return !results.some((result) => result instanceof IoKernelError)
}

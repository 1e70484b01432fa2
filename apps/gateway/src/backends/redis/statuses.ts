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

/** A transaction's commands fail one by one; here one failure is the failure of all. */
export function resultsOf<Results extends readonly unknown[]>(results: Results): Results {
  const failed = results.find((result) => result instanceof IoKernelError)
  if (failed !== undefined) throw failed
  return results
}

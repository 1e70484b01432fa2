/** What the service's errors, `{ code, message }`, mean over HTTP, where the general rule (502) would blame it. */
import type { IoKernelError } from '@iokernel/core'
import { RpcError } from '@iokernel/msgpack-rpc'

export function msgpackRpcStatusOf(error: IoKernelError): number | undefined {
  if (!(error instanceof RpcError)) return undefined
  const { error: said } = error
  if (typeof said !== 'object' || said === null || !('code' in said)) return undefined
  return STATUSES.get(said.code)
}

const STATUSES: ReadonlyMap<unknown, number> = new Map([
  ['ARGUMENT', 400],
  ['NO_JOB', 404],
  ['JOB_EXISTS', 409],
  ['JOB_ENDED', 409],
  ['BUSY', 503],
])

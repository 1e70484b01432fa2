/** The errors that calls meet on their own thread. */
import { AbortedError, IoKernelError, LocalError } from '../plugin/errors.ts'

export function tooManyInFlight(max: number): LocalError {
  return new LocalError(
    'IN_FLIGHT_LIMIT',
    `${max} calls are in flight (inFlightMax): await some of them, or raise the limit in createKernel({ limits })`,
  )
}

/** A server's error says which server: the decoder does not know. */
export function placed(error: unknown, endpoint: string | undefined): unknown {
  if (error instanceof IoKernelError && endpoint !== undefined) Object.assign(error, { endpoint })
  return error
}

export function abortedBefore(signal: AbortSignal | undefined): AbortedError {
  return new AbortedError('the call was aborted before it was sent', { sent: 'no', cause: signal?.reason })
}

/**
 * From an error to an HTTP answer. Every failure is `{ code, message, sent }`, with the stable code that the kernel or
 * the gateway gave it.
 *
 * Rules:
 * 1. 4xx: the client can do something about it. 503 with Retry-After: later. 504: the deadline passed. 502: the
 *    upstream refused or broke the protocol.
 * 2. `sent: 'no'` means that no upstream has seen the request; the client may repeat it without thinking.
 * 3. An error that is none of ours is a defect of the gateway: the log gets it, the client gets no details.
 */
import { AbortedError, DeadlineError, IoKernelError, type Sent } from '@iokernel/core'
import { type Answer, json } from './answer.ts'

/** A request that the gateway itself does not take. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** What a backend knows about its own errors: the status, or undefined for the general rule. */
export type StatusOf = (error: IoKernelError) => number | undefined

export function failureAnswer(error: unknown, statusOf: StatusOf, retryAfterSeconds: number): Answer {
  if (error instanceof RequestError) {
    return json(failure(error.code, error.message, 'no'), error.status, {
      ...(error.status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}),
      ...error.headers,
    })
  }
  if (!(error instanceof IoKernelError)) {
    console.error('the gateway failed:', error)
    return json(failure('INTERNAL', "the gateway failed; its operator's log says why", 'maybe'), 500)
  }
  const status = statusOf(error) ?? generalStatusOf(error)
  const headers: Record<string, string> = status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}
  return json(failure(error.code, error.message, error.sent), status, headers)
}

function failure(code: string, message: string, sent: Sent): { code: string; message: string; sent: Sent } {
  return { code, message, sent }
}

function generalStatusOf(error: IoKernelError): number {
  if (error instanceof DeadlineError) return 504
  // Nobody reads the answer to a call that its client gave up; what is left are calls that the gateway's own end cut.
  if (error instanceof AbortedError) return 503
  if (LATER.has(error.code)) return 503
  return error.side === 'local' ? 400 : 502
}

/** Neither side is at fault, or not for long: connections that are down, queues that are full, threads that restart. */
const LATER: ReadonlySet<string> = new Set([
  'UPSTREAM_DOWN',
  'UPSTREAM_CLOSED',
  'KERNEL_CLOSED',
  'IO_THREAD_LOST',
  'IO_THREAD_GAVE_UP',
  'QUEUE_LIMIT',
  'IN_FLIGHT_LIMIT',
  'PENDING_BYTES_LIMIT',
  'INTEREST_LIMIT',
  'SESSION_DEADLINE',
])

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

/** What a client is told of a failure. `sent: 'no'`: no upstream has seen the request. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly sent: Sent
}

export function failureAnswer(error: unknown, statusOf: StatusOf, retryAfterSeconds: number): Answer {
  const status = statusFor(error, statusOf)
  return json(failureOf(error), status, {
    ...(status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}),
    ...(error instanceof RequestError ? error.headers : {}),
  })
}

/** Whatever nobody foresaw goes to the log, and not to the client. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RequestError) return { code: error.code, message: error.message, sent: 'no' }
  if (error instanceof IoKernelError) return { code: error.code, message: error.message, sent: error.sent }
  console.error('the gateway failed:', error)
  return { code: 'INTERNAL', message: "the gateway failed; its operator's log says why", sent: 'maybe' }
}

function statusFor(error: unknown, statusOf: StatusOf): number {
  if (error instanceof RequestError) return error.status
  if (error instanceof IoKernelError) return statusOf(error) ?? generalStatusOf(error)
  return 500
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

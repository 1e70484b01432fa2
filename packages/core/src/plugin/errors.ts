/**
 * Every error that iokernel or a plugin gives to a caller.
 *
 * Rules:
 * 1. `side` says whose fault it is: `local` (the caller, this process) or `remote` (the peer refused or broke the
 *    protocol).
 * 2. `code` is stable: programs match on it, never on the message. `instanceof IoKernelError` holds across two copies
 *    of the package, because that class is recognised by a brand and not by identity.
 * 3. `sent` is `'no'` only when it is certain that the peer has not seen the request; everything else is `'maybe'`.
 * 4. A message says what to do. It never contains a value, a parameter or a password.
 *
 * Theory of operation: an `Error` posted over a MessagePort loses its name, code and fields, so errors cross the
 * channel as plain data (`describeError`) and are built again on the application thread (`rebuildError`). The stack is
 * captured again there, in the `catch` of the wrapper around each call, so that it names the caller.
 */
import type { Cloneable } from './cloneable.ts'

export type Side = 'local' | 'remote'
export type Sent = 'no' | 'maybe'

/** Why a call ran out of time. `queued`: it was never written; `upstream`: written and not answered in time. */
export type TimeoutCause = 'queued' | 'upstream' | 'application-busy' | 'kernel-busy'

export interface ErrorDetails {
  readonly sent?: Sent
  /** What the caller connected to, without credentials: `redis://cache.internal:6379/0`. */
  readonly upstream?: string
  /** The address that was used, where one was: `10.0.0.7:6379`. */
  readonly endpoint?: string
  readonly cause?: unknown
  /** More facts, by name. Never a value of the user's. */
  readonly fields?: { readonly [name: string]: Cloneable }
}

const BRAND = Symbol.for('iokernel.error')

export class IoKernelError extends Error {
  readonly side: Side
  readonly code: string
  readonly sent: Sent
  readonly upstream: string | undefined
  readonly endpoint: string | undefined
  readonly fields: { readonly [name: string]: Cloneable }

  constructor(side: Side, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'IoKernelError'
    this.side = side
    this.code = code
    this.sent = details.sent ?? 'maybe'
    this.upstream = details.upstream
    this.endpoint = details.endpoint
    this.fields = details.fields ?? {}
    Object.defineProperty(this, BRAND, { value: true })
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null || !(BRAND in value)) return false
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class asked about, which may be a subclass.
    if (this === IoKernelError) return true
    // biome-ignore lint/complexity/noThisInStatic: see above.
    return Function.prototype[Symbol.hasInstance].call(this, value)
  }
}

/** The caller or this process is at fault: wrong argument, deadline, limit, closed kernel. */
export class LocalError extends IoKernelError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super('local', code, message, { sent: 'no', ...details })
    this.name = 'LocalError'
  }
}

/** The peer is at fault: it refused, went away or answered with an error. */
export class RemoteError extends IoKernelError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super('remote', code, message, details)
    this.name = 'RemoteError'
  }
}

/** The peer sent bytes that its protocol does not allow. The connection they came over is never used again. */
export class RemoteProtocolError extends RemoteError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('PROTOCOL', message, details)
    this.name = 'RemoteProtocolError'
  }
}

/**
 * The peer will not let us in (password, user, database, certificate). Thrown by a handshake: calls that wait are
 * rejected with it at once, while the kernel goes on trying with its longest back-off.
 */
export class RefusedError extends RemoteError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(code, message, { sent: 'no', ...details })
    this.name = 'RefusedError'
  }
}

/**
 * The peer is not what the target asks for (a replica where writes go). Thrown by a handshake or a probe: another
 * address is tried, and callers wait meanwhile.
 */
export class RoleError extends RemoteError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('ROLE', message, { sent: 'no', ...details })
    this.name = 'RoleError'
  }
}

/** The deadline passed. `waitCause` says where the time went. */
export class DeadlineError extends IoKernelError {
  readonly waitCause: TimeoutCause

  constructor(message: string, waitCause: TimeoutCause, details: ErrorDetails = {}) {
    super('local', 'DEADLINE', message, details)
    this.name = 'TimeoutError'
    this.waitCause = waitCause
  }
}

/** The caller's signal fired. `cause` is the signal's reason. */
export class AbortedError extends IoKernelError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('local', 'ABORTED', message, details)
    this.name = 'AbortError'
  }
}

/** An error as plain data, for the channel. */
export interface ErrorDescription {
  readonly kind: 'local' | 'remote' | 'protocol' | 'refused' | 'deadline' | 'aborted'
  readonly code: string
  readonly message: string
  readonly sent: Sent
  readonly upstream?: string | undefined
  readonly endpoint?: string | undefined
  readonly waitCause?: TimeoutCause
  readonly causeMessage?: string
  readonly fields: { readonly [name: string]: Cloneable }
}

export function describeError(error: unknown, details: ErrorDetails = {}): ErrorDescription {
  if (!(error instanceof IoKernelError)) {
    const message = error instanceof Error ? error.message : String(error)
    return { kind: 'local', code: 'INTERNAL', message, sent: details.sent ?? 'maybe', fields: {}, ...placeOf(details) }
  }
  const known = error as IoKernelError
  const cause = known.cause
  return {
    kind: kindOf(known),
    code: known.code,
    message: known.message,
    sent: details.sent ?? known.sent,
    upstream: known.upstream ?? details.upstream,
    endpoint: known.endpoint ?? details.endpoint,
    fields: { ...known.fields, ...details.fields },
    ...(known instanceof DeadlineError ? { waitCause: known.waitCause } : {}),
    ...(cause instanceof Error ? { causeMessage: cause.message } : {}),
  }
}

export function rebuildError(from: ErrorDescription): IoKernelError {
  const details: ErrorDetails = {
    sent: from.sent,
    fields: from.fields,
    ...placeOf(from),
    ...(from.causeMessage === undefined ? {} : { cause: new Error(from.causeMessage) }),
  }
  switch (from.kind) {
    case 'local':
      return new LocalError(from.code, from.message, details)
    case 'remote':
      return new RemoteError(from.code, from.message, details)
    case 'protocol':
      return new RemoteProtocolError(from.message, details)
    case 'refused':
      return new RefusedError(from.code, from.message, details)
    case 'deadline':
      return new DeadlineError(from.message, from.waitCause ?? 'upstream', details)
    case 'aborted':
      return new AbortedError(from.message, details)
  }
}

function placeOf(from: {
  readonly upstream?: string | undefined
  readonly endpoint?: string | undefined
}): ErrorDetails {
  return {
    ...(from.upstream === undefined ? {} : { upstream: from.upstream }),
    ...(from.endpoint === undefined ? {} : { endpoint: from.endpoint }),
  }
}

function kindOf(error: IoKernelError): ErrorDescription['kind'] {
  switch (error.name) {
    case 'RemoteProtocolError':
      return 'protocol'
    case 'RefusedError':
      return 'refused'
    case 'TimeoutError':
      return 'deadline'
    case 'AbortError':
      return 'aborted'
    default:
      return error.side
  }
}

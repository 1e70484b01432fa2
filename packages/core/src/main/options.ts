/**
 * Options that users give, checked before anything is done with them.
 *
 * Rules: what is wrong is refused with its name, and nothing has happened yet: a signal that is none would otherwise
 * throw in the middle of a drain, and take every other call with it.
 */
import { PRIORITIES } from '../channel/records.ts'
import { LocalError } from '../plugin/errors.ts'
import type { CallOptions, TlsOptions } from '../plugin/protocol.ts'
import {
  KERNEL_LIMITS,
  type KernelLimits,
  UPSTREAM_LIMITS,
  type UpstreamLimits,
  type UpstreamOptions,
} from '../shared/limits.ts'
import { durationMs } from './durations.ts'

export function checkCallOptions(options: CallOptions): void {
  if (typeof options !== 'object' || options === null) throw new LocalError('OPTION', 'options are an object')
  checkSignal(options.signal)
  checkFunction('onTiming', options.onTiming)
  if (options.deadlineMs !== undefined) durationMs('deadlineMs', options.deadlineMs)
  const { idempotent } = options
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw new LocalError('OPTION', 'idempotent is true or false')
  }
  const { priority } = options
  if (priority !== undefined && !PRIORITIES.includes(priority)) {
    throw new LocalError('OPTION', "priority is 'high', 'normal' or 'low'")
  }
}

/** Anything that behaves as an AbortSignal: polyfills and other realms have classes of their own. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return
  const isSignal =
    typeof signal === 'object' &&
    signal !== null &&
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  if (!isSignal) throw new LocalError('OPTION', 'signal is not an AbortSignal')
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw new LocalError('OPTION', `${name} is not a function`)
}

/** Limits of one upstream: the defaults with the caller's changes. */
export function upstreamLimits(
  options: UpstreamOptions,
  ofProtocol: { readonly [option: string]: number } = {},
): UpstreamLimits {
  if (typeof options !== 'object' || options === null)
    throw new LocalError('OPTION', 'the options of connect() are an object')
  const { whenDown, ...changes } = options
  if (whenDown !== undefined && whenDown !== 'wait' && whenDown !== 'fail') {
    throw new LocalError('OPTION', "whenDown is 'wait' or 'fail'")
  }
  return changed(changed(UPSTREAM_LIMITS, ofProtocol, "the protocol's limits"), changes, 'connect()')
}

export function kernelLimits(changes: Partial<KernelLimits>): KernelLimits {
  const limits = changed(KERNEL_LIMITS, changes, 'createKernel({ limits })')
  return {
    ...limits,
    submissionBytes: ringBytes('submissionBytes', limits.submissionBytes),
    completionBytes: ringBytes('completionBytes', limits.completionBytes),
  }
}

/** Refuses what `node:tls` would ignore or trip over much later. */
export function checkTls(tls: TlsOptions | undefined): void {
  if (tls === undefined) return
  if (typeof tls !== 'object' || tls === null) throw new LocalError('OPTION', 'tls is an object, or absent')
  for (const [name, value] of Object.entries(tls)) {
    const isRight = TLS_CHECKS[name as keyof TlsOptions]
    if (isRight === undefined) throw new LocalError('OPTION', `tls knows no option '${name}'`)
    if (value !== undefined && !isRight(value))
      throw new LocalError('OPTION', `the tls option '${name}' is of a wrong type`)
  }
}

/** Unknown names are typing errors, and a typing error is a default that nobody wanted. */
export function checkNames(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new LocalError('OPTION', `${what} knows no option '${name}'`)
  }
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isPem = (value: unknown): boolean => typeof value === 'string' || value instanceof Uint8Array
const TLS_CHECKS: { readonly [Name in keyof Required<TlsOptions>]: (value: unknown) => boolean } = {
  ca: (value) => isPem(value) || (Array.isArray(value) && value.every(isPem)),
  cert: isPem,
  key: isPem,
  passphrase: isText,
  servername: isText,
  verifyName: (value) => typeof value === 'boolean',
  rejectUnauthorized: (value) => typeof value === 'boolean',
  alpnProtocols: (value) => Array.isArray(value) && value.every(isText),
  alpnRequired: (value) => typeof value === 'boolean',
  minVersion: (value) => value === 'TLSv1.2' || value === 'TLSv1.3',
  mode: (value) => value === 'direct' || value === 'negotiated',
}

/** One for calls, and one for a session: with a single connection one of them would wait for ever. */
const CONNECTIONS_LEAST = 2

/** With less than one of these, no call could ever run. */
const AT_LEAST_ONE: readonly string[] = [
  'inFlightMax',
  'pipelineMax',
  'windowMax',
  'streamBytesMax',
  'queueMax',
  'scriptStepsMax',
  'drainMsMax',
]

function changed<Limits extends object>(defaults: Limits, changes: object, what: string): Limits {
  if (typeof changes !== 'object' || changes === null) throw new LocalError('OPTION', `${what}: limits are an object`)
  const limits: { [name: string]: number } = { ...(defaults as { [name: string]: number }) }
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue
    if (!Object.hasOwn(defaults, name)) throw new LocalError('OPTION', `${what} knows no option '${name}'`)
    const least = name === 'connectionsMax' ? CONNECTIONS_LEAST : AT_LEAST_ONE.includes(name) ? 1 : 0
    if (typeof value !== 'number' || Number.isNaN(value) || value < least) {
      throw new LocalError('OPTION', `the option '${name}' must be a number of at least ${least}`)
    }
    limits[name] = name.endsWith('Ms') || name.endsWith('MsMax') ? durationMs(name, value) : Math.floor(value)
  }
  return limits as Limits
}

/** A ring's size is a power of two between 4 KB and 1 GB. */
function ringBytes(name: string, value: number): number {
  if (value < 4_096 || value > 1 << 30) {
    throw new LocalError('OPTION', `the limit '${name}' must lie between 4096 and ${1 << 30}`)
  }
  return 2 ** Math.ceil(Math.log2(value))
}

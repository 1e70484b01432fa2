/**
 * Options that users give to calls and waits, checked before anything is done with them.
 *
 * Rules: what is wrong is refused with its name, and nothing has happened yet: a signal that is none would otherwise
 * throw in the middle of a drain, and take every other call with it.
 */
import { LocalError } from '../plugin/errors.ts'
import type { CallOptions } from '../plugin/protocol.ts'
import { durationMs } from '../shared/durations.ts'

export function checkCallOptions(options: CallOptions): void {
  if (typeof options !== 'object' || options === null) throw new LocalError('OPTION', 'options are an object')
  checkSignal(options.signal)
  checkFunction('onTiming', options.onTiming)
  if (options.deadlineMs !== undefined) durationMs('deadlineMs', options.deadlineMs)
  const { idempotent } = options
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw new LocalError('OPTION', 'idempotent is true or false')
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

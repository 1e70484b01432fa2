/**
 * Durations that users give.
 *
 * Rules: a duration is a number of at least 0, in milliseconds; `Infinity` is the longest a timer can be. Anything else
 * is refused with its name, because `setTimeout` turns NaN, strings and everything past 2^31 into one millisecond.
 */
import { LocalError } from '../plugin/errors.ts'

/** What a timer takes: 24.8 days. */
export const DURATION_MS_MAX = 0x7fffffff

export function durationMs(name: string, value: number): number {
  if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
    throw new LocalError('OPTION', `${name} must be a number of at least 0 (milliseconds), or Infinity`)
  }
  // Whole milliseconds, rounded up: a deadline of less than one is not "none".
  return Math.min(Math.ceil(value), DURATION_MS_MAX)
}

/**
 * The only reader of the clock.
 *
 * `performance.now()` counts from the same origin on every thread of a process (checked on Node 20), so a stamp made on
 * the I/O thread can be subtracted from one made on the application thread. It never runs backwards.
 */

/** Milliseconds, with a fraction, since the process began. */
export function nowMs(): number {
  return performance.now()
}

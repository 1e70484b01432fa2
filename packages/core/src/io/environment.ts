/**
 * What the I/O side takes from the world: clock, timers, sockets, randomness, log. One object, so that tests can give
 * another world.
 */
import type { Dialer } from './transport.ts'

export interface IoEnvironment {
  nowMs(): number
  /** Calls `action` after `delayMs`, unless cancelled. */
  after(delayMs: number, action: () => void): Timer
  /** Calls `action` when the current turn's reads are done: the check phase. */
  afterReads(action: () => void): void
  readonly dial: Dialer
  random(length: number): Uint8Array
  /** In [0, 1): jitter. */
  randomUnit(): number
  /** One line for people. */
  log(level: 'warn' | 'debug', line: string): void
}

export interface Timer {
  cancel(): void
}

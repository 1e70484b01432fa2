/**
 * Whoever takes part in a comparison: a subject in a Node process of its own, or a program.
 */
import type { Measured } from './messages.ts'

/** One line of the comparison: what is done, and how much of it at a time. */
export interface Cell {
  readonly operation: string
  readonly bytes: number
  readonly inFlight: number
}

export interface Contestant {
  /** A round of about `durationMs`. Rejects when an answer is wrong or missing. */
  round(durationMs: number): Promise<Measured>
  close(): Promise<void>
}

/** It cannot take part here; the reason is for people. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError'
}

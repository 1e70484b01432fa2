/** A client library under measurement, inside its own process. */
import type { Operation } from '../harness/operation.ts'

export interface SubjectClient {
  /** Throws for an operation it does not know. */
  operation(name: string, bytes: number): Operation
  close(): Promise<void>
}

/** Resolves when the first call can be answered. */
export type Subject = (url: string) => Promise<SubjectClient>

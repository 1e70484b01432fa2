/**
 * What the bench and a subject's process say to each other over IPC: one request at a time, one answer each. Types
 * only.
 */
import type { Stream } from '../suites/suite.ts'

export type SubjectRequest =
  | { readonly do: 'open'; readonly subject: string; readonly url: string }
  | { readonly do: 'prepare'; readonly operation: string; readonly bytes: number }
  | { readonly do: 'closed'; readonly inFlight: number; readonly durationMs: number }
  | {
      readonly do: 'open loop'
      readonly ratePerSecond: number
      readonly durationMs: number
      readonly unansweredMax: number
    }
  | {
      readonly do: 'mixture'
      readonly streams: readonly Stream[]
      readonly bytes: number
      readonly leadInDurationMs: number
      readonly durationMs: number
      readonly unansweredMax: number
    }
  | { readonly do: 'rest'; readonly durationMs: number }
  | { readonly do: 'close' }

export type SubjectAnswer =
  | { readonly did: 'open' | 'prepare' | 'close' }
  | { readonly did: 'measure'; readonly measured: Measured }
  | { readonly did: 'mixture'; readonly measured: MixtureMeasured }
  | { readonly did: 'rest'; readonly rest: Rest }
  /** The subject's package is not here, or does not load. */
  | { readonly did: 'skip'; readonly reason: string }
  | { readonly did: 'fail'; readonly reason: string }

/** One round. */
export interface Measured {
  readonly operations: number
  readonly elapsedMs: number
  readonly p50Us: number
  readonly p99Us: number
  readonly p999Us: number
  readonly cpuUs: number
  /** Null where the system does not tell (JSON knows no NaN). */
  readonly mainCpuUs: number | null
  readonly rssBytes: number
}

/** One round of a mixture: each stream by itself, and the process as a whole. */
export interface MixtureMeasured {
  readonly streams: readonly StreamMeasured[]
  readonly elapsedMs: number
  readonly cpuUs: number
  readonly rssBytes: number
}

export interface StreamMeasured {
  readonly name: string
  readonly operations: number
  /** Calls that were rejected. They are among the operations, and as late as their errors were. */
  readonly errors: number
  readonly firstError: string | undefined
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

/** Doing nothing. */
export interface Rest {
  readonly elapsedMs: number
  readonly cpuUs: number
  readonly rssBytes: number
}

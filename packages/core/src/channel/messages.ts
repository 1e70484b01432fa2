/**
 * Control messages and events: the records that carry structured data instead of a protocol's bytes.
 *
 * Rules: plain data only (`v8.serialize`). None of these is on the path of a call; a message may cost a few
 * microseconds.
 */
import { deserialize, serialize } from 'node:v8'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { ErrorDescription } from '../plugin/errors.ts'
import type { GapReason, NameTarget, Pollution, TlsOptions, UpstreamState } from '../plugin/protocol.ts'
import type { UpstreamLimits, WhenDown } from '../shared/limits.ts'

/** What the I/O thread needs to know of an upstream. */
export interface UpstreamConfiguration {
  readonly key: string
  readonly protocol: string
  readonly authority: string
  readonly lanes: 'one' | 'elastic' | 'pool'
  /** Replies name their request by a wire id. */
  readonly correlated: boolean
  /** Pushes and requests come unasked, over lanes and sessions. */
  readonly unasked: boolean
  readonly name: NameTarget
  readonly tls: TlsOptions | undefined
  readonly io: Cloneable
  readonly limits: UpstreamLimits
  readonly whenDown: WhenDown
  readonly asksCredentials: boolean
}

/** Application thread to I/O thread. `target`, `session` and `interest` are numbers given by the application thread. */
export type ControlMessage =
  | { readonly type: 'connect'; readonly target: number; readonly upstream: UpstreamConfiguration }
  | { readonly type: 'disconnect'; readonly target: number; readonly deadlineMs: number }
  | {
      readonly type: 'listening'
      readonly target: number
      readonly to: 'state' | 'pollution'
      readonly listening: boolean
    }
  | {
      readonly type: 'credentials'
      readonly target: number
      readonly value: Cloneable
      readonly failure: string | undefined
    }
  | { readonly type: 'open-session'; readonly session: number; readonly target: number; readonly deadlineMs: number }
  | { readonly type: 'close-session'; readonly session: number }
  | {
      readonly type: 'add-interest'
      readonly interest: number
      readonly target: number
      readonly key: string
      /** It was registered before the I/O thread was replaced: its confirmation comes with a gap. */
      readonly resumed: boolean
      /** It takes requests of the peer's. */
      readonly answers: boolean
    }
  | { readonly type: 'drop-interest'; readonly interest: number }
  | { readonly type: 'flush'; readonly token: number }
  | { readonly type: 'ping' }
  | { readonly type: 'close'; readonly deadlineMs: number }

/** I/O thread to application thread. */
export type EventMessage =
  | { readonly type: 'facts'; readonly id: number; readonly endpoint: string; readonly facts: Cloneable }
  | { readonly type: 'facts-gone'; readonly id: number }
  | {
      readonly type: 'state'
      readonly target: number
      readonly state: UpstreamState
      /** The peer will not let us in: who waits need not wait longer. */
      readonly refusal: ErrorDescription | undefined
    }
  | { readonly type: 'disconnected'; readonly target: number }
  | { readonly type: 'polluted'; readonly target: number; readonly pollution: Pollution }
  | { readonly type: 'credentials-wanted'; readonly target: number }
  | { readonly type: 'session-ready'; readonly session: number }
  | { readonly type: 'session-failed'; readonly session: number; readonly error: ErrorDescription }
  | { readonly type: 'session-lost'; readonly session: number; readonly error: ErrorDescription }
  | { readonly type: 'session-closed'; readonly session: number }
  | { readonly type: 'interest-ready'; readonly interest: number }
  | {
      readonly type: 'interest-failed'
      readonly interest: number
      readonly error: ErrorDescription
      /** What the peer answered, where it did. */
      readonly frame?: Uint8Array
    }
  | { readonly type: 'interest-gap'; readonly interest: number; readonly reason: GapReason }
  /** Nothing about this number comes after this: it may be given again. */
  | { readonly type: 'interest-closed'; readonly interest: number }
  | { readonly type: 'flushed'; readonly token: number }
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'closed' }

export function encodeMessage(message: ControlMessage | EventMessage | ErrorDescription): Buffer {
  return serialize(message)
}

/** Copies first: `v8.deserialize` must not see memory that the other thread may write to. */
export function decodeControl(bytes: Buffer, start: number, end: number): ControlMessage {
  return deserialize(Buffer.from(bytes.subarray(start, end))) as ControlMessage
}

export function decodeEvent(bytes: Buffer, start: number, end: number): EventMessage {
  return deserialize(Buffer.from(bytes.subarray(start, end))) as EventMessage
}

export function decodeErrorDescription(bytes: Buffer, start: number, end: number): ErrorDescription {
  return deserialize(Buffer.from(bytes.subarray(start, end))) as ErrorDescription
}

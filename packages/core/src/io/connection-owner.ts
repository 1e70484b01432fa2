/**
 * What a live connection is given, what it tells its owner, and what all of them share.
 */
import type { Connection } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import type { IoKernelError } from '../plugin/errors.ts'
import type { TlsOptions } from '../plugin/protocol.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Call } from './call.ts'
import type { IoEnvironment } from './environment.ts'
import type { LiveConnection } from './live-connection.ts'
import type { RequestStore } from './request-store.ts'
import type { Settlement } from './settlement.ts'

export type Purpose = 'lane' | 'session' | 'push' | 'monitor' | 'cancel'
export type Phase = 'opening' | 'scripting' | 'ready' | 'draining' | 'closed'

export interface ConnectionSettings {
  readonly id: number
  readonly purpose: Purpose
  readonly endpoint: Endpoint
  /** The name the application wrote: for certificates and SNI. */
  readonly host: string
  readonly tls: TlsOptions | undefined
  readonly authority: string
  readonly limits: UpstreamLimits
  readonly protocol: Connection
}

export interface ConnectionOwner {
  onReady(connection: LiveConnection): void
  /** It takes no more calls, and closes when those it has are answered: a replacement may be opened now. */
  onRetiring?(connection: LiveConnection): void
  /** The peer is not what it was: a write was refused by what has become a replica. */
  onRoleLost?(connection: LiveConnection): void
  onClosed(connection: LiveConnection, error: IoKernelError): void
  /** Something was answered: there is room, or the connection has become idle. */
  onProgress(connection: LiveConnection): void
  onPush(connection: LiveConnection, bytes: Buffer, start: number, end: number): void
  /** The peer asks something. True when somebody will answer it. */
  onAsked?(connection: LiveConnection, bytes: Buffer, start: number, end: number): boolean
  /** A frame that answers no call, on a push connection. */
  onStray(connection: LiveConnection, bytes: Buffer, start: number, end: number, flags: number): void
  /** The peer says it did nothing for this call. True when the owner took it to send it again. */
  onNotExecuted(connection: LiveConnection, call: Call): boolean
  /**
   * A call whose preparations were out of date, to be sent once more. Absent: it is not, and the caller gets the error.
   */
  onStale?(connection: LiveConnection, call: Call): void
  /** Something can be learned: this call, still the oldest of its connection, is about to be answered. */
  onAnswered?(connection: LiveConnection, call: Call): void
  /** A reply showed that a call has left state behind. */
  onDirty?(connection: LiveConnection): void
}

/** What every connection of the kernel shares. */
export interface ConnectionServices {
  readonly environment: IoEnvironment
  readonly store: RequestStore
  readonly settlement: Settlement
  /** Registers for `flush` at the end of the turn. */
  flushLater(connection: LiveConnection): void
  /** Sets a call's deadline anew: so long from now. */
  rearm(call: Call, deadlineMs: number): void
}

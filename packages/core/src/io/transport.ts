/**
 * A byte stream to a peer, as connections see it. `net.ts` and `tls.ts` implement it; tests have one without sockets.
 *
 * Rules: `onClosed` is called exactly once and is the last call; nothing is called from inside `write` or `destroy`.
 */
import type { Endpoint } from '../plugin/discovery.ts'
import type { TlsOptions } from '../plugin/protocol.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'

export interface TransportEvents {
  /** Connected, and encrypted where that was asked for. */
  onOpen(): void
  /** New bytes are in the receive buffer. */
  onReceived(): void
  /** The peer will send no more. */
  onEnd(): void
  /** What `write` was given has left, and more is welcome. */
  onDrain(): void
  onClosed(error: Error | undefined): void
}

export interface Transport {
  /** Bytes handed over that the operating system has not taken. */
  readonly unsentBytes: number
  /** Memory in `bytes` belongs to the transport until `taken` is called; `left` is false when they were not written. */
  write(bytes: Uint8Array, taken: (left: boolean) => void): void
  /** No more is read until `resume`; what was read already may still be reported. */
  pause(): void
  resume(): void
  /** Writes between the two calls leave as one. */
  cork(): void
  uncork(): void
  /** Encrypts an open stream; `done` gets the peer's certificate (DER). Failure is an `onClosed`. */
  upgrade(tls: TlsOptions, host: string, done: (certificate: Uint8Array) => void): void
  /** DER; empty where there is none. */
  peerCertificate(): Uint8Array
  destroy(): void
}

export interface DialRequest {
  readonly endpoint: Endpoint
  /** Encrypt before `onOpen`. */
  readonly tls: TlsOptions | undefined
  /** Name to check the certificate against, unless the options say otherwise. */
  readonly host: string
  readonly receive: ReceiveBuffer
  readonly events: TransportEvents
}
export type Dialer = (request: DialRequest) => Transport

/** For writes whose memory nobody waits for. */
export function NOTHING(): void {}

/**
 * What a connection does with the bytes that came: to the framer, or raw to a script; and the change to TLS in between.
 *
 * Rules:
 * 1. The framer is never re-entered: a script that is answered from within it may send, be answered and upgrade.
 * 2. Bytes that arrive between the last plain message and the beginning of TLS are an attack (CVE-2021-23222).
 * 3. What a frame without end may pile up is bounded by `frameBytesMax`.
 */
import { LocalError, RemoteProtocolError } from '../plugin/errors.ts'
import type { ConnectionSettings } from './connection-owner.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'
import type { ReplyMatcher } from './reply-matcher.ts'
import type { Transport } from './transport.ts'

export interface IntakeHost {
  isClosed(): boolean
  transport(): Transport
  /** Ends the connection; the error may be whatever a plugin threw. */
  fail(error: unknown): void
}

export class Intake {
  readonly #settings: ConnectionSettings
  readonly #receive: ReceiveBuffer
  readonly #matcher: ReplyMatcher
  readonly #host: IntakeHost
  #scanning = false
  #upgradeAfterScan: ((certificate: Uint8Array) => void) | undefined
  #encrypted: boolean

  constructor(settings: ConnectionSettings, receive: ReceiveBuffer, matcher: ReplyMatcher, host: IntakeHost) {
    this.#settings = settings
    this.#receive = receive
    this.#matcher = matcher
    this.#host = host
    this.#encrypted = settings.tls !== undefined && settings.tls.mode !== 'negotiated'
  }

  get isScanning(): boolean {
    return this.#scanning
  }

  /** New bytes are in the receive buffer. */
  scan(): void {
    if (this.#scanning) return
    this.#scanning = true
    try {
      while (!this.#host.isClosed() && this.#scanOnce());
    } catch (error) {
      this.#host.fail(error)
    }
    this.#scanning = false
    const upgraded = this.#upgradeAfterScan
    this.#upgradeAfterScan = undefined
    if (upgraded !== undefined && !this.#host.isClosed()) this.upgrade(upgraded)
  }

  /**
   * A script asks for TLS; `upgraded` gets the peer's certificate, at once where the connection is encrypted already.
   */
  upgrade(upgraded: (certificate: Uint8Array) => void): void {
    // The frame that led here is not consumed before the framer returns.
    if (this.#scanning) {
      this.#upgradeAfterScan = upgraded
      return
    }
    const { tls, host } = this.#settings
    const transport = this.#host.transport()
    const proceed = (certificate: Uint8Array): void => {
      try {
        upgraded(certificate)
      } catch (error) {
        this.#host.fail(error)
      }
    }
    if (this.#encrypted) return proceed(transport.peerCertificate())
    if (this.#receive.length > 0) {
      return this.#host.fail(this.#wrong('bytes arrived in plain text where TLS should begin'))
    }
    if (tls === undefined) {
      return this.#host.fail(new LocalError('PLUGIN', 'the handshake asks for TLS that was not configured'))
    }
    this.#encrypted = true
    transport.upgrade(tls, host, proceed)
  }

  /** True when there is reason to look again. */
  #scanOnce(): boolean {
    const receive = this.#receive
    const runner = this.#matcher.script
    if (runner !== undefined && runner.rawWanted > 0) {
      const wanted = runner.rawWanted
      if (receive.length < wanted) return false
      const raw = Uint8Array.prototype.slice.call(receive.bytes, receive.start, receive.start + wanted)
      receive.consume(wanted)
      runner.raw(raw)
      return receive.length > 0
    }
    if (runner?.upgrading === true) return false
    if (receive.length === 0) return false
    const done = this.#settings.protocol.scan(receive.bytes, receive.start, receive.end, this.#matcher)
    this.#matcher.endScan()
    // A frame may have ended the connection; the rest of the bytes is nobody's.
    if (this.#host.isClosed()) return false
    receive.consume(done)
    const { frameBytesMax } = this.#settings.limits
    if (receive.length > frameBytesMax) {
      throw this.#wrong(`the peer's frame is longer than frameBytesMax (${frameBytesMax} bytes)`)
    }
    // A script may have gone from frames to raw bytes, and those may be here.
    return receive.length > 0 && (this.#matcher.script?.rawWanted ?? 0) > 0
  }

  #wrong(what: string): RemoteProtocolError {
    const { authority, endpoint } = this.#settings
    return new RemoteProtocolError(what, { upstream: authority, endpoint: endpoint.id })
  }
}

/**
 * Plain sockets: the only file that imports `node:net`.
 *
 * Rules: reads go straight into the connection's receive buffer (`onread`, no allocation per read). Nagle is off: a
 * pipelined request must not wait for the acknowledgement of the one before. Sockets never keep an inline process alive
 * by themselves.
 */
import { connect, type Socket } from 'node:net'
import type { TlsOptions } from '../plugin/protocol.ts'
import { encrypt, type TlsStream } from './tls.ts'
import type { DialRequest, Transport } from './transport.ts'

/**
 * Idle time before TCP asks whether the peer is there; below the 350 s after which cloud load balancers forget a
 * connection.
 */
const KEEP_ALIVE_MS = 15_000

/** `unref`: the process may end although sockets are open (inline mode). */
export function dialSocket(request: DialRequest, unref: boolean): Transport {
  return new SocketTransport(request, unref)
}

class SocketTransport implements Transport {
  readonly #request: DialRequest
  readonly #socket: Socket
  #tls: TlsStream | undefined
  #error: Error | undefined
  #closed = false

  constructor(request: DialRequest, unref: boolean) {
    this.#request = request
    const { endpoint, receive, events } = request
    const where = endpoint.port === 0 ? { path: endpoint.host } : { host: endpoint.host, port: endpoint.port }
    const socket = connect({
      ...where,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      // `tls.connect({ socket })` reads by itself; until then, and without TLS, bytes land here.
      ...(request.tls !== undefined
        ? {}
        : {
            onread: {
              buffer: () => receive.space(),
              callback: (length: number) => {
                receive.filled(length)
                events.onReceived()
                return true
              },
            },
          }),
    })
    this.#socket = socket
    if (unref) socket.unref()
    socket.on('connect', () => {
      if (request.tls === undefined) events.onOpen()
      else this.upgrade(request.tls, request.host, () => events.onOpen())
    })
    socket.on('error', (error) => {
      this.#error ??= error
    })
    socket.on('close', () => this.#close())
    socket.on('drain', () => events.onDrain())
    if (request.tls === undefined) socket.on('end', () => events.onEnd())
  }

  get unsentBytes(): number {
    return (this.#tls?.stream ?? this.#socket).writableLength
  }

  write(bytes: Uint8Array, taken: (left: boolean) => void): void {
    ;(this.#tls?.stream ?? this.#socket).write(bytes, (error) => taken(error === null || error === undefined))
  }

  pause(): void {
    ;(this.#tls?.stream ?? this.#socket).pause()
  }

  resume(): void {
    ;(this.#tls?.stream ?? this.#socket).resume()
  }

  cork(): void {
    ;(this.#tls?.stream ?? this.#socket).cork()
  }

  uncork(): void {
    ;(this.#tls?.stream ?? this.#socket).uncork()
  }

  upgrade(options: TlsOptions, host: string, done: (certificate: Uint8Array) => void): void {
    const { receive, events } = this.#request
    let tls: TlsStream
    try {
      tls = encrypt(this.#socket, options, host)
    } catch (error) {
      // A certificate or key that cannot be read costs this connection, like any other refusal.
      this.#error ??= error instanceof Error ? error : new Error(String(error))
      this.#socket.destroy()
      return
    }
    this.#tls = tls
    tls.stream.on('error', (error) => {
      this.#error ??= error
      this.#socket.destroy()
    })
    tls.stream.on('secureConnect', () => {
      if (!tls.stream.destroyed) done(tls.peerCertificate())
    })
    tls.stream.on('data', (chunk: Buffer) => {
      receive.append(chunk)
      events.onReceived()
    })
    tls.stream.on('drain', () => events.onDrain())
    tls.stream.on('end', () => events.onEnd())
    tls.stream.on('close', () => this.#socket.destroy())
  }

  peerCertificate(): Uint8Array {
    return this.#tls?.peerCertificate() ?? new Uint8Array(0)
  }

  destroy(): void {
    this.#tls?.stream.destroy()
    this.#socket.destroy()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#request.events.onClosed(this.#error)
  }
}

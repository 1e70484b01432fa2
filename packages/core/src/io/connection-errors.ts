/** Errors of one connection: they name the upstream and the address. */
import { IoKernelError, LocalError, RemoteError } from '../plugin/errors.ts'

export class ConnectionErrors {
  readonly place: { readonly upstream: string; readonly endpoint: string }

  constructor(authority: string, endpointId: string) {
    this.place = { upstream: authority, endpoint: endpointId }
  }

  remote(code: string, message: string, cause?: Error): RemoteError {
    const systemCode = (cause as NodeJS.ErrnoException | undefined)?.code
    return new RemoteError(code, `${this.place.upstream} at ${this.place.endpoint}: ${message}`, {
      ...this.place,
      ...(cause === undefined ? {} : { cause }),
      ...(systemCode === undefined ? {} : { fields: { systemCode } }),
    })
  }

  replyTooLarge(replyBytesMax: number): RemoteError {
    return this.remote('REPLY_TOO_LARGE', `a reply passed replyBytesMax (${replyBytesMax} bytes) and was dropped`)
  }

  notReading(): RemoteError {
    return this.remote('NOT_READING', 'the peer asks, and does not take the answers')
  }

  connectTimeout(ms: number): RemoteError {
    return this.remote('CONNECT_TIMEOUT', `no connection within ${ms} ms (connectTimeoutMs)`)
  }

  /** What a plugin threw. */
  fromPlugin(error: unknown): IoKernelError {
    if (error instanceof IoKernelError) return error as IoKernelError
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return new LocalError('PLUGIN', `the protocol plugin failed (${text}); this connection is closed`, {
      sent: 'maybe',
      ...this.place,
    })
  }
}

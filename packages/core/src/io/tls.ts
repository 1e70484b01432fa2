/**
 * TLS over an open socket: the only file that imports `node:tls`.
 *
 * Rules: certificates are verified unless the caller said `rejectUnauthorized: false`; the name checked and sent (SNI)
 * is the one the application wrote, not the address it resolved to.
 */
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { TlsOptions } from '../plugin/protocol.ts'
import { isAddress } from '../shared/address.ts'

export interface TlsStream {
  readonly stream: TLSSocket
  /** The peer's certificate (DER), empty when there is none. */
  peerCertificate(): Uint8Array
}

export function encrypt(socket: Duplex, options: TlsOptions, host: string): TlsStream {
  const name = options.servername ?? host
  const settings: ConnectionOptions = {
    socket,
    host: name,
    rejectUnauthorized: options.rejectUnauthorized ?? true,
    // RFC 6066 section 3: an address is no server name.
    ...(isAddress(name) ? {} : { servername: name }),
    ...(options.verifyName === false ? { checkServerIdentity: () => undefined } : {}),
    ...(options.ca === undefined ? {} : { ca: asList(options.ca) }),
    ...(options.cert === undefined ? {} : { cert: asPem(options.cert) }),
    ...(options.key === undefined ? {} : { key: asPem(options.key) }),
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    ...(options.minVersion === undefined ? {} : { minVersion: options.minVersion }),
    ...(options.alpnProtocols === undefined ? {} : { ALPNProtocols: [...options.alpnProtocols] }),
  }
  const stream = connect(settings)
  if (options.alpnRequired === true) {
    stream.prependOnceListener('secureConnect', () => {
      if (stream.alpnProtocol === false)
        stream.destroy(new Error('the peer chose no application protocol (ALPN): it may be another service'))
    })
  }
  return {
    stream,
    peerCertificate: () => stream.getPeerCertificate()?.raw ?? new Uint8Array(0),
  }
}

function asList(value: NonNullable<TlsOptions['ca']>): (string | Buffer)[] {
  return (Array.isArray(value) ? value : [value]).map(asPem)
}

function asPem(value: string | Uint8Array): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value)
}

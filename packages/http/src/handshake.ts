/**
 * How a connection begins: not at all where the peer is the server, or a proxy that is given whole URLs; through a
 * proxy's tunnel by CONNECT (RFC 9110, section 9.3.6).
 *
 *   CONNECT api.example:443 HTTP/1.1      ->
 *                                         <-  HTTP/1.1 200 Connection established
 *   TLS with api.example                 <-->
 *
 * Rules: what the proxy says is read as strictly as any reply. Bytes of its own behind a 2xx would be taken for TLS:
 * the kernel ends the connection. The proxy's words and the credentials are in no error; `code` names the status.
 *
 * Limits: TLS to the proxy itself would be TLS inside TLS, which a connection here does not have.
 */
import {
  frame,
  LocalError,
  type Place,
  RefusedError,
  RemoteError,
  type Script,
  send,
  upgradeTls,
} from '@iokernel/core/plugin'
import type { HttpFacts } from './codec/facts.ts'
import { Head } from './codec/head.ts'
import type { HttpIo } from './io.ts'

export function* handshake(options: HttpIo, place: Place): Script<HttpFacts> {
  const { proxy } = options
  if (proxy === undefined) return { via: 'direct' }
  const { tunnelTo } = proxy
  if (tunnelTo === undefined) return { via: 'proxy' }
  // TLS would be taken for done, and what is meant for the server would be the proxy's to read.
  if (place.encrypted) throw new LocalError('UNSUPPORTED', 'a tunnel through a proxy that is itself spoken to by TLS')
  yield* send(connectRequest(tunnelTo, proxy.authorization))
  const reply = Buffer.from(yield* frame())
  const head = new Head('response', options.limits)
  head.scan(reply, 0, reply.length)
  if (head.status < 200 || head.status > 299) throw refusal(head.status)
  yield* upgradeTls()
  return { via: 'tunnel' }
}

function connectRequest(authority: string, authorization: string | undefined): Buffer {
  const credentials = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  return Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`, 'latin1')
}

/** What needs a person is a `RefusedError`; what may pass by itself is tried again. */
function refusal(status: number): RemoteError {
  const code = `PROXY_${status}`
  const fields = { status }
  const advice = ADVICE[status]
  if (advice !== undefined)
    return new RefusedError(code, `the proxy opens no tunnel (${status}): ${advice}`, { fields })
  return new RemoteError(code, `the proxy opens no tunnel: it answered ${status}`, { sent: 'no', fields })
}

const ADVICE: { readonly [status: number]: string | undefined } = {
  400: 'it does not understand CONNECT: is this a forward proxy?',
  401: 'it asks for the credentials of a server: is this a forward proxy?',
  403: 'its rules forbid this target',
  404: 'it does not know CONNECT: is this a forward proxy?',
  405: 'it does not allow CONNECT: is this a forward proxy?',
  407: 'name and password are missing or wrong: set them in the URL of the proxy',
  501: 'it does not know CONNECT: is this a forward proxy?',
}

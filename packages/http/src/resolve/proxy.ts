/**
 * Which forward proxy stands between, if one does.
 *
 * Rules: a proxy is named by the target, or by the environment where the target says that it may be. Names are compared
 * as curl compares them. The credentials of a proxy are percent-encoded in its URL, and are in no message.
 *
 *   http_proxy, https_proxy, all_proxy    by the scheme of the target; small letters win
 *   no_proxy                              `*`, or a list: hosts with all that is below them, addresses, host:port
 *
 * Limits: proxies speak HTTP; SOCKS is not supported, networks (10.0.0.0/8) in `no_proxy` are not understood.
 */
import { badTarget } from '@iokernel/core/toolkit'
import { PORTS, parsePlace } from '../target.ts'

export interface ForwardProxy {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string
  /** Spoken to by TLS. */
  readonly encrypted: boolean
  /** The host, for its certificate. */
  readonly hostname: string
  /** `Basic …`. */
  readonly authorization: string | undefined
}

export type Environment = { readonly [name: string]: string | undefined }

export function parseProxy(text: string): ForwardProxy {
  const url = parsePlace(text.includes('://') ? text : `http://${text}`, 'a proxy')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw badTarget('a proxy is http:// or https://')
  const encrypted = url.protocol === 'https:'
  const port = url.port === '' ? PORTS[encrypted ? 'https' : 'http'] : url.port
  return {
    address: `${url.hostname}:${port}`,
    encrypted,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    authorization: authorizationOf(url),
  }
}

/** The proxy that the environment names for a server. */
export function proxyInEnvironment(
  environment: Environment,
  scheme: 'http' | 'https',
  hostname: string,
  address: string,
): ForwardProxy | undefined {
  const read = (name: string): string | undefined => environment[name] ?? environment[name.toUpperCase()]
  // A CGI program's HTTP_PROXY is a header of whoever called it (CVE-2016-5385).
  const isCgi = environment['REQUEST_METHOD'] !== undefined
  const own = scheme === 'http' && isCgi ? environment['http_proxy'] : read(`${scheme}_proxy`)
  const text = own ?? read('all_proxy')
  if (text === undefined || text === '' || isExcepted(read('no_proxy') ?? '', hostname, address)) return undefined
  return parseProxy(text)
}

function isExcepted(list: string, hostname: string, address: string): boolean {
  return list
    .split(/[\s,]+/)
    .map((entry) => entry.toLowerCase().replace(/^\*?\./, ''))
    .some((entry) => {
      if (entry === '') return false
      if (entry === '*' || entry === hostname || entry === address || entry === `[${hostname}]`) return true
      const [host, port] = entry.split(':')
      const isHere = port === undefined || address.endsWith(`:${port}`)
      return isHere && (hostname === host || hostname.endsWith(`.${host}`))
    })
}

function authorizationOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined
  try {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    return `Basic ${Buffer.from(pair).toString('base64')}`
  } catch {
    throw badTarget('name and password of a proxy are not percent-encoded rightly: write % as %25')
  }
}

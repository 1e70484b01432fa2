/**
 * A target written as a URL, taken apart.
 *
 *   http://host[:port]   https://…
 *   http+unix:///path/of.sock                              a unix socket; Host is localhost
 *   http+<discovery>://what/the/discovery/understands      https+<discovery>://…
 *
 * Rules: a host is read as the platform's `URL` reads it: lower case, punycode, addresses in their usual form, IPv6 in
 * brackets. A target is a place: a path, a query or credentials belong to requests, and are an error here. What is not
 * understood is an error, never ignored. No message holds what was given.
 */
import { badTarget, type DiscoveryTarget, decoded, takeSocket } from '@iokernel/core/toolkit'

export interface ParsedTarget {
  readonly encrypted: boolean
  /** `host:port`, IPv6 in brackets; undefined for the other two. */
  readonly address: string | undefined
  readonly socketPath: string | undefined
  readonly discovery: DiscoveryTarget | undefined
  /** The value of Host. */
  readonly host: string
  /** Without port and brackets: what certificates are for. Undefined where only a discovery knows it. */
  readonly hostname: string | undefined
}

export const PORTS = { http: 80, https: 443 } as const

export function parseTarget(text: string): ParsedTarget {
  const parts = SCHEME.exec(text)
  if (parts === null) throw badTarget('a target is a URL like https://api.internal, or an object')
  const base = (parts[1] as string).toLowerCase()
  const extension = parts[2]?.toLowerCase()
  const rest = parts[3] as string
  if (base !== 'http' && base !== 'https') {
    throw badTarget('the scheme of a target is http:, https:, http+unix: or http+<discovery>:')
  }
  const encrypted = base === 'https'
  if (extension === undefined) return parseOrigin(text, encrypted)
  const written = decoded(rest, 'target')
  if (extension === 'unix') {
    if (encrypted) throw badTarget('TLS over a unix socket is not supported')
    return { ...NOWHERE, encrypted, socketPath: takeSocket(written).host, host: 'localhost', hostname: 'localhost' }
  }
  if (written === '' || /[?#]/.test(rest))
    throw badTarget('a discovery needs what it is to look for: http+name://target')
  const first = (written.split(/[/,]/, 1)[0] as string).toLowerCase()
  return {
    ...NOWHERE,
    encrypted,
    discovery: { name: extension, target: written },
    host: hostOf(first),
    hostname: undefined,
  }
}

/** `host:port`, the port filled in; of a list of addresses. */
export function parseAddress(text: string, encrypted: boolean): string {
  const { address } = parseOrigin(`${encrypted ? 'https' : 'http'}://${text}`, encrypted)
  return address as string
}

/** Throws where there is more than a place. */
export function parsePlace(text: string, what: string): URL {
  // The platform drops these without a word.
  if (INVISIBLE.test(text)) throw badTarget(`${what} holds a space or a control character`)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw badTarget(`${what} is a URL like https://api.internal:8443`)
  }
  if (url.pathname !== '/' && url.pathname !== '')
    throw badTarget(`${what} is a place and has no path: paths go into requests`)
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text))
    throw badTarget(`${what} has neither a query nor a fragment`)
  if (!HOSTNAME.test(url.hostname))
    throw badTarget(`${what} has a host of letters, digits, dots and hyphens, or an address`)
  if (url.port === '0') throw badTarget(`${what} has a port from 1 to 65535`)
  return url
}

function parseOrigin(text: string, encrypted: boolean): ParsedTarget {
  const url = parsePlace(text, 'a target')
  if (url.username !== '' || url.password !== '') {
    throw badTarget('credentials do not go into the URL of a target: give headers: { authorization }')
  }
  const port = url.port === '' ? PORTS[encrypted ? 'https' : 'http'] : url.port
  return {
    ...NOWHERE,
    encrypted,
    address: `${url.hostname}:${port}`,
    host: url.host,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
  }
}

/** What a discovery looks for is nearly always the name of the service. */
function hostOf(text: string): string {
  return /^[a-z0-9._-]+(:\d{1,5})?$/.test(text) ? text : 'localhost'
}

const SCHEME = /^([a-z]+)(?:\+([a-z0-9.-]+))?:\/\/(.*)$/is
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant.
const INVISIBLE = /[\x00-\x20\x7f]/
const HOSTNAME = /^([A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])$/
const NOWHERE = { address: undefined, socketPath: undefined, discovery: undefined } as const

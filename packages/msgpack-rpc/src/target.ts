/**
 * A target written as a URL, taken apart.
 *
 *   msgpack-rpc://host:port[,host:port...]
 *   msgpack-rpcs://...                          the same over TLS
 *   msgpack-rpc:///path/of.sock                 a unix socket
 *   msgpack-rpc+<discovery>://what/the/discovery/understands
 *
 * Rules: a host has a port, for no port is msgpack-rpc's own. IPv6 stands in brackets. There are no users and no
 * options: the protocol has none. What is not understood is an error, never ignored. No message holds what was given
 * as user or password.
 */
import { LocalError } from '@iokernel/core/plugin'

export interface ParsedUrl {
  readonly encrypted: boolean
  /** `host:port` each; IPv6 in brackets. */
  readonly hosts: readonly string[]
  /** A socket's path. */
  readonly path: string | undefined
  readonly discovery: { readonly name: string; readonly target: string } | undefined
}

/** For discoveries that name none. Neovim's documentation listens here; no registry knows a port of msgpack-rpc. */
export const PORT_DEFAULT = 6666

export function parseUrl(url: string): ParsedUrl {
  const parts = URL_PARTS.exec(url)
  if (parts === null) throw bad('a target is a URL like msgpack-rpc://host:6666, or an object')
  const scheme = (parts[1] as string).toLowerCase()
  const place = parts[2] as string
  if (/[?#@]/.test(place)) {
    throw bad('a msgpack-rpc URL has no user, options or fragment: use the object form, with a greeting for tokens')
  }
  const plus = scheme.indexOf('+')
  const base = plus < 0 ? scheme : scheme.slice(0, plus)
  if (base !== 'msgpack-rpc' && base !== 'msgpack-rpcs') {
    throw bad(`'${scheme}:' is no scheme of msgpack-rpc: msgpack-rpc:, msgpack-rpcs:, msgpack-rpc+<discovery>:`)
  }
  const encrypted = base === 'msgpack-rpcs'
  if (plus >= 0) {
    const target = decode(place)
    if (target === '') throw bad(`${scheme}:// needs a target for its discovery`)
    return { ...NOWHERE, encrypted, discovery: { name: scheme.slice(plus + 1), target } }
  }
  if (place.startsWith('/')) {
    if (encrypted) throw bad('TLS over a unix socket is not supported')
    return { ...NOWHERE, encrypted, path: decode(place) }
  }
  const hosts = place.replace(/\/$/, '')
  if (hosts.includes('/')) throw bad('a host has no path behind it; a socket is written msgpack-rpc:///path/of.sock')
  return { ...NOWHERE, encrypted, hosts: hosts.split(',').map(parseHost) }
}

/** `host:port`, checked. */
export function parseHost(text: string): string {
  const parts = HOST.exec(text)
  if (parts === null) throw bad('a host is written host:port or [v6]:port, several separated by commas')
  const port = Number(parts[2])
  if (port < 1 || port > 65_535) throw bad(`${port} is no port`)
  return `${parts[1]}:${port}`
}

/** True for `1.2.3.4:6666` and `[::1]:6666`: nothing to look up. */
export function isNumeric(host: string): boolean {
  return host.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}:/.test(host)
}

export function bad(message: string): LocalError {
  return new LocalError('TARGET', message)
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is
const HOST = /^([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/

const NOWHERE = { hosts: [], path: undefined, discovery: undefined } as const

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad('the target is not percent-encoded rightly: write % as %25')
  }
}

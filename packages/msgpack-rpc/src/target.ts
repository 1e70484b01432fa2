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
import {
  type Address,
  badTarget,
  type DiscoveryTarget,
  decoded,
  discoveryIn,
  takeAddress,
  takeSocket,
  takeUrl,
} from '@iokernel/core/toolkit'

export interface ParsedUrl {
  readonly encrypted: boolean
  /** Hosts, or one socket; empty where a discovery finds them. */
  readonly addresses: readonly Address[]
  readonly discovery: DiscoveryTarget | undefined
}

/** For discoveries that name none. Neovim's documentation listens here; no registry knows a port of msgpack-rpc. */
export const PORT_DEFAULT = 6666

/** What to write, for messages. */
export const URL_LIKE = 'msgpack-rpc://host:6666'

export function parseUrl(text: string): ParsedUrl {
  const url = takeUrl(text, URL_LIKE)
  const { scheme, base, place, path } = url
  if (url.identity !== undefined || url.query !== undefined) {
    throw badTarget('a msgpack-rpc URL has no user and no options: use the object form, with a greeting for tokens')
  }
  if (base !== 'msgpack-rpc' && base !== 'msgpack-rpcs') {
    throw badTarget(`'${scheme}:' is no scheme of msgpack-rpc: msgpack-rpc:, msgpack-rpcs:, msgpack-rpc+<discovery>:`)
  }
  const encrypted = base === 'msgpack-rpcs'
  const discovery = discoveryIn(url)
  if (discovery !== undefined) return { encrypted, addresses: [], discovery }
  if (place === '' && path !== '') {
    if (encrypted) throw badTarget('TLS over a unix socket is not supported')
    return { encrypted, addresses: [takeSocket(decoded(path, 'path'))], discovery }
  }
  if (path.length > 1) throw badTarget('a host has no path behind it; a socket is written msgpack-rpc:///path/of.sock')
  return { encrypted, addresses: place.split(',').map((host) => takeAddress(host)), discovery }
}

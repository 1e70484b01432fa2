/** Telling numeric addresses from names. */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/

/** True for an IPv4 or IPv6 address without brackets. A name never contains a colon (RFC 952, RFC 1123). */
export function isAddress(host: string): boolean {
  return IPV4.test(host) || host.includes(':')
}

/** `10.0.0.7:6379`, `[::1]:6379`; a port of 0 stands for a socket's path. */
export function formatAddress(host: string, port: number): string {
  if (port === 0) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Takes `host`, `host:port`, `[v6]:port`, a bare IPv6 address or `/path` apart. Undefined when the port is no port. */
export function parseAddress(text: string, portDefault: number): { host: string; port: number } | undefined {
  if (text.startsWith('/')) return { host: text, port: 0 }
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text)
  const plain = bracketed ?? (text.indexOf(':') === text.lastIndexOf(':') ? /^([^:]+)(?::(\d+))?$/.exec(text) : null)
  if (plain === null) return text.includes(':') && !text.includes('[') ? { host: text, port: portDefault } : undefined
  const port = plain[2] === undefined ? portDefault : Number(plain[2])
  return port >= 1 && port <= 65_535 ? { host: plain[1] as string, port } : undefined
}

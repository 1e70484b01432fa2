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
  // Two colons make a bare IPv6 address: it has no room for a port.
  if (!text.startsWith('[') && text.indexOf(':') !== text.lastIndexOf(':')) return { host: text, port: portDefault }
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text)
  if (parts === null) return undefined
  const port = parts[3] === undefined ? portDefault : Number(parts[3])
  return port >= 1 && port <= 65_535 ? { host: (parts[1] ?? parts[2]) as string, port } : undefined
}

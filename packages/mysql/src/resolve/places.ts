/**
 * Where the servers are, as addresses for the kernel.
 *
 * Rules: a host that begins with a slash is the file of a unix socket. A port that is not written is 3306, or the one
 * that is given for all. An empty host is `localhost`, over TCP.
 */
import type { NameTarget } from '@iokernel/core/plugin'
import { bad } from '../target.ts'

/** MySQL's port. */
export const PORT_DEFAULT = 3306

export interface Place {
  /** As it was written; IPv6 without brackets. The file of a socket. */
  readonly host: string
  readonly port: number
}

/** `10.0.0.1:3306`, `[::1]:3306`, `db.internal` or a socket's file. */
export function placeOf(text: string, portDefault: number): Place {
  const written = text.trim()
  if (written === '') return { host: 'localhost', port: portDefault }
  if (written.startsWith('/')) {
    if (written.includes(',')) throw bad('the file of a socket has no comma in its name')
    return { host: written, port: 0 }
  }
  const parts = HOST.exec(written)
  if (parts === null) throw bad(`'${written}' is no host: write host, host:port, [v6]:port or the file of a socket`)
  const host = (parts[1] as string).replace(/^\[(.*)\]$/, '$1')
  const isRight = host.includes(':') ? /^[0-9A-Fa-f:.]+$/.test(host) : /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(host)
  if (!isRight) throw bad(`'${written}' is no host: write host, host:port, [v6]:port or the file of a socket`)
  return { host, port: parts[2] === undefined ? portDefault : portOf(parts[2]) }
}

export function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw bad(`'${text}' is no port`)
  return port
}

export function isSocket({ host }: Place): boolean {
  return host.startsWith('/')
}

/** `db.internal:3306`, `[::1]:3306`, or the socket's file: what the kernel calls the endpoint. */
export function addressOf(place: Place): string {
  const { host, port } = place
  if (isSocket(place)) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function nameTarget(places: readonly Place[]): NameTarget {
  const isStatic = places.every((place) => isSocket(place) || isNumeric(place.host))
  return {
    discovery: isStatic ? 'static' : 'dns',
    target: places.map(addressOf).join(','),
    portDefault: PORT_DEFAULT,
  }
}

const HOST = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/

/** Nothing to look up. */
function isNumeric(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

/**
 * Where the servers are: hosts and ports as libpq lists them, as addresses for the kernel.
 *
 * Rules: a host that begins with a slash is the folder of a unix socket, whose file is named for the port. One port is
 * for all hosts; several are one for each. An empty host is `localhost`.
 */
import type { NameTarget } from '@iokernel/core/plugin'
import { bad } from '../target.ts'

/** PostgreSQL's port. */
export const PORT_DEFAULT = 5432

export interface Place {
  /** As it was written; IPv6 without brackets. The folder of a socket. */
  readonly host: string
  readonly port: number
}

export function placesOf(hosts: string | undefined, ports: string | undefined): readonly Place[] {
  const hostList = (hosts ?? '').split(',')
  const portList = (ports ?? '').split(',')
  if (portList.length !== 1 && portList.length !== hostList.length) {
    throw bad(`${hostList.length} hosts and ${portList.length} ports: give one port, or one for each host`)
  }
  return hostList.map((host, index) => ({
    host: hostOf(host),
    port: portOf(portList.length === 1 ? (portList[0] as string) : (portList[index] as string)),
  }))
}

/** `10.0.0.1:5432`, `[::1]:5432`, `db.internal` or a folder, as the object form lists them. */
export function parsePlace(text: string): { readonly host: string; readonly port: string } {
  if (text.startsWith('/')) return { host: text, port: '' }
  const parts = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text)
  if (parts === null) throw bad(`'${text}' is no host: write host, host:port, [v6]:port or the folder of a socket`)
  return { host: parts[1] as string, port: parts[2] ?? '' }
}

export function isSocket({ host }: Place): boolean {
  return host.startsWith('/')
}

/** `db.internal:5432`, `[::1]:5432`, or the socket's file: what the kernel calls the endpoint. */
export function addressOf(place: Place): string {
  const { host, port } = place
  if (isSocket(place)) return `${host.replace(/\/+$/, '')}/.s.PGSQL.${port}`
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

function hostOf(text: string): string {
  const host = text.trim()
  if (host === '') return 'localhost'
  if (host.startsWith('/')) return host
  if (host.startsWith('@')) throw bad('sockets of the abstract namespace are not supported')
  const plain = host.replace(/^\[(.*)\]$/, '$1')
  const isRight = plain.includes(':') ? /^[0-9A-Fa-f:.]+$/.test(plain) : /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(plain)
  if (!isRight) throw bad(`'${host}' is no host: write a name, an address or the folder of a socket`)
  return plain
}

function portOf(text: string): number {
  if (text === '') return PORT_DEFAULT
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw bad(`'${text}' is no port`)
  return port
}

/** Nothing to look up. */
function isNumeric(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

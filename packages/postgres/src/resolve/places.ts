/**
 * Where the servers are: hosts and ports as libpq lists them, as addresses for the kernel.
 *
 * Rules: a host that begins with a slash is the folder of a unix socket, whose file is named for the port. One port is
 * for all hosts; several are one for each. An empty host is `localhost`.
 */
import { type Address, badTarget, isSocket, takeHost, takePort, takeSocket } from '@iokernel/core/toolkit'

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
    throw badTarget(`${hostList.length} hosts and ${portList.length} ports: give one port, or one for each host`)
  }
  return hostList.map((host, index) => ({
    host: hostOf(host),
    port: portOf((portList.length === 1 ? portList[0] : portList[index]) as string),
  }))
}

/** `10.0.0.1:5432`, `[::1]:5432`, `db.internal` or a folder, as the object form lists them. */
export function parsePlace(text: string): { readonly host: string; readonly port: string } {
  if (text.startsWith('/')) return { host: text, port: '' }
  const parts = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text)
  if (parts === null) throw badTarget('that is no host: write host, host:port, [v6]:port or the folder of a socket')
  return { host: parts[1] as string, port: parts[2] ?? '' }
}

/** What the kernel dials: for a socket, its file in that folder. */
export function endpointOf(place: Place): Address {
  return isSocket(place) ? takeSocket(`${place.host.replace(/\/+$/, '')}/.s.PGSQL.${place.port}`) : place
}

function hostOf(text: string): string {
  const host = text.trim()
  if (host === '') return 'localhost'
  if (host.startsWith('@')) throw badTarget('sockets of the abstract namespace are not supported')
  return host.startsWith('/') ? host : takeHost(host)
}

function portOf(text: string): number {
  return text === '' ? PORT_DEFAULT : takePort(text)
}

/**
 * A target written as a URL, taken apart.
 *
 *   postgres://[user[:password]@][host[:port][,host[:port]...]][/database][?options]       also postgresql:
 *   postgres://%2Fvar%2Frun%2Fpostgresql/database              a unix socket, by its folder
 *   postgres+<discovery>://what/the/discovery/understands[?options]
 *
 * Rules: what stands between the marks is percent-encoded; an `@` in a password that is not is still understood, for
 * the last one before the path counts. IPv6 stands in brackets. The result is in libpq's words (`dbname`, `sslmode`),
 * whatever part of the URL it comes from; an option wins over the part before it, as with libpq. What is not understood
 * is an error, never ignored. No message holds a password.
 */
import { badTarget, type DiscoveryTarget, decoded, discoveryIn, type Identity, takeUrl } from '@iokernel/core/toolkit'
import { ALIASES, isKeyword, unknownKeyword } from './resolve/keywords.ts'

/** By keyword. Lists of hosts and ports are separated by commas. */
export type Settings = Map<string, string>

export interface ParsedUrl {
  readonly settings: Settings
  readonly discovery: DiscoveryTarget | undefined
}

/** What to write, for messages. */
export const URL_LIKE = 'postgres://host:5432/database'

export function parseUrl(text: string): ParsedUrl {
  const url = takeUrl(text, URL_LIKE)
  const { scheme, base, place, path } = url
  const settings: Settings = new Map()
  readIdentity(url.identity, settings)
  if (base !== 'postgres' && base !== 'postgresql')
    throw badTarget(`'${scheme}:' is no scheme of Postgres: postgres:, postgresql:, postgres+<discovery>:`)
  const discovery = discoveryIn(url)
  if (discovery === undefined) {
    readHosts(place, settings)
    if (path.length > 1) settings.set('dbname', decoded(path.slice(1), 'database'))
  }
  readOptions(url.query, settings)
  return { settings, discovery }
}

const HOST = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d{0,5}))?$/

function readIdentity(identity: Identity | undefined, settings: Settings): void {
  if (identity?.user !== undefined) settings.set('user', identity.user)
  if (identity?.password !== undefined && identity.password !== '') settings.set('password', identity.password)
}

function readHosts(place: string, settings: Settings): void {
  if (place === '') return
  const hosts: string[] = []
  const ports: string[] = []
  for (const text of place.split(',')) {
    const parts = HOST.exec(text)
    if (parts === null)
      throw badTarget('that is no host: write host, host:port or [v6]:port, several separated by commas')
    const host = decoded(parts[1] as string, 'host')
    if (host.includes(',')) throw badTarget('the folder of a socket has no comma')
    hosts.push(host)
    ports.push(parts[2] ?? '')
  }
  if (hosts.some((host) => host !== '')) settings.set('host', hosts.join(','))
  if (ports.some((port) => port !== '')) settings.set('port', ports.join(','))
}

function readOptions(query: string | undefined, settings: Settings): void {
  for (const [written, value] of new URLSearchParams(query ?? '')) {
    const alias = ALIASES[`${written}=${value}`]
    const [name, meant] = alias ?? [written, value]
    if (!isKeyword(name)) throw badTarget(unknownKeyword(written))
    settings.set(name, meant)
  }
}

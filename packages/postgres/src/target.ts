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
import { LocalError } from '@iokernel/core/plugin'
import { ALIASES, isKeyword, unknownKeyword } from './resolve/keywords.ts'

/** By keyword. Lists of hosts and ports are separated by commas. */
export type Settings = Map<string, string>

export interface ParsedUrl {
  readonly settings: Settings
  readonly discovery: { readonly name: string; readonly target: string } | undefined
}

export function parseUrl(url: string): ParsedUrl {
  const parts = URL_PARTS.exec(url)
  if (parts === null) throw bad('a target is a URL like postgres://host:5432/database, or an object')
  const scheme = (parts[1] as string).toLowerCase()
  const [before, query] = cut(parts[2] as string, '?')
  if (before.includes('#') || query?.includes('#') === true)
    throw bad('a target has no fragment: write # in a password as %23')
  const slash = before.indexOf('/')
  const authority = slash < 0 ? before : before.slice(0, slash)
  const path = slash < 0 ? '' : before.slice(slash)
  const at = authority.lastIndexOf('@')
  const place = authority.slice(at + 1)
  const settings: Settings = new Map()
  if (at >= 0) readIdentity(authority.slice(0, at), settings)
  const [base, extension] = cut(scheme, '+')
  if (base !== 'postgres' && base !== 'postgresql')
    throw bad(`'${scheme}:' is no scheme of Postgres: postgres:, postgresql:, postgres+<discovery>:`)
  if (extension === undefined) {
    readHosts(place, settings)
    if (path.length > 1) settings.set('dbname', decode(path.slice(1), 'database'))
  }
  readOptions(query, settings)
  if (extension === undefined) return { settings, discovery: undefined }
  const target = decode(place + path, 'target')
  if (target === '') throw bad(`${scheme}:// needs a target for its discovery`)
  return { settings, discovery: { name: extension, target } }
}

export function bad(message: string): LocalError {
  return new LocalError('TARGET', message)
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d{0,5}))?$/

function readIdentity(text: string, settings: Settings): void {
  const [user, password] = cut(text, ':')
  if (user !== '') settings.set('user', decode(user, 'user'))
  if (password !== undefined && password !== '') settings.set('password', decode(password, 'password'))
}

function readHosts(place: string, settings: Settings): void {
  if (place === '') return
  const hosts: string[] = []
  const ports: string[] = []
  for (const text of place.split(',')) {
    const parts = HOST.exec(text)
    if (parts === null) throw bad('that is no host: write host, host:port or [v6]:port, several separated by commas')
    const host = decode(parts[1] as string, 'host')
    if (host.includes(',')) throw bad('the folder of a socket has no comma')
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
    if (!isKeyword(name)) throw bad(unknownKeyword(written))
    settings.set(name, meant)
  }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad(`the ${what} is not percent-encoded rightly: write % as %25`)
  }
}

/** Before and after the first `mark`. */
function cut(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)]
}

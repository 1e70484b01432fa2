/**
 * A target written as a URL, taken apart.
 *
 *   mysql://[user[:password]@][host[:port][,host[:port]...]][/database][?options]       also mariadb:
 *   mysql://%2Frun%2Fmysqld%2Fmysqld.sock/database            a unix socket, by its file; or ?socket=/run/…
 *   mysql+<discovery>://what/the/discovery/understands[?options]
 *
 * Rules: what stands between the marks is percent-encoded; an `@` in a password that is not is still understood, for
 * the last one before the path counts. IPv6 stands in brackets. An option wins over the part before it. What is not
 * understood is an error, never ignored. No message holds a password.
 */
import { badTarget, type DiscoveryTarget, decoded, discoveryIn, type Identity, takeUrl } from '@iokernel/core/toolkit'
import { optionName, unknownOption } from './resolve/settings.ts'

/** By our names of options; `host` may list several, separated by commas. */
export type Settings = Map<string, string>

export interface ParsedUrl {
  readonly settings: Settings
  readonly discovery: DiscoveryTarget | undefined
}

/** What to write, for messages. */
export const URL_LIKE = 'mysql://host:3306/database'

export function parseUrl(text: string): ParsedUrl {
  const url = takeUrl(text, URL_LIKE)
  const { scheme, base, place, path } = url
  const settings: Settings = new Map()
  readIdentity(url.identity, settings)
  if (base !== 'mysql' && base !== 'mariadb') {
    throw badTarget(`'${scheme}:' is no scheme of MySQL: mysql:, mariadb:, mysql+<discovery>:`)
  }
  const discovery = discoveryIn(url)
  if (discovery === undefined) {
    if (place !== '') settings.set('host', place.split(',').map(hostText).join(','))
    if (path.length > 1) settings.set('database', decoded(path.slice(1), 'database'))
  }
  readOptions(url.query, settings)
  return { settings, discovery }
}

function readIdentity(identity: Identity | undefined, settings: Settings): void {
  if (identity?.user !== undefined) settings.set('user', identity.user)
  if (identity?.password !== undefined && identity.password !== '') settings.set('password', identity.password)
}

function hostText(text: string): string {
  const host = decoded(text, 'host')
  if (host.includes(',')) throw badTarget('the file of a socket has no comma in its name')
  return host
}

function readOptions(query: string | undefined, settings: Settings): void {
  for (const [written, value] of new URLSearchParams(query ?? '')) {
    const name = optionName(written)
    if (name === undefined) throw badTarget(unknownOption(written))
    settings.set(name, value)
  }
}

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
import { LocalError } from '@iokernel/core/plugin'
import { optionName, unknownOption } from './resolve/settings.ts'

/** By our names of options; `host` may list several, separated by commas. */
export type Settings = Map<string, string>

export interface ParsedUrl {
  readonly settings: Settings
  readonly discovery: { readonly name: string; readonly target: string } | undefined
}

export function parseUrl(url: string): ParsedUrl {
  const parts = URL_PARTS.exec(url)
  if (parts === null) throw bad('a target is a URL like mysql://host:3306/database, or an object')
  const scheme = (parts[1] as string).toLowerCase()
  const [before, query] = cut(parts[2] as string, '?')
  if (before.includes('#') || query?.includes('#') === true) {
    throw bad('a target has no fragment: write # in a password as %23')
  }
  const slash = before.indexOf('/')
  const authority = slash < 0 ? before : before.slice(0, slash)
  const path = slash < 0 ? '' : before.slice(slash)
  const at = authority.lastIndexOf('@')
  const place = authority.slice(at + 1)
  const settings: Settings = new Map()
  if (at >= 0) readIdentity(authority.slice(0, at), settings)
  const [base, extension] = cut(scheme, '+')
  if (base !== 'mysql' && base !== 'mariadb') {
    throw bad(`'${scheme}:' is no scheme of MySQL: mysql:, mariadb:, mysql+<discovery>:`)
  }
  if (extension === undefined) {
    if (place !== '') settings.set('host', place.split(',').map(hostText).join(','))
    if (path.length > 1) settings.set('database', decode(path.slice(1), 'database'))
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

function readIdentity(text: string, settings: Settings): void {
  const [user, password] = cut(text, ':')
  if (user !== '') settings.set('user', decode(user, 'user'))
  if (password !== undefined && password !== '') settings.set('password', decode(password, 'password'))
}

function hostText(text: string): string {
  const host = decode(text, 'host')
  if (host.includes(',')) throw bad('the file of a socket has no comma in its name')
  return host
}

function readOptions(query: string | undefined, settings: Settings): void {
  for (const [written, value] of new URLSearchParams(query ?? '')) {
    const name = optionName(written)
    if (name === undefined) throw bad(unknownOption(written))
    settings.set(name, value)
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

/**
 * A target written as a URL, taken apart.
 *
 *   redis://[user[:password]@]host[:port][,host[:port]...][/database][?options]
 *   rediss://...                     the same over TLS
 *   unix:///path/of.sock[?options]   also redis+unix:
 *   redis+<discovery>://what/the/discovery/understands[?options]
 *
 * Rules: user and password are percent-encoded; an `@` in a password that is not is still understood, for the last
 * one before the path counts. IPv6 stands in brackets. Options: `database`, `protocol` (2 or 3), `clientName`. What
 * is not understood is an error, never ignored. No message holds a password.
 */
import { LocalError } from '@iokernel/core/plugin'

export interface ParsedUrl {
  readonly encrypted: boolean
  /** `host:port` each; IPv6 in brackets. */
  readonly hosts: readonly string[]
  /** A socket's path. */
  readonly path: string | undefined
  readonly discovery: { readonly name: string; readonly target: string } | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number | undefined
  readonly protocolVersion: 2 | 3 | undefined
  readonly clientName: string | undefined
}

/** Redis's port since 2009, after the word MERZ on a telephone's keys. */
export const PORT_DEFAULT = 6379

export function parseUrl(url: string): ParsedUrl {
  const parts = URL_PARTS.exec(url)
  if (parts === null) throw bad('a target is a URL like redis://host:6379/0, or an object')
  const scheme = (parts[1] as string).toLowerCase()
  const [before, query] = cut(parts[2] as string, '?')
  if (before.includes('#') || query?.includes('#') === true)
    throw bad('a target has no fragment: write # in a password as %23')
  const slash = before.indexOf('/')
  const authority = slash < 0 ? before : before.slice(0, slash)
  const path = slash < 0 ? '' : before.slice(slash)
  const at = authority.lastIndexOf('@')
  const place = authority.slice(at + 1)
  const identity = at < 0 ? NOBODY : parseIdentity(authority.slice(0, at))
  const options = parseOptions(query)
  const [base, extension] = cut(scheme, '+')
  if (scheme === 'unix' || scheme === 'redis+unix') {
    if (place !== '' || path.length < 2) throw bad('a socket is written unix:///path/of.sock')
    return { ...NOWHERE, ...identity, ...options, path: decode(path, 'path') }
  }
  if (base !== 'redis' && base !== 'rediss')
    throw bad(`'${scheme}:' is no scheme of Redis: redis:, rediss:, unix:, redis+<discovery>:`)
  const encrypted = base === 'rediss'
  if (extension === 'unix') throw bad('TLS over a unix socket is not supported')
  if (extension !== undefined) {
    const target = decode(place + path, 'target')
    if (target === '') throw bad(`${scheme}:// needs a target for its discovery`)
    return { ...NOWHERE, ...identity, ...options, encrypted, discovery: { name: extension, target } }
  }
  const hosts = (place === '' ? 'localhost' : place).split(',').map(parseHost)
  const database = parseDatabase(path.slice(1))
  if (database !== undefined && options.database !== undefined) throw bad('the database is given twice')
  return { ...NOWHERE, ...identity, ...options, encrypted, hosts, database: database ?? options.database }
}

/** `host:port` with the default filled in. */
export function parseHost(text: string): string {
  const parts = HOST.exec(text)
  if (parts === null) throw bad(`'${text}' is no host: write host, host:port or [v6]:port, several separated by commas`)
  const port = parts[2] === undefined ? PORT_DEFAULT : Number(parts[2])
  if (port < 1 || port > 65_535) throw bad(`${port} is no port`)
  return `${parts[1]}:${port}`
}

/** True for `1.2.3.4:6379` and `[::1]:6379`: nothing to look up. */
export function isNumeric(host: string): boolean {
  return host.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}:/.test(host)
}

export function bad(message: string): LocalError {
  return new LocalError('TARGET', message)
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is
const HOST = /^([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/

const NOBODY = { username: undefined, password: undefined }
const NOWHERE = { encrypted: false, hosts: [], path: undefined, discovery: undefined, database: undefined } as const

type Options = Pick<ParsedUrl, 'database' | 'protocolVersion' | 'clientName'>

function parseIdentity(text: string): Pick<ParsedUrl, 'username' | 'password'> {
  const [user, password] = cut(text, ':')
  return {
    username: user === '' ? undefined : decode(user, 'user'),
    password: password === undefined ? undefined : decode(password, 'password'),
  }
}

function parseOptions(query: string | undefined): Options {
  const options: { -readonly [Name in keyof Options]: Options[Name] } = {
    database: undefined,
    protocolVersion: undefined,
    clientName: undefined,
  }
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (name === 'database' || name === 'db') options.database = parseDatabase(value)
    else if (name === 'clientName') options.clientName = value
    else if (name === 'protocol') {
      if (value !== '2' && value !== '3') throw bad('protocol is 2 or 3')
      options.protocolVersion = value === '2' ? 2 : 3
    } else
      throw bad(`'${name}' is no option of a Redis URL: database, protocol, clientName. Others go into the object form`)
  }
  return options
}

function parseDatabase(text: string): number | undefined {
  if (text === '') return undefined
  if (!/^\d{1,9}$/.test(text)) throw bad('a database is a whole number: redis://host/3')
  return Number(text)
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

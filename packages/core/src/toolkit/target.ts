/**
 * Targets: what nearly every protocol reads of them in the same way.
 *
 *   scheme[+discovery]://[user[:password]@]place[/path][?query]
 *
 * Rules:
 * 1. What is not understood is a `LocalError` `TARGET`, never ignored.
 * 2. No message holds what was written as a place, a user or a password: where somebody forgets to encode a slash, a
 *    part of the password looks like a host.
 * 3. Nothing here knows a scheme, an option or a default: those are the protocol's.
 */
import type { Cloneable } from '../plugin/cloneable.ts'
import { LocalError } from '../plugin/errors.ts'
import type { NameTarget, TlsOptions } from '../plugin/protocol.ts'
import { isPlainObject, type Kind, problemIn } from './options.ts'

export function badTarget(message: string): LocalError {
  return new LocalError('TARGET', message)
}

/** Judges the object form. `like`: a URL to write instead. */
export function checkTarget<Target extends object>(given: Target, kind: Kind<Target>, like: string): void {
  if (!isPlainObject(given)) throw badTarget(`a target is a URL like ${like}, or an object`)
  const problem = problemIn(given, kind)
  if (problem !== undefined) throw badTarget(problem)
}

// ---- URLs --------------------------------------------------------------------------------------------------

/** A URL, taken apart. What is not said to be decoded stands as it was written. */
export interface TargetUrl {
  /** In lower case. */
  readonly scheme: string
  /** Before and after the plus of the scheme. */
  readonly base: string
  readonly extension: string | undefined
  /** Decoded; undefined without an `@`. An empty user is none, an empty password is one. */
  readonly identity: Identity | undefined
  /** Hosts. */
  readonly place: string
  /** With its slash; empty where there is none. */
  readonly path: string
  readonly query: string | undefined
}

export interface Identity {
  readonly user: string | undefined
  readonly password: string | undefined
}

/**
 * An `@` in a password that is not encoded is still understood, for the last one before the path counts. `like`: a URL
 * to write instead.
 */
export function takeUrl(url: string, like: string): TargetUrl {
  const parts = URL_PARTS.exec(url)
  if (parts === null) throw badTarget(`a target is a URL like ${like}, or an object`)
  const scheme = (parts[1] as string).toLowerCase()
  const [base, extension] = cut(scheme, '+')
  const [before, query] = cut(parts[2] as string, '?')
  if (before.includes('#') || query?.includes('#') === true) {
    throw badTarget('a target has no fragment: write # in a password as %23')
  }
  const slash = before.indexOf('/')
  const authority = slash < 0 ? before : before.slice(0, slash)
  const path = slash < 0 ? '' : before.slice(slash)
  const at = authority.lastIndexOf('@')
  const identity = at < 0 ? undefined : identityIn(authority.slice(0, at))
  return { scheme, base, extension, identity, place: authority.slice(at + 1), path, query }
}

/** The scheme names a discovery: all that follows is for it. */
export function discoveryIn({ scheme, extension, place, path }: TargetUrl): DiscoveryTarget | undefined {
  if (extension === undefined) return undefined
  const target = decoded(place + path, 'target')
  if (target === '') throw badTarget(`${scheme}:// needs a target for its discovery`)
  return { name: extension, target }
}

export interface DiscoveryTarget {
  readonly name: string
  readonly target: string
}

/** `what`: for the message, which does not hold the text. */
export function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw badTarget(`the ${what} is not percent-encoded rightly: write % as %25`)
  }
}

// ---- Places ------------------------------------------------------------------------------------------------

/** A host is a name or an address, IPv6 without brackets; with a slash in front, the path of a unix socket. */
export interface Address {
  readonly host: string
  /** 0 for a socket. */
  readonly port: number
}

/** `host`, `host:port` or `[v6]:port`. Without a default the port must be there. */
export function takeAddress(text: string, portDefault?: number): Address {
  const parts = ADDRESS.exec(text)
  const port = parts?.[2] === undefined ? portDefault : takePort(parts[2])
  if (parts === null || port === undefined) {
    const forms = portDefault === undefined ? 'host:port or [v6]:port' : 'host, host:port or [v6]:port'
    throw badTarget(`that is no host: a host is written ${forms}, several separated by commas`)
  }
  return { host: takeHost(parts[1] as string), port }
}

/** `host` and `port` of the object form, which writes IPv6 without brackets too. */
export function addressOf(host: string, port: number | undefined, portDefault?: number): Address {
  const isBare = !host.startsWith('[') && host.indexOf(':') !== host.lastIndexOf(':')
  const text = isBare ? `[${host}]` : host
  return takeAddress(port === undefined ? text : `${text}:${port}`, portDefault)
}

/** A name, or an address with or without brackets; without them. */
export function takeHost(text: string): string {
  const inBrackets = /^\[(.*)\]$/.exec(text)?.[1]
  const host = inBrackets ?? text
  const isRight = host.includes(':') ? IPV6.test(host) : inBrackets === undefined && NAME.test(host)
  if (!isRight) {
    throw badTarget('that is no host: a host is a name of letters, digits, dots and hyphens, or an address')
  }
  return host
}

export function takePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw badTarget('that is no port: a port is a whole number from 1 to 65535')
  return port
}

/** A comma would make two of it, for the kernel lists addresses by commas. */
export function takeSocket(path: string): Address {
  if (!path.startsWith('/') || path.length < 2) throw badTarget('the path of a socket is absolute: /run/app.sock')
  if (/[,\0]/.test(path)) throw badTarget('the path of a socket has neither a comma nor a NUL')
  return { host: path, port: 0 }
}

export function isSocket({ host }: { readonly host: string }): boolean {
  return host.startsWith('/')
}

/** `cache.internal:6379`, `[::1]:6379` or `/run/app.sock`: what the kernel calls the endpoint. */
export function addressText(address: Address): string {
  const { host, port } = address
  if (isSocket(address)) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What to watch: nothing, where there is nothing to look up. */
export function nameTarget(addresses: readonly Address[], portDefault: number): NameTarget {
  const isStatic = addresses.every((address) => isSocket(address) || isNumeric(address.host))
  return { discovery: isStatic ? 'static' : 'dns', target: addresses.map(addressText).join(','), portDefault }
}

// ---- How, and as whom --------------------------------------------------------------------------------------

/** TLS from the first byte on, where the target asks for it; where it is silent, its URL's scheme says. */
export function directTls(
  given: boolean | TlsOptions | undefined,
  byScheme: boolean,
  { discovery, target }: NameTarget,
): TlsOptions | undefined {
  if (given === false || (given === undefined && !byScheme)) return undefined
  if (discovery === 'static' && target.startsWith('/')) throw badTarget('TLS over a unix socket is not supported')
  return { ...(typeof given === 'object' ? given : {}), mode: 'direct' }
}

/**
 * What a callback for credentials has returned: a password, or who and a password. Nothing else of it crosses the
 * threads. `userField`: what the protocol calls the user.
 */
export function checkCredentials(given: unknown, userField: 'user' | 'username'): Cloneable {
  if (typeof given === 'string') return given
  const fields: { readonly [name: string]: unknown } = Object(given)
  const { password, [userField]: user } = fields
  if (typeof password !== 'string' || (user !== undefined && typeof user !== 'string')) {
    throw badTarget(`a callback for credentials returns a password, or { ${userField}, password }`)
  }
  return { [userField]: user, password }
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is
const ADDRESS = /^(\[[^\]]*\]|[^:[\]]*)(?::([^:]*))?$/
/** With the underscore, which names of containers and services have. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/
const IPV6 = /^[0-9A-Fa-f:.]+$/
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/

/** A name never contains a colon. */
function isNumeric(host: string): boolean {
  return host.includes(':') || IPV4.test(host)
}

function identityIn(text: string): Identity {
  const [user, password] = cut(text, ':')
  return {
    user: user === '' ? undefined : decoded(user, 'user'),
    password: password === undefined ? undefined : decoded(password, 'password'),
  }
}

/** Before and after the first `mark`. */
function cut(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)]
}

/**
 * From what an application wrote to what the kernel needs: where, as whom, how.
 *
 * Rules: a target is a URL or an object, whose other fields win over its `url`; nothing is taken from the
 * environment. What is not understood is a `LocalError` `TARGET`. Two targets share an upstream when everything that
 * may make them differ is equal; secrets enter that key as a digest.
 */
import type { NameTarget, Resolved, TlsOptions } from '@iokernel/core/plugin'
import {
  type Address,
  addressOf,
  badTarget,
  checkCredentials,
  checkTarget,
  directTls,
  identityOf,
  type Kind,
  must,
  mustBeAddresses,
  mustBeCount,
  mustBeDiscovery,
  mustBeText,
  mustBeTls,
  nameTarget,
  problemIn,
  takeAddress,
  takeSocket,
  upstreamKey,
} from '@iokernel/core/toolkit'
import type { RedisIo } from './io.ts'
import { DEPTH_MAX_LARGEST, FRAMER_LIMITS, type FramerLimits } from './limits.ts'
import { type ParsedUrl, PORT_DEFAULT, parseUrl, URL_LIKE } from './target.ts'

/** Who to be: a password, or a user and a password. */
export type RedisCredentials = string | { readonly username?: string; readonly password: string }

export interface RedisTarget {
  /** The rest of this object adds to it. */
  readonly url?: string
  readonly host?: string
  readonly port?: number
  /** Several addresses: `['10.0.0.1:6379', 'b.internal']`. */
  readonly hosts?: readonly string[]
  /** A unix socket. */
  readonly path?: string
  /** A registered discovery, and what it understands. */
  readonly discovery?: { readonly name: string; readonly target: string }
  readonly username?: string
  readonly password?: string
  /** Asked before each handshake, for passwords that expire. Its answer wins over `username` and `password`. */
  readonly credentials?: () => RedisCredentials | Promise<RedisCredentials>
  readonly database?: number
  /** What CLIENT LIST shows. */
  readonly clientName?: string
  /** `true`, or options as in `node:tls`. `rediss:` sets it. */
  readonly tls?: boolean | TlsOptions
  /** 3 (default) falls back to 2 where the server does not know it; 2 is for what stands between. */
  readonly protocolVersion?: 2 | 3
  /** Bounds on what the server may send. */
  readonly limits?: Partial<FramerLimits>
}

/** What stays on the application thread. */
export type RedisApp = undefined

/** Shown by CLIENT INFO since Redis 7.2. */
const LIBRARY_NAME = 'iokernel'
export const LIBRARY_VERSION = '0.1.0'

export function resolve(target: string | RedisTarget): Resolved<RedisIo, RedisApp> {
  const given: RedisTarget = typeof target === 'string' ? { url: target } : target
  checkTarget(given, TARGET, URL_LIKE)
  const url = given.url === undefined ? undefined : parseUrl(given.url)
  const name = nameOf(given, url)
  const tls = directTls(given.tls, url?.encrypted === true, name)
  const io = ioOf(given, url)
  const { credentials } = given
  return {
    upstreamKey: keyOf(name, tls, io, credentials),
    authority: authorityOf(name, tls, io.database),
    name,
    io,
    app: undefined,
    ...(tls === undefined ? {} : { tls }),
    ...(credentials === undefined
      ? {}
      : { credentials: async () => checkCredentials(await credentials(), 'username') }),
  }
}

const LIMITS: Kind<FramerLimits> = {
  title: 'limit',
  checks: { frameBytesMax: mustBeCount, depthMax: mustBeCount, elementsMax: mustBeCount, lineBytesMax: mustBeCount },
}

const TARGET: Kind<RedisTarget> = {
  title: 'field of a target',
  checks: {
    url: mustBeText,
    host: mustBeText,
    port: mustBeCount,
    hosts: mustBeAddresses,
    path: mustBeText,
    discovery: mustBeDiscovery,
    username: mustBeText,
    password: mustBeText,
    credentials: must(
      (value) => typeof value === 'function',
      'a function; what does not change goes into username and password',
    ),
    database: must((value) => Number.isSafeInteger(value) && (value as number) >= 0, 'a whole number'),
    clientName: mustBeText,
    tls: mustBeTls({ mode: must((value) => value === 'direct', "'direct': Redis negotiates nothing") }),
    protocolVersion: must((value) => value === 2 || value === 3, '2 or 3'),
    limits: (value) => problemIn(value, LIMITS),
  },
}

function nameOf(given: RedisTarget, url: ParsedUrl | undefined): NameTarget {
  const places = [given.url, given.host, given.hosts, given.path, given.discovery].filter(
    (place) => place !== undefined,
  )
  if (places.length > 1) throw badTarget('one place is enough: url, host, hosts, path or discovery')
  if (given.port !== undefined && given.host === undefined) throw badTarget('port goes with host')
  const discovery = given.discovery ?? url?.discovery
  if (discovery !== undefined) return { discovery: discovery.name, target: discovery.target, portDefault: PORT_DEFAULT }
  return nameTarget(addressesOf(given, url), PORT_DEFAULT)
}

function addressesOf({ host, port, hosts, path }: RedisTarget, url: ParsedUrl | undefined): readonly Address[] {
  if (path !== undefined) return [takeSocket(path)]
  if (host !== undefined) return [addressOf(host, port, PORT_DEFAULT)]
  if (hosts !== undefined) return hosts.map((text) => takeAddress(text, PORT_DEFAULT))
  return url?.addresses ?? [{ host: 'localhost', port: PORT_DEFAULT }]
}

function ioOf(given: RedisTarget, url: ParsedUrl | undefined): RedisIo {
  const username = given.username ?? url?.username
  const password = given.password ?? url?.password
  if (username !== undefined && password === undefined && given.credentials === undefined) {
    throw badTarget('a user needs a password: redis://user:password@host, or a credentials callback')
  }
  const database = given.database ?? url?.database ?? 0
  const protocolVersion = given.protocolVersion ?? url?.protocolVersion ?? 3
  const clientName = given.clientName ?? url?.clientName
  if (clientName !== undefined && !CLIENT_NAME.test(clientName)) {
    throw badTarget('a client name is visible ASCII without spaces: the server refuses others')
  }
  return {
    username,
    password,
    database,
    protocolVersion,
    clientName,
    libraryName: LIBRARY_NAME,
    libraryVersion: LIBRARY_VERSION,
    limits: limitsOf(given.limits ?? {}),
  }
}

function limitsOf(given: Partial<FramerLimits>): RedisIo['limits'] {
  const limits: { [name: string]: number } = { ...FRAMER_LIMITS }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) limits[name] = value
  if ((limits['depthMax'] as number) > DEPTH_MAX_LARGEST)
    throw badTarget(`depthMax is at most ${DEPTH_MAX_LARGEST}: decoders recurse`)
  // Counters are 32 bits wide.
  if ((limits['elementsMax'] as number) > 0x7fff_ffff) throw badTarget('elementsMax is at most 2147483647')
  return limits as unknown as RedisIo['limits']
}

function keyOf(
  name: NameTarget,
  tls: TlsOptions | undefined,
  io: RedisIo,
  credentials: RedisTarget['credentials'],
): string {
  const { password, ...open } = io
  return upstreamKey([name, open, credentials === undefined ? 0 : identityOf(credentials)], [password, tls])
}

function authorityOf(name: NameTarget, tls: TlsOptions | undefined, database: number): string {
  const scheme = tls === undefined ? 'redis' : 'rediss'
  if (name.target.startsWith('/')) return `unix://${name.target}${database === 0 ? '' : `?database=${database}`}`
  const isFound = name.discovery !== 'dns' && name.discovery !== 'static'
  if (isFound) return `${scheme}+${name.discovery}://${name.target}${database === 0 ? '' : `?database=${database}`}`
  return `${scheme}://${name.target}/${database}`
}

const CLIENT_NAME = /^[!-~]+$/

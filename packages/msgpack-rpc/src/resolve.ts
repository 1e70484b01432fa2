/**
 * From what an application wrote to what the kernel needs: where, how, and in what words.
 *
 * Rules: a target is a URL or an object, whose other fields win over its `url`; nothing is taken from the
 * environment. What is not understood is a `LocalError` `TARGET`. Two targets share an upstream when everything that
 * may make their connections differ is equal; the greeting, which may be a secret, enters that key as a digest. The
 * codec stays on the application thread: two clients with different ones share their connection.
 */
import type { NameTarget, Resolved, TlsOptions } from '@iokernel/core/plugin'
import {
  type Address,
  addressOf,
  badTarget,
  type Check,
  checkTarget,
  directTls,
  type Kind,
  must,
  mustBeAddresses,
  mustBeBoolean,
  mustBeCount,
  mustBeDiscovery,
  mustBePort,
  mustBeText,
  mustBeTls,
  nameTarget,
  problemIn,
  takeAddress,
  takeSocket,
  upstreamKey,
} from '@iokernel/core/toolkit'
import { checkedMethod } from './client/methods.ts'
import { callBytes } from './codec/encode.ts'
import { foreignCodec, type ValueCodec, type ValueOptions, valueCodec } from './codec/values.ts'
import type { RpcIo } from './io.ts'
import { DEPTH_MAX_LARGEST, FRAMER_LIMITS, type FramerLimits } from './limits.ts'
import { type ParsedUrl, PORT_DEFAULT, parseUrl, URL_LIKE } from './target.ts'

/** A call that the kernel makes by itself. */
export interface OwnCall {
  readonly method: string
  readonly params?: readonly unknown[]
}

export interface RpcTarget {
  /** The rest of this object adds to it. */
  readonly url?: string
  readonly host?: string
  readonly port?: number
  /** Several addresses: `['10.0.0.1:6666', 'b.internal:6666']`. */
  readonly hosts?: readonly string[]
  /** A unix socket. */
  readonly path?: string
  /** A registered discovery, and what it understands. */
  readonly discovery?: { readonly name: string; readonly target: string }
  /** `true`, or options as in `node:tls`. `msgpack-rpcs:` sets it. */
  readonly tls?: boolean | TlsOptions
  /** How values are encoded and decoded: options of the built-in codec, or one's own. */
  readonly codec?: ValueOptions | ValueCodec
  /** Made on every new connection before all else, for tokens and names; an error refuses the connection. */
  readonly greeting?: OwnCall
  /** Made by the monitor to see whether the peer is there: something that costs nothing. Default: none. */
  readonly probe?: OwnCall
  /** Bounds on what the peer may send. */
  readonly limits?: Partial<FramerLimits>
}

/** What stays on the application thread. */
export interface RpcApp {
  readonly codec: ValueCodec
}

export function resolve(target: string | RpcTarget): Resolved<RpcIo, RpcApp> {
  const given: RpcTarget = typeof target === 'string' ? { url: target } : target
  checkTarget(given, TARGET, URL_LIKE)
  const url = given.url === undefined ? undefined : parseUrl(given.url)
  const name = nameOf(given, url)
  const tls = directTls(given.tls, url?.encrypted === true, name)
  const codec = codecOf(given.codec)
  const io: RpcIo = {
    limits: limitsOf(given.limits ?? {}),
    greeting: ownCall(codec, given.greeting),
    probe: ownCall(codec, given.probe),
  }
  return {
    upstreamKey: upstreamKey([name, io.limits, io.probe ?? null], [io.greeting ?? null, tls ?? null]),
    authority: authorityOf(name, tls),
    name,
    io,
    app: { codec },
    ...(tls === undefined ? {} : { tls }),
  }
}

const LIMITS: Kind<FramerLimits> = {
  title: 'limit',
  checks: { frameBytesMax: mustBeCount, depthMax: mustBeCount, elementsMax: mustBeCount },
}

const OWN_CALL: Kind<OwnCall> = {
  title: 'field of a call',
  checks: { method: mustBeText, params: must((value) => Array.isArray(value), 'an array') },
}

const mustBeOwnCall: Check = (value, name) =>
  problemIn(value, OWN_CALL) ??
  ((value as Partial<OwnCall>).method === undefined ? `${name} lacks its method` : undefined)

const VALUE_OPTIONS: Kind<ValueOptions> = {
  title: 'option of a codec',
  checks: {
    extensionCodec: must(
      (value) => hasMethods(value, 'tryToEncode', 'decode'),
      'an ExtensionCodec, or an object with its methods tryToEncode and decode',
    ),
    useBigInt64: mustBeBoolean,
    rawStrings: mustBeBoolean,
    ignoreUndefined: mustBeBoolean,
  },
}

const TARGET: Kind<RpcTarget> = {
  title: 'field of a target',
  checks: {
    url: mustBeText,
    host: mustBeText,
    port: mustBePort,
    hosts: mustBeAddresses,
    path: mustBeText,
    discovery: mustBeDiscovery,
    tls: mustBeTls({ mode: must((value) => value === 'direct', "'direct': msgpack-rpc negotiates nothing") }),
    codec: (value) => (isCodec(value) ? undefined : problemIn(value, VALUE_OPTIONS)),
    greeting: mustBeOwnCall,
    probe: mustBeOwnCall,
    limits: (value) => problemIn(value, LIMITS),
  },
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as { readonly [name: string]: unknown })[name] === 'function')
}

function isCodec(value: unknown): value is ValueCodec {
  return hasMethods(value, 'encode', 'decode')
}

function codecOf(given: ValueOptions | ValueCodec | undefined): ValueCodec {
  return isCodec(given) ? foreignCodec(given) : valueCodec(given)
}

function ownCall(codec: ValueCodec, call: OwnCall | undefined): Uint8Array | undefined {
  if (call === undefined) return undefined
  return Uint8Array.from(callBytes(codec, checkedMethod(call.method), call.params ?? []))
}

function nameOf(given: RpcTarget, url: ParsedUrl | undefined): NameTarget {
  const places = [given.url, given.host, given.hosts, given.path, given.discovery].filter(
    (place) => place !== undefined,
  )
  if (places.length !== 1) throw badTarget('one place, and no more than one: url, host, hosts, path or discovery')
  if ((given.port === undefined) !== (given.host === undefined)) throw badTarget('host and port go together')
  const discovery = given.discovery ?? url?.discovery
  if (discovery !== undefined) return { discovery: discovery.name, target: discovery.target, portDefault: PORT_DEFAULT }
  return nameTarget(addressesOf(given, url), PORT_DEFAULT)
}

function addressesOf({ host, port, hosts, path }: RpcTarget, url: ParsedUrl | undefined): readonly Address[] {
  if (path !== undefined) return [takeSocket(path)]
  if (host !== undefined) return [addressOf(host, port)]
  return hosts?.map((text) => takeAddress(text)) ?? url?.addresses ?? []
}

function limitsOf(given: Partial<FramerLimits>): RpcIo['limits'] {
  const depthMax = given.depthMax ?? FRAMER_LIMITS.depthMax
  if (depthMax > DEPTH_MAX_LARGEST) throw badTarget(`depthMax is at most ${DEPTH_MAX_LARGEST}: codecs recurse`)
  return {
    frameBytesMax: given.frameBytesMax ?? FRAMER_LIMITS.frameBytesMax,
    depthMax,
    elementsMax: given.elementsMax ?? FRAMER_LIMITS.elementsMax,
  }
}

function authorityOf(name: NameTarget, tls: TlsOptions | undefined): string {
  const scheme = tls === undefined ? 'msgpack-rpc' : 'msgpack-rpcs'
  const isFound = name.discovery !== 'dns' && name.discovery !== 'static'
  return `${scheme}${isFound ? `+${name.discovery}` : ''}://${name.target}`
}

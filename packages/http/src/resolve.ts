/**
 * From what an application wrote to what the kernel needs: where, through whom, how.
 *
 * Rules:
 * 1. A target is a URL or an object. Nothing is taken from the environment unless the target says so.
 * 2. What is not understood is a `LocalError` `TARGET`. No message holds a password.
 * 3. Two targets share an upstream when everything that may make them differ is equal; secrets enter that key as a
 *    digest. Headers and bounds of the application's side make no difference.
 * 4. Certificates are checked for the host of the origin, whatever address or proxy the connection leads to.
 */
import { ByteWriter, type NameTarget, type Resolved, type TlsOptions } from '@iokernel/core/plugin'
import {
  badTarget,
  checkTarget,
  type Kind,
  must,
  mustBeAddresses,
  mustBeBoolean,
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
import type { HttpApp } from './app.ts'
import { writeBodiless } from './codec/encode.ts'
import { type FieldsGiven, makeTemplate } from './codec/template.ts'
import type { HttpIo } from './io.ts'
import { FRAMER_LIMITS, type FramerLimits, HEAD_BYTES_MAX_LARGEST } from './limits.ts'
import { type Environment, type ForwardProxy, parseProxy, proxyInEnvironment } from './resolve/proxy.ts'
import { type ParsedTarget, PORTS, parseAddress, parseTarget } from './target.ts'

export interface HttpTarget {
  /** `https://api.internal`. With one of the next three it says what Host and the certificate are, not where to go. */
  readonly origin: string
  /** Where to go instead: `['10.0.0.1:8080', '10.0.0.2:8080']`. */
  readonly addresses?: readonly string[]
  /** A unix socket. */
  readonly socketPath?: string
  /** A registered discovery, and what it understands. */
  readonly discovery?: { readonly name: string; readonly target: string }
  /** A forward proxy: `http://user:password@proxy.internal:3128`. */
  readonly proxy?: string
  /** Use the proxy that `http_proxy`, `https_proxy` and `no_proxy` name. Default false. */
  readonly proxyFromEnvironment?: boolean
  /** Options as in `node:tls`, for https. */
  readonly tls?: TlsOptions
  /** Of every request; those that a request gives replace them. */
  readonly headers?: FieldsGiven
  /**
   * Safe requests (GET, HEAD, OPTIONS, TRACE) that may stand behind each other on one connection. Default 1. Whoever
   * pipelines trusts the server and what stands between: an answer too many is taken for the next one.
   */
  readonly pipelining?: number
  /** The most that is gathered of a body that is a stream. Default 64 MB. */
  readonly bodyBytesMax?: number
  /** A path that is asked for (HEAD) every few seconds: `/healthz`. Default: none, and nobody is asked. */
  readonly probe?: string
  /** Bounds on what the server may send. */
  readonly limits?: Partial<FramerLimits>
}

/** What a program expects to hold as one value; more is read as a stream. The kernel holds frames of as much. */
const BODY_BYTES_MAX = 64 << 20
/** What a server or a proxy that pipelines may be expected to bear; nginx and Node have no bound of their own. */
const PIPELINING_MAX = 256

export function resolve(
  target: string | HttpTarget,
  environment: Environment = process.env,
): Resolved<HttpIo, HttpApp> {
  const given: HttpTarget = typeof target === 'string' ? { origin: target } : target
  checkTarget(given, TARGET, 'https://api.internal')
  if (given.origin === undefined) throw badTarget("a target has an origin: { origin: 'https://api.internal' }")
  const place = parseTarget(given.origin)
  const proxy = proxyOf(given, place, environment)
  const name = nameOf(given, place, proxy)
  const tls = tlsOf(given, place, proxy, name)
  const app = appOf(given, place, proxy)
  const io = ioOf(given, place, proxy, app)
  const { proxy: through, probe, ...open } = io
  return {
    upstreamKey: upstreamKey([name, open, through?.tunnelTo, app.origin], [through?.authorization, probe, tls]),
    authority: authorityOf(place, proxy),
    name,
    io,
    app,
    ...(tls === undefined ? {} : { tls }),
  }
}

const LIMITS: Kind<FramerLimits> = {
  title: 'limit',
  checks: {
    headBytesMax: must(
      (value) => mustBeCount(value, '') === undefined && (value as number) <= HEAD_BYTES_MAX_LARGEST,
      `a whole number from 1 to ${HEAD_BYTES_MAX_LARGEST}`,
    ),
    fieldsMax: mustBeCount,
    interimMax: mustBeCount,
    chunkExtensionBytesMax: mustBeCount,
  },
}

const TARGET: Kind<HttpTarget> = {
  title: 'field of a target',
  checks: {
    origin: mustBeText,
    addresses: mustBeAddresses,
    socketPath: mustBeText,
    discovery: mustBeDiscovery,
    proxy: mustBeText,
    proxyFromEnvironment: mustBeBoolean,
    tls: mustBeTls({
      mode: must((value) => value === undefined, 'not given: it follows from the proxy'),
      alpnProtocols: must((value) => value === undefined, 'not given: it is http/1.1'),
    }),
    headers: must((value) => typeof value === 'object' && value !== null, 'an object, or pairs of name and value'),
    pipelining: must(
      (value) => mustBeCount(value, '') === undefined && (value as number) <= PIPELINING_MAX,
      `a whole number from 1 to ${PIPELINING_MAX}`,
    ),
    bodyBytesMax: mustBeCount,
    probe: must((value) => typeof value === 'string' && value.startsWith('/'), 'a path: /healthz'),
    limits: (value) => problemIn(value, LIMITS),
  },
}

function proxyOf(given: HttpTarget, place: ParsedTarget, environment: Environment): ForwardProxy | undefined {
  const isElsewhere = [given.addresses, given.socketPath, given.discovery].some((other) => other !== undefined)
  const { address, hostname, encrypted } = place
  if (given.proxy !== undefined) {
    if (given.proxyFromEnvironment === true) throw badTarget('proxy and proxyFromEnvironment exclude each other')
    if (isElsewhere || address === undefined)
      throw badTarget('a proxy finds its own way: it goes with http:// and https:// alone')
  }
  const fromEnvironment = given.proxyFromEnvironment === true && !isElsewhere && address !== undefined
  const proxy =
    given.proxy === undefined
      ? fromEnvironment
        ? proxyInEnvironment(environment, encrypted ? 'https' : 'http', hostname as string, address)
        : undefined
      : parseProxy(given.proxy)
  if (proxy?.encrypted === true && encrypted) {
    throw badTarget('TLS within TLS is not supported: for https targets speak to the proxy by http://')
  }
  return proxy
}

function nameOf(given: HttpTarget, place: ParsedTarget, proxy: ForwardProxy | undefined): NameTarget {
  const portDefault = PORTS[place.encrypted ? 'https' : 'http']
  const others = [given.addresses, given.socketPath ?? place.socketPath, given.discovery ?? place.discovery]
  if (others.filter((other) => other !== undefined).length > 1) {
    throw badTarget('one place is enough: addresses, socketPath or discovery')
  }
  const socketPath = given.socketPath ?? place.socketPath
  if (socketPath !== undefined) return nameTarget([takeSocket(socketPath)], portDefault)
  const discovery = given.discovery ?? place.discovery
  if (discovery !== undefined) return { discovery: discovery.name, target: discovery.target, portDefault }
  const addresses =
    proxy === undefined
      ? (given.addresses?.map((address) => parseAddress(address, place.encrypted)) ?? [place.address as string])
      : [proxy.address]
  return nameTarget(
    addresses.map((address) => takeAddress(address)),
    portDefault,
  )
}

function tlsOf(
  given: HttpTarget,
  place: ParsedTarget,
  proxy: ForwardProxy | undefined,
  name: NameTarget,
): TlsOptions | undefined {
  const isEncrypted = place.encrypted || proxy?.encrypted === true
  if (!isEncrypted) {
    if (given.tls !== undefined) throw badTarget('tls goes with https://')
    return undefined
  }
  if (name.target.startsWith('/') && name.discovery === 'static')
    throw badTarget('TLS over a unix socket is not supported')
  const options = typeof given.tls === 'object' ? given.tls : {}
  const hostname = proxy?.encrypted === true ? proxy.hostname : place.hostname
  return {
    ...(hostname === undefined ? {} : { servername: hostname }),
    ...options,
    alpnProtocols: ['http/1.1'],
    mode: proxy !== undefined && place.encrypted ? 'negotiated' : 'direct',
  }
}

function ioOf(given: HttpTarget, place: ParsedTarget, proxy: ForwardProxy | undefined, app: HttpApp): HttpIo {
  const limits: FramerLimits = { ...FRAMER_LIMITS, ...defined(given.limits ?? {}) }
  const isTunnel = proxy !== undefined && place.encrypted
  return {
    proxy:
      proxy === undefined
        ? undefined
        : {
            tunnelTo: isTunnel ? place.address : undefined,
            authorization: isTunnel ? proxy.authorization : undefined,
          },
    pipelining: given.pipelining ?? 1,
    probe: given.probe === undefined ? undefined : probeOf(given.probe, app),
    limits: { ...limits },
  }
}

function appOf(given: HttpTarget, place: ParsedTarget, proxy: ForwardProxy | undefined): HttpApp {
  const isWhole = proxy !== undefined && !place.encrypted
  const app: HttpApp = {
    host: place.host,
    origin: isWhole ? `http://${place.host}` : '',
    headers: given.headers ?? {},
    proxyAuthorization: isWhole ? proxy.authorization : undefined,
    isPipelined: (given.pipelining ?? 1) > 1,
    bodyBytesMax: given.bodyBytesMax ?? BODY_BYTES_MAX,
  }
  // What is wrong with them is wrong now, and not with the first request.
  makeTemplate({ host: app.host, fields: app.headers }, undefined)
  return app
}

/** A whole HEAD, with the fields that every request of the target has. */
function probeOf(path: string, app: HttpApp): Uint8Array {
  const { host, headers, origin, proxyAuthorization } = app
  const ours: [string, string][] = [['connection', 'close']]
  if (proxyAuthorization !== undefined) ours.push(['proxy-authorization', proxyAuthorization])
  const out = new ByteWriter(256)
  const template = makeTemplate({ host, fields: headers }, undefined, ours)
  writeBodiless(out, { start: `HEAD ${origin}`, path, template }, false)
  return Uint8Array.from(out.written())
}

function authorityOf(place: ParsedTarget, proxy: ForwardProxy | undefined): string {
  const scheme = place.encrypted ? 'https' : 'http'
  if (place.socketPath !== undefined) return `http+unix://${place.socketPath}`
  if (place.discovery !== undefined) return `${scheme}+${place.discovery.name}://${place.discovery.target}`
  return `${scheme}://${place.host}${proxy === undefined ? '' : ` by ${proxy.address}`}`
}

function defined<Limits extends object>(given: Limits): Limits {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Limits
}

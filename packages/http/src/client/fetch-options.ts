/**
 * What `createFetch` is given, and what it makes of it.
 *
 * Rules: options are judged at once; what concerns a place (a proxy, TLS) is judged with the first request to one it
 * concerns.
 */
import type { UpstreamOptions } from '@iokernel/core'
import type { TlsOptions } from '@iokernel/core/plugin'
import {
  checkOptions,
  type Kind,
  must,
  mustBeBoolean,
  mustBeCount,
  mustBeText,
  mustBeTls,
} from '@iokernel/core/toolkit'
import type { HttpClient } from '../client.ts'
import { type Fetch, fetchOver } from './fetch.ts'
import { Origins } from './origins.ts'

export interface FetchOptions {
  /** Origins that are kept open. Default 100. */
  readonly originsMax?: number
  /** An origin that nothing was asked of for this long is closed. Default 60 000. */
  readonly originIdleMs?: number
  /** A forward proxy for all of them: `http://user:password@proxy.internal:3128`. */
  readonly proxy?: string
  /** Use the proxies that `http_proxy`, `https_proxy` and `no_proxy` name. Default false. */
  readonly proxyFromEnvironment?: boolean
  /** As in `node:tls`, for all that are https. */
  readonly tls?: TlsOptions
  /** Options of `kernel.connect()` for all of them. */
  readonly upstream?: UpstreamOptions
}

/** Those of a program that talks to many services; a crawler needs more. */
const ORIGINS_MAX = 100
/** Longer than keep-alive of most servers: what is closed has no connections. */
const ORIGIN_IDLE_MS = 60_000

const FETCH_OPTIONS: Kind<FetchOptions> = {
  title: 'option of createFetch()',
  checks: {
    originsMax: mustBeCount,
    originIdleMs: mustBeCount,
    proxy: mustBeText,
    proxyFromEnvironment: mustBeBoolean,
    tls: mustBeTls(),
    upstream: must((value) => typeof value === 'object' && value !== null, 'an object'),
  },
}

interface PlaceTarget {
  readonly origin: string
  readonly proxy?: string
  readonly proxyFromEnvironment?: boolean
  readonly tls?: TlsOptions
}

/** `connect` opens an upstream. */
export function fetchWith(
  connect: (target: PlaceTarget, limits: UpstreamOptions | undefined) => HttpClient,
  options: FetchOptions = {},
): Fetch & { close(): Promise<void> } {
  checkOptions(options, FETCH_OPTIONS)
  const { proxy, proxyFromEnvironment, tls, upstream } = options
  const origins = new Origins(
    (origin) =>
      connect(
        {
          origin,
          ...(proxy === undefined ? {} : { proxy }),
          ...(proxyFromEnvironment === undefined ? {} : { proxyFromEnvironment }),
          ...(tls === undefined || !origin.startsWith('https:') ? {} : { tls }),
        },
        // As the platform's: nobody who fetches wants to wait for a server to come back.
        { whenDown: 'fail', ...upstream },
      ),
    { originsMax: options.originsMax ?? ORIGINS_MAX, originIdleMs: options.originIdleMs ?? ORIGIN_IDLE_MS },
  )
  const fetch: Fetch = (input, init) => fetchOver(origins, input, init)
  return Object.assign(fetch, { close: () => origins.close() })
}

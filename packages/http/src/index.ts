/**
 * `@iokernel/http`: HTTP/1.1 for the I/O kernel.
 *
 *   const kernel = await createKernel({ protocols: [http] })
 *   const api = kernel.connect(http, 'https://api.internal')
 *   const user = await (await api.get('/users/1')).body.json()
 */
import type { Kernel } from '@iokernel/core'
import type { Protocol } from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import type { HttpApp } from './app.ts'
import type { Fetch } from './client/fetch.ts'
import { type FetchOptions, fetchWith } from './client/fetch-options.ts'
import { type HttpClient, httpClient } from './client.ts'
import type { HttpIo } from './io.ts'
import { type HttpTarget, resolve } from './resolve.ts'

export type { HttpApp } from './app.ts'
export type { HttpBody } from './client/body.ts'
export type { BodyGiven } from './client/contents.ts'
export type { HttpDuplex, TakeOverOptions, UpgradeOptions } from './client/duplex.ts'
export type { Fetch } from './client/fetch.ts'
export type { FetchOptions } from './client/fetch-options.ts'
export type { RequestOptions } from './client/request.ts'
export type { HttpResponse, OnInformation } from './client/response.ts'
export type { HttpClient } from './client.ts'
export type { HttpFacts, HttpVia } from './codec/facts.ts'
export type { HttpFields } from './codec/fields.ts'
export type { FieldsGiven } from './codec/template.ts'
export type { FramerLimits } from './limits.ts'
export type { HttpTarget } from './resolve.ts'

/** Hand it to `createKernel({ protocols: [http] })`, and to `kernel.connect(http, 'https://host')`. */
export const http: Protocol<HttpTarget, HttpIo, HttpApp, HttpClient> = {
  kind: 'protocol',
  name: 'http',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  // TLS by a script: inside the tunnel that a proxy has opened. Without a proxy it is there before anything is said.
  supports: { replies: 'in-order', lanes: 'pool', push: 'none', serve: false, tls: 'negotiated' },
  limits: {
    // Servers close what idles (nginx after 75 s, Node after 5 s): nothing is kept while nobody calls.
    lanesMin: 0,
    callRetriesMax: 1,
    // One request at a time on each: as many as undici's and nginx's users run with against one server.
    lanesMax: 64,
    // Uploads, upgrades and tunnels have one each.
    sessionsMax: 64,
    // All of both, and one.
    connectionsMax: 129,
  },
  resolve,
  client: httpClient,
}

/**
 * `fetch` over this kernel, one upstream for each origin: `const fetch = createFetch(kernel)`. `close()` gives them up.
 */
export function createFetch(
  kernel: Pick<Kernel, 'connect'>,
  options?: FetchOptions,
): Fetch & { close(): Promise<void> } {
  return fetchWith((target, limits) => kernel.connect(http, target, limits), options)
}

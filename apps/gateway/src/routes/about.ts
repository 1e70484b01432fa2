/** What the gateway says of itself: its endpoints, whether its upstreams answer, what the kernel is set to. */
import type { Kernel } from '@iokernel/core'
import type { BackendConnection, BackendServer } from '../backends/backend.ts'
import { json, text } from '../http/answer.ts'
import type { Route } from '../http/router.ts'
import type { GatewayLimits } from '../limits.ts'

export interface OpenBackend {
  readonly name: string
  readonly server: BackendServer
  readonly connection: BackendConnection
}

/** A backend that could not be had, and how to get it. */
export interface MissingBackend {
  readonly name: string
  readonly reason: string
}

export interface AboutSource {
  readonly kernel: Kernel
  readonly limits: GatewayLimits
  readonly open: readonly OpenBackend[]
  readonly missing: readonly MissingBackend[]
  /** All of them, these ones included. */
  routes(): readonly Route[]
}

export function aboutRoutes(source: AboutSource): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/',
      summary: 'this list',
      example: '%/',
      handle: () =>
        json({ endpoints: source.routes().map(({ method, path, summary }) => ({ method, path, summary })) }),
    },
    {
      method: 'GET',
      path: '/health',
      summary: 'whether every upstream can be asked; 503 when one cannot',
      example: '%/health',
      handle: () => {
        const backends = source.open.map(({ name, server, connection }) => {
          const { status, endpoints, reason } = connection.state
          return { name, version: server.version, status, endpoints, reason: reason ?? null }
        })
        const isHealthy = backends.every(({ status }) => status === 'ready')
        const headers: Record<string, string> = isHealthy ? {} : { 'retry-after': `${source.limits.retryAfterSeconds}` }
        const status = isHealthy ? 'ok' : 'degraded'
        return json({ status, backends, missing: source.missing }, isHealthy ? 200 : 503, headers)
      },
    },
    {
      method: 'GET',
      path: '/describe',
      summary: 'the kernel, its upstreams and all limits; ?as=text for people',
      example: `'%/describe?as=text'`,
      handle: (request) => {
        request.queryOnly('as')
        const description = source.kernel.describe()
        if (request.textQuery('as') === 'text') return text(`${description.toString()}\n`)
        return json({ kernel: description, gateway: { limits: source.limits } })
      },
    },
  ]
}

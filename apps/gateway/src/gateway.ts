/**
 * The gateway: servers, kernel, backends and the HTTP server in front, brought up in this order and taken down in the
 * other.
 *
 * Rules: a backend that cannot be had is left out and named; no backend at all is an error. Whatever fails on the way
 * up, what was up is taken down again.
 */
import { createKernel, type Kernel } from '@iokernel/core'
import { ServerUnavailableError } from '@iokernel/servers'
import type { Backend } from './backends/backend.ts'
import type { Route } from './http/router.ts'
import { GatewayServer } from './http/server.ts'
import { GATEWAY_LIMITS, type GatewayLimits } from './limits.ts'
import { aboutRoutes, type MissingBackend, type OpenBackend } from './routes/about.ts'
import { overviewRoutes } from './routes/overview.ts'
import { Teardown } from './teardown.ts'

export interface GatewayOptions {
  readonly backends: readonly Backend[]
  readonly thread: 'worker' | 'inline'
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly limits?: Partial<GatewayLimits>
}

export interface Gateway extends AsyncDisposable {
  readonly url: string
  readonly routes: readonly Route[]
  readonly open: readonly OpenBackend[]
  readonly missing: readonly MissingBackend[]
  /** Takes no more requests, answers those it has, then closes the kernel and stops the servers. Idempotent. */
  close(): Promise<void>
}

/** No backend could be had; `missing` says of each how to get it. */
export class NoBackendError extends Error {
  override readonly name = 'NoBackendError'
  readonly missing: readonly MissingBackend[]

  constructor(missing: readonly MissingBackend[]) {
    super(`no backend can be had.\n${missing.map(({ name, reason }) => `${name}: ${reason}`).join('\n')}`)
    this.missing = missing
  }
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const teardown = new Teardown()
  try {
    return await bringUp(options, teardown)
  } catch (error) {
    await teardown.run()
    throw error
  }
}

async function bringUp(options: GatewayOptions, teardown: Teardown): Promise<Gateway> {
  const limits = { ...GATEWAY_LIMITS, ...options.limits }
  const { servers, missing } = await startServers(options.backends, teardown)
  if (servers.length === 0) throw new NoBackendError(missing)
  const protocols = servers.map(({ backend }) => backend.protocol)
  const kernel = await createKernel({ protocols, thread: options.thread })
  teardown.add(() => kernel.close())
  const open = await connectAll(servers, kernel, limits)
  const routes: Route[] = []
  routes.push(...aboutRoutes({ kernel, limits, open, missing, routes: () => routes }))
  routes.push(...overviewRoutes({ open, missing }))
  routes.push(...open.flatMap(({ connection }) => connection.routes))
  const server = await GatewayServer.listen({ host: options.host, port: options.port, routes, limits })
  teardown.add(() => server.stop())
  const close = (): Promise<void> => teardown.run()
  return { url: server.url, routes, open, missing, close, [Symbol.asyncDispose]: close }
}

interface StartedServer {
  readonly backend: Backend
  readonly server: OpenBackend['server']
}

/** All at once: a database takes seconds. */
async function startServers(
  backends: readonly Backend[],
  teardown: Teardown,
): Promise<{ servers: readonly StartedServer[]; missing: readonly MissingBackend[] }> {
  const servers: StartedServer[] = []
  const missing: MissingBackend[] = []
  const failures: unknown[] = []
  const starts = await Promise.allSettled(backends.map((backend) => backend.startServer()))
  for (const [index, start] of starts.entries()) {
    const backend = backends[index] as Backend
    if (start.status === 'fulfilled') {
      const server = start.value
      teardown.add(() => server.stop())
      servers.push({ backend, server })
    } else if (start.reason instanceof ServerUnavailableError) {
      missing.push({ name: backend.name, reason: start.reason.message })
    } else failures.push(start.reason)
  }
  if (failures.length > 0) throw failures[0]
  return { servers, missing }
}

async function connectAll(
  servers: readonly StartedServer[],
  kernel: Kernel,
  limits: GatewayLimits,
): Promise<readonly OpenBackend[]> {
  const open = servers.map(({ backend, server }) => ({
    name: backend.name,
    server,
    connection: backend.connect(kernel, server.url, limits),
  }))
  await Promise.all(open.map(({ connection }) => connection.ready({ deadlineMs: READY_DEADLINE_MS })))
  return open
}

/** The servers have just answered a probe; the handshake is left, and what a backend prepares for itself. */
const READY_DEADLINE_MS = 10_000

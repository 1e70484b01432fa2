/** Gateways over real servers for tests, stopped again after each test. */
import { type RedisServer, startRedis } from '@iokernel/servers'
import { afterEach } from 'vitest'
import type { Backend } from '../backends/backend.ts'
import { redisBackend } from '../backends/redis.ts'
import { type Gateway, startGateway } from '../gateway.ts'
import type { GatewayLimits } from '../limits.ts'

export const THREADS = ['worker', 'inline'] as const
export type Thread = (typeof THREADS)[number]

const running: Gateway[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((gateway) => gateway.close()))
})

export async function openGateway(
  thread: Thread,
  options: { readonly limits?: Partial<GatewayLimits>; readonly backends?: readonly Backend[] } = {},
): Promise<Gateway> {
  const { limits = {}, backends = [redisBackend] } = options
  const gateway = await startGateway({ backends, thread, host: '127.0.0.1', port: 0, limits })
  running.push(gateway)
  return gateway
}

/** Redis in the test's own hands: it may stop the server and bring it back on the same port. */
export async function ownRedis(): Promise<{ readonly backend: Backend; stop(): Promise<void>; back(): Promise<void> }> {
  let server: RedisServer = await startRedis({ configLines: ['loglevel warning'] })
  const { port } = server
  return {
    backend: { ...redisBackend, startServer: async () => ({ ...server, stop: () => server.stop() }) },
    stop: () => server.stop(),
    back: async () => {
      server = await startRedis({ port })
    },
  }
}

/**
 * Redis: keys, hashes, lists, channels.
 *
 * Rules: keys and values are the server's own, without a prefix, so that the gateway and every other program see the
 * same data. A call fails at once while Redis is away: the client can repeat it, and requests do not pile up.
 */
import type { Kernel } from '@iokernel/core'
import { redis } from '@iokernel/redis'
import { startRedis } from '@iokernel/servers'
import type { Route } from '../http/router.ts'
import { Seats } from '../http/seats.ts'
import type { GatewayLimits } from '../limits.ts'
import type { Backend, BackendConnection } from './backend.ts'
import { checkRedis } from './redis/check.ts'
import { eventRoutes } from './redis/events.ts'
import { hashRoutes } from './redis/hashes.ts'
import { keyListingRoutes } from './redis/key-listing.ts'
import { keyRoutes } from './redis/keys.ts'
import { listRoutes } from './redis/lists.ts'
import { redisPart } from './redis/part.ts'
import { redisStatusOf } from './redis/statuses.ts'

export const redisBackend: Backend = {
  name: 'redis',
  protocol: redis,
  startServer: () => startRedis(),
  connect,
  check: checkRedis,
}

function connect(kernel: Kernel, url: string, limits: GatewayLimits): BackendConnection {
  const client = kernel.connect(redis, url, {
    whenDown: 'fail',
    // A waiting request holds one; the rest is for callers that the gateway does not know of yet.
    sessionsMax: limits.listWaitersMax + 16,
    reconnectMaxMs: limits.retryAfterSeconds * 1_000,
  })
  const routes: readonly Route[] = [
    ...keyRoutes(client),
    ...keyListingRoutes(client),
    ...hashRoutes(client),
    ...listRoutes(client, new Seats('waits for lists', limits.listWaitersMax)),
    ...eventRoutes(client, new Seats('event streams', limits.eventStreamsMax)),
  ]
  return {
    get state() {
      return client.state
    },
    routes: routes.map((route) => ({ ...route, statusOf: redisStatusOf })),
    part: (key, options) => redisPart(client, key, options),
    ready: (options) => client.ready(options),
  }
}

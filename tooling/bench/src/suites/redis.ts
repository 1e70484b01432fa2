/**
 * Redis: GET and SET, ours beside the clients that one would use instead, and redis-benchmark as the limit.
 *
 * The server is started for the run, or is the one that IOKERNEL_REDIS_URL names; one key is written there.
 */
import { type RedisServer, startRedis } from '@iokernel/servers'
import { Redis } from 'ioredis'
import { openRedisBenchmark } from '../subjects/redis-benchmark.ts'
import { REDIS_KEY, redisValue } from '../subjects/redis-operations.ts'
import { nodeClient } from './node-client.ts'
import { REDIS_TARGETS } from './redis-targets.ts'
import type { Suite, SuiteServer, SuiteSubject } from './suite.ts'

export const redisSuite: Suite = {
  name: 'redis',
  operations: [
    { name: 'get', bytes: [64, 16 << 10, 1 << 20] },
    { name: 'set', bytes: [64] },
  ],
  inFlight: [1, 10, 50, 500],
  subjects: [
    nodeClient('redis', 'iokernel', 'own'),
    nodeClient('redis', 'iokernel inline', 'own'),
    nodeClient('redis', 'ioredis', 'peer'),
    nodeClient('redis', 'ioredis auto-pipelining', 'peer'),
    nodeClient('redis', 'node-redis', 'peer'),
    nodeClient('redis', 'valkey-glide', 'peer'),
    redisBenchmark(1, (inFlight) => inFlight === 1),
    // At 500, too, it is what one compares with: a deeper pipeline gains it nothing.
    redisBenchmark(50, (inFlight) => inFlight >= 50),
  ],
  // A tenth to a sixth of what the slowest can do, so that lateness is the client's and not the queue's.
  openLoop: { operation: 'get', bytes: 64, ratePerSecond: 10_000 },
  targets: REDIS_TARGETS,
  startServer,
}

function redisBenchmark(pipelineDepth: number, joins: (inFlight: number) => boolean): SuiteSubject {
  return {
    name: `redis-benchmark -P ${pipelineDepth}`,
    kind: 'limit',
    client: undefined,
    joins: (cell) => joins(cell.inFlight),
    inFlightIn: () => pipelineDepth,
    async open(server, cell) {
      const contestant = await openRedisBenchmark(server.url, cell, pipelineDepth)
      return {
        async round(durationMs) {
          const measured = await contestant.round(durationMs)
          await withRedis(server.url, async (client) => {
            const length = await client.strlen(REDIS_KEY)
            if (length !== cell.bytes) throw new Error(`the key has ${length} bytes and not ${cell.bytes}`)
          })
          return measured
        },
        close: async () => {
          await contestant.close()
          // It wrote its own bytes where it wrote.
          await prepare(server.url, cell.bytes)
        },
      }
    },
  }
}

async function startServer(): Promise<SuiteServer> {
  const server: RedisServer = await startRedis()
  return {
    url: server.url,
    description: `Redis ${server.version} (${server.source}), 127.0.0.1 over TCP`,
    prepare: (_, bytes) => prepare(server.url, bytes),
    stop: () => server.stop(),
  }
}

function prepare(url: string, bytes: number): Promise<void> {
  return withRedis(url, async (client) => {
    await client.set(REDIS_KEY, redisValue(bytes))
  })
}

async function withRedis(url: string, work: (client: Redis) => Promise<void>): Promise<void> {
  const client = new Redis(url)
  try {
    await work(client)
  } finally {
    client.disconnect()
  }
}

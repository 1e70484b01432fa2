/**
 * `@iokernel/redis`: Redis for the I/O kernel.
 *
 *   const kernel = await createKernel({ protocols: [redis] })
 *   const cache = kernel.connect(redis, 'redis://cache.internal')
 *   await cache.set('user:1', 'value', 'EX', 60)
 */
export type { FeedOptions, Gap, Subscription } from '@iokernel/core/toolkit'

import type { Protocol } from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import { type RedisClient, redisClient } from './client.ts'
import type { RedisIo } from './io.ts'
import { type RedisApp, type RedisTarget, resolve } from './resolve.ts'

export type { RedisCommands } from './client/command-set.ts'
export type { RedisMulti } from './client/multi.ts'
export type {
  Invalidation,
  InvalidationOptions,
  Message,
} from './client/pubsub.ts'
export type { Fields, Scored, StreamEntries, StreamEntry } from './client/replies.ts'
export type { ScanKeysOptions, ScanOptions } from './client/scan.ts'
export type { RedisScript, ScriptOptions } from './client/script.ts'
export type { RedisSession } from './client/session.ts'
export type { Integer, Key, Value } from './client/types.ts'
export type { RedisClient } from './client.ts'
export { RedisError } from './codec/errors.ts'
export type { RedisFacts } from './codec/reply.ts'
export type { RedisReply } from './codec/resp3.ts'
export type { FramerLimits } from './limits.ts'
export type { RedisCredentials, RedisTarget } from './resolve.ts'

/** Hand it to `createKernel({ protocols: [redis] })`, and to `kernel.connect(redis, 'redis://host')`. */
export const redis: Protocol<RedisTarget, RedisIo, RedisApp, RedisClient> = {
  kind: 'protocol',
  name: 'redis',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  supports: { replies: 'in-order', lanes: 'one', push: 'asked', serve: false, tls: 'direct' },
  resolve,
  client: (link) => redisClient(link),
}

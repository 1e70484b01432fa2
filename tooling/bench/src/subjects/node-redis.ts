/** node-redis (`redis`), as it comes: it pipelines by itself what is asked for in one turn. */
import { createClient } from 'redis'
import { redisClient } from './redis-operations.ts'
import type { Subject } from './subject.ts'

export const nodeRedis: Subject = async (url) => {
  const client = createClient({ url })
  await client.connect()
  return redisClient({
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    close: () => client.close(),
  })
}

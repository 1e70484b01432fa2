/** ioredis as it comes, and with the option it recommends for speed. */
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { redisClient } from './redis-operations.ts'
import type { Subject } from './subject.ts'

export const plain: Subject = (url) => open(url, false)
export const autoPipelining: Subject = (url) => open(url, true)

async function open(url: string, enableAutoPipelining: boolean): ReturnType<Subject> {
  const client = new Redis(url, { enableAutoPipelining })
  await once(client, 'ready')
  return redisClient({
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    close: () => client.quit(),
  })
}

/** The kernel with its Redis plugin, as it comes: in its thread, and inline. */
import { createKernel } from '@iokernel/core'
import { redis } from '@iokernel/redis'
import { redisClient } from './redis-operations.ts'
import type { Subject } from './subject.ts'

export const threaded: Subject = (url) => open(url, 'worker')
export const inline: Subject = (url) => open(url, 'inline')

async function open(url: string, thread: 'worker' | 'inline'): ReturnType<Subject> {
  const kernel = await createKernel({ protocols: [redis], thread })
  const client = kernel.connect(redis, url)
  await client.ready()
  return redisClient({
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    close: () => kernel.close(),
  })
}

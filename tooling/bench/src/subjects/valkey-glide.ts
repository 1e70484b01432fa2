/** valkey-glide: a client in Rust behind a socket in the same process. */
import { GlideClient } from '@valkey/valkey-glide'
import { redisClient } from './redis-operations.ts'
import type { Subject } from './subject.ts'

export const valkeyGlide: Subject = async (url) => {
  const { hostname, port, username, password } = new URL(url)
  const client = await GlideClient.createClient({
    addresses: [{ host: hostname, port: Number(port || 6379) }],
    ...(password === ''
      ? {}
      : {
          credentials: { password: decodeURIComponent(password), username: decodeURIComponent(username) || 'default' },
        }),
    // 250 ms by default, which 500 replies of 1 MB do not keep.
    requestTimeout: REQUEST_TIMEOUT_MS,
  })
  return redisClient({
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    close: async () => client.close(),
  })
}

const REQUEST_TIMEOUT_MS = 30_000

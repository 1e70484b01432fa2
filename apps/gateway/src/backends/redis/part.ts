/** What Redis adds to an answer made of several upstreams: what the key holds. */
import type { CallOptions } from '@iokernel/core'
import type { RedisClient } from '@iokernel/redis'
import { jsonText } from '../../http/json-text.ts'
import { ownKey } from './content-types.ts'
import { resultsOf } from './statuses.ts'

export async function redisPart(client: RedisClient, name: Buffer, options: CallOptions): Promise<unknown> {
  const key = ownKey(name)
  const [type, ttlMs] = resultsOf(await client.multi().type(key).pttl(key).exec(options))
  if (type === 'none') return { found: false }
  const about = { found: true, type, ttlMs: ttlMs < 0 ? null : ttlMs }
  if (type !== 'string') return about
  const value = client.bytes
    .multi()
    .strlen(key)
    .getrange(key, 0, SHOWN_BYTES - 1)
  const [bytes, begun] = resultsOf(await value.exec(options))
  return { ...about, bytes, value: jsonText(begun), complete: bytes <= SHOWN_BYTES }
}

/** An overview is no download: `GET /kv/:key` gives the whole value. */
const SHOWN_BYTES = 1_024

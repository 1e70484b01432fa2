/** Which keys there are. SCAN walks the whole keyspace page by page, so nobody waits for it but the one who asked. */
import type { RedisClient } from '@iokernel/redis'
import { type Answer, json } from '../../http/answer.ts'
import { type JsonText, jsonText } from '../../http/json-text.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import { isContentTypeKey } from './content-types.ts'

export function keyListingRoutes(client: RedisClient): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/keys',
      summary: 'keys, those that ?match= a pattern, at most ?limit=',
      example: `'%/keys?match=user:*&limit=10'`,
      handle: (request) => list(client, request),
    },
  ]
}

async function list(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('match', 'limit')
  const { listedKeysMax, callDeadlineMs } = request.limits
  const limit = request.integerQuery('limit', 1, listedKeysMax) ?? Math.min(LISTED_DEFAULT, listedKeysMax)
  const match = request.textQuery('match')
  // One deadline for all pages: each takes what is left.
  const endsAtMs = performance.now() + callDeadlineMs
  const call = request.call()
  const left = {
    ...call,
    get deadlineMs(): number {
      return Math.max(1, endsAtMs - performance.now())
    },
  }
  // SCAN may show a key twice.
  const found = new Map<string, JsonText>()
  let isComplete = true
  const pages = client.bytes.scan({ count: PAGE_KEYS, call: left, ...(match === undefined ? {} : { match }) })
  for await (const key of pages) {
    if (isContentTypeKey(key)) continue
    if (found.size === limit) {
      isComplete = false
      break
    }
    found.set(Buffer.from(key).toString('latin1'), jsonText(key))
  }
  return json({ keys: [...found.values()], complete: isComplete })
}

const LISTED_DEFAULT = 100
/** Keys that Redis looks at for one page: some 100 µs of its one thread. */
const PAGE_KEYS = 500

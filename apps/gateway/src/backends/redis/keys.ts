/** Values by key: any bytes, with their content type and a time to live. */
import type { RedisClient } from '@iokernel/redis'
import { type Answer, bytes, json, noContent } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { jsonInteger, jsonText } from '../../http/json-text.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import { CONTENT_TYPE_DEFAULT, checkedContentType, contentTypeKey, ownKey } from './content-types.ts'
import { resultsOf } from './statuses.ts'

export function keyRoutes(client: RedisClient): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/kv/:key',
      summary: 'stores the body; ?ttlMs= lets it expire',
      example: `-X PUT -H 'Content-Type: text/plain' --data 'Ada' '%/kv/user:1?ttlMs=60000'`,
      handle: (request) => put(client, request),
    },
    {
      method: 'GET',
      path: '/kv/:key',
      summary: 'the value as it was stored, byte for byte',
      example: '%/kv/user:1',
      handle: (request) => get(client, request),
    },
    {
      method: 'DELETE',
      path: '/kv/:key',
      summary: 'removes the key, whatever its type',
      example: '-X DELETE %/kv/user:1',
      handle: (request) => remove(client, request),
    },
    {
      method: 'POST',
      path: '/kv/:key/increment',
      summary: 'adds 1, or ?by=; exact over all 64 bits',
      example: `-X POST '%/kv/visits/increment?by=2'`,
      handle: (request) => increment(client, request),
    },
  ]
}

async function put(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('ttlMs')
  const key = ownKey(request.name('key'))
  const ttlMs = request.integerQuery('ttlMs', 1, TTL_MS_MAX)
  const contentType = checkedContentType(request.header('content-type'))
  const value = await request.body()
  const expiry = ttlMs === undefined ? [] : ['PX', ttlMs]
  const typeKey = contentTypeKey(key)
  const batch = client.multi().set(key, value, ...expiry)
  const complete =
    contentType === CONTENT_TYPE_DEFAULT ? batch.del(typeKey) : batch.set(typeKey, contentType, ...expiry)
  resultsOf(await complete.exec(request.call()))
  return noContent()
}

async function get(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const key = ownKey(request.name('key'))
  const [value, contentType] = await client.bytes.mget(key, contentTypeKey(key), request.call())
  if (value === null || value === undefined) {
    // MGET passes over what is no string; the client should not take a list for nothing.
    const type = await client.type(key, request.call())
    if (type !== 'none' && type !== 'string') throw new RequestError(409, 'WRONGTYPE', `this key holds a ${type}`)
    throw new RequestError(404, 'NO_KEY', 'this key holds nothing')
  }
  return bytes(value, contentType ? Buffer.from(contentType).toString('latin1') : CONTENT_TYPE_DEFAULT)
}

async function remove(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const key = ownKey(request.name('key'))
  const [removed] = resultsOf(await client.multi().del(key).del(contentTypeKey(key)).exec(request.call()))
  if (removed === 0) throw new RequestError(404, 'NO_KEY', 'this key holds nothing')
  return noContent()
}

async function increment(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('by')
  const key = ownKey(request.name('key'))
  const value = await client.incrby(key, integerOf(request.textQuery('by') ?? '1'), request.call())
  return json({ key: jsonText(key), value: jsonInteger(value) })
}

/** Digits as they were written: 64 bits do not fit into a number. */
function integerOf(digits: string): bigint {
  if (/^-?\d{1,19}$/.test(digits)) {
    const value = BigInt(digits)
    if (BigInt.asIntN(64, value) === value) return value
  }
  throw new RequestError(400, 'ARGUMENT', 'by is a whole number of at most 64 bits')
}

/** Redis adds it to the time of day and refuses what is beyond 2^63; a hundred years are enough. */
const TTL_MS_MAX = 100 * 366 * 86_400_000

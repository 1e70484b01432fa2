/** Hashes as JSON objects. */
import type { RedisClient, Value } from '@iokernel/redis'
import { type Answer, json } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { type JsonText, jsonText } from '../../http/json-text.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import { ownKey } from './content-types.ts'

export function hashRoutes(client: RedisClient): readonly Route[] {
  return [
    {
      method: 'PATCH',
      path: '/hash/:key',
      summary: 'sets the fields of a JSON object, and leaves the others',
      example: `-X PATCH --data '{"name":"Ada","born":1815}' %/hash/person:1`,
      handle: (request) => patch(client, request),
    },
    {
      method: 'GET',
      path: '/hash/:key',
      summary: 'all fields as a JSON object',
      example: '%/hash/person:1',
      handle: (request) => get(client, request),
    },
  ]
}

async function patch(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const key = ownKey(request.name('key'))
  const pairs = Object.entries(await request.jsonObject()).map(([field, value]) => [field, storable(field, value)])
  const [first, ...more] = pairs as [field: string, value: Value][]
  if (first === undefined) throw new RequestError(400, 'ARGUMENT', 'the body names at least one field')
  const added = await client.hset(key, ...first, ...more.flat(), request.call())
  return json({ added })
}

async function get(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const pairs = await client.bytes.hgetall(ownKey(request.name('key')), request.call())
  if (pairs.length === 0) throw new RequestError(404, 'NO_KEY', 'this key holds nothing')
  // Without a prototype, so that a field called __proto__ is a field.
  const fields = Object.create(null) as Record<string, JsonText>
  for (const [field, value] of pairs) {
    const name = jsonText(field)
    if (typeof name !== 'string')
      throw new RequestError(422, 'NOT_TEXT', 'a field of this hash has a name that is no text')
    fields[name] = jsonText(value)
  }
  return json(fields)
}

/** Redis keeps bytes; what has no obvious form as such is refused rather than made up. */
function storable(field: string, value: unknown): Value {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return value
  throw new RequestError(400, 'ARGUMENT', `the field '${field.slice(0, 64)}' is neither a string nor a number`)
}

/**
 * Lists as queues: put at one end, take from the other, and wait where there is nothing yet.
 *
 * Rules: a wait takes a connection of its own, so it delays nobody; a client that leaves ends its wait, and elements
 * stay for the next. An element that is taken while its client vanishes is lost: a queue that must not lose any needs
 * acknowledgement, which plain lists do not have.
 */
import type { RedisClient } from '@iokernel/redis'
import { type Answer, bytes, json, noContent } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { CONTENT_TYPE_DEFAULT, ownKey } from './content-types.ts'

export function listRoutes(client: RedisClient, waits: Seats): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/lists/:key',
      summary: 'appends the body as one element',
      example: `--data 'first job' %/lists/jobs`,
      handle: (request) => append(client, request),
    },
    {
      method: 'GET',
      path: '/lists/:key/next',
      summary: 'takes the first element, waiting up to ?timeoutMs= for one; 204 when none came',
      example: `'%/lists/jobs/next?timeoutMs=5000'`,
      handle: (request) => next(client, waits, request),
    },
  ]
}

async function append(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const key = ownKey(request.name('key'))
  return json({ length: await client.rpush(key, await request.body(), request.call()) })
}

async function next(client: RedisClient, waits: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('timeoutMs')
  const key = ownKey(request.name('key'))
  const timeoutMs = request.integerQuery('timeoutMs', 0, request.limits.listWaitMsMax) ?? 0
  const element = timeoutMs === 0 ? await client.bytes.lpop(key, request.call()) : await wait()
  return element === null ? noContent() : bytes(element, CONTENT_TYPE_DEFAULT)

  async function wait(): Promise<Uint8Array | null> {
    using _seat = waits.take()
    const signal = AbortSignal.any([request.signal, request.stopping])
    const deadlineMs = timeoutMs + request.limits.callDeadlineMs
    try {
      // Redis counts in seconds, and takes fractions.
      const popped = await client.bytes.blpop(key, timeoutMs / 1_000, request.call({ signal, deadlineMs }))
      return popped === null ? null : popped[1]
    } catch (error) {
      if (request.stopping.aborted) throw new RequestError(503, 'STOPPING', 'the gateway stops: ask again elsewhere')
      throw error
    }
  }
}

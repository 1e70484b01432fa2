/** A request that is slow on purpose: beside it, other requests stay fast, for each has a connection to itself. */
import type { HttpClient } from '@iokernel/http'
import { type Answer, json } from '../../http/answer.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { accepted } from './refusals.ts'

export function slowRoutes(client: HttpClient, requests: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/http/slow',
      summary: 'a request that takes ?ms=; others do not wait for it',
      example: `'%/http/slow?ms=2000'`,
      handle: (request) => slow(client, requests, request),
    },
  ]
}

async function slow(client: HttpClient, requests: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('ms')
  const ms = request.integerQuery('ms', 0, request.limits.slowMsMax) ?? SLOW_MS_DEFAULT
  using _seat = requests.take()
  const deadlineMs = ms + request.limits.callDeadlineMs
  const response = await accepted(await client.get(`/slow?ms=${ms}`, request.call({ deadlineMs })))
  return json(await response.body.json())
}

/** Long enough to see that others are faster. */
const SLOW_MS_DEFAULT = 1_000

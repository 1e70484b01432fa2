/** A query that is slow on purpose: beside it, other requests stay fast, for nothing is written behind it. */
import type { MysqlClient } from '@iokernel/mysql'
import { type Answer, json } from '../../http/answer.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'

export function slowRoutes(client: MysqlClient, queries: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/mysql/slow',
      summary: 'a query that takes ?ms=; others do not wait for it',
      example: `'%/mysql/slow?ms=2000'`,
      handle: (request) => slow(client, queries, request),
    },
  ]
}

async function slow(client: MysqlClient, queries: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('ms')
  const ms = request.integerQuery('ms', 0, request.limits.slowMsMax) ?? SLOW_MS_DEFAULT
  using _seat = queries.take()
  const deadlineMs = ms + request.limits.callDeadlineMs
  await client.query('select sleep(? / 1000)', [ms], request.call({ deadlineMs }))
  return json({ ms })
}

/** Long enough to see that others are faster. */
const SLOW_MS_DEFAULT = 1_000

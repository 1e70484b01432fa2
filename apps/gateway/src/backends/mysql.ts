/**
 * MySQL: items with a stock, orders that take from it, and all that was ordered as a stream.
 *
 * Rules: everything lies in the database `gateway`, which is made when the gateway connects; the server may be
 * somebody's. A call fails at once while the server is away: the client can repeat it, and requests do not pile up.
 * What holds a connection for long has a seat, and the seats leave connections to what is brief.
 *
 * Limit: MySQL has no setting by which it would end a transaction of a gateway that hangs; locks are waited for no
 * longer than a call has.
 */
import type { Kernel } from '@iokernel/core'
import { mysql } from '@iokernel/mysql'
import { startMariadb } from '@iokernel/servers'
import type { Route } from '../http/router.ts'
import { Seats } from '../http/seats.ts'
import type { GatewayLimits } from '../limits.ts'
import type { Backend, BackendConnection } from './backend.ts'
import { checkMysql } from './mysql/check.ts'
import { itemRoutes } from './mysql/items.ts'
import { orderRoutes } from './mysql/orders.ts'
import { mysqlPart } from './mysql/part.ts'
import { prepareSchema } from './mysql/schema.ts'
import { slowRoutes } from './mysql/slow.ts'
import { mysqlStatusOf } from './mysql/statuses.ts'

export const mysqlBackend: Backend = {
  name: 'mysql',
  protocol: mysql,
  startServer: () => startMariadb(),
  connect,
  check: checkMysql,
}

function connect(kernel: Kernel, url: string, limits: GatewayLimits): BackendConnection {
  const client = kernel.connect(
    mysql,
    {
      url,
      applicationName: 'iokernel-gateway',
      // Both ends of the clock: what the server writes is what JSON says.
      timezone: 'Z',
      variables: { time_zone: '+00:00', innodb_lock_wait_timeout: Math.ceil(limits.callDeadlineMs / 1_000) },
    },
    {
      whenDown: 'fail',
      // Of what has none of its own: the wait for a connection, START TRANSACTION, COMMIT.
      callDeadlineMs: limits.callDeadlineMs,
      connectionsMax: limits.mysqlConnectionsMax,
      reconnectMaxMs: limits.retryAfterSeconds * 1_000,
      readerTimeoutMs: limits.readerTimeoutMs,
    },
  )
  const routes: readonly Route[] = [
    ...itemRoutes(client),
    ...orderRoutes(client, new Seats('streams from MySQL', limits.mysqlStreamsMax)),
    ...slowRoutes(client, new Seats('slow queries', limits.slowCallsMax)),
  ]
  return {
    get state() {
      return client.state
    },
    routes: routes.map((route) => ({ ...route, statusOf: mysqlStatusOf })),
    part: (key, options) => mysqlPart(client, key, options),
    ready: async (options) => {
      await client.ready(options)
      await prepareSchema(client, options)
    },
  }
}

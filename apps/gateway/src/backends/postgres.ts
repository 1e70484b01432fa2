/**
 * Postgres: accounts with exact balances, transfers, entries, files of them, and their changes as events.
 *
 * Rules: everything lies in the schema `gateway`, which is made when the gateway connects; the server may be
 * somebody's. A call fails at once while Postgres is away: the client can repeat it, and requests do not pile up. What
 * holds a connection for long has a seat, and the seats leave connections to what is brief.
 */
import type { Kernel } from '@iokernel/core'
import { postgres } from '@iokernel/postgres'
import { startPostgres } from '@iokernel/servers'
import type { Route } from '../http/router.ts'
import { Seats } from '../http/seats.ts'
import type { GatewayLimits } from '../limits.ts'
import type { Backend, BackendConnection } from './backend.ts'
import { accountRoutes } from './postgres/accounts.ts'
import { bulkRoutes } from './postgres/bulk.ts'
import { changeRoutes } from './postgres/changes.ts'
import { checkPostgres } from './postgres/check.ts'
import { entryRoutes } from './postgres/entries.ts'
import { postgresPart } from './postgres/part.ts'
import { prepareSchema } from './postgres/schema.ts'
import { slowRoutes } from './postgres/slow.ts'
import { postgresStatusOf } from './postgres/statuses.ts'
import { transferRoutes } from './postgres/transfers.ts'

export const postgresBackend: Backend = {
  name: 'postgres',
  protocol: postgres,
  startServer: () => startPostgres(),
  connect,
  check: checkPostgres,
}

function connect(kernel: Kernel, url: string, limits: GatewayLimits): BackendConnection {
  const client = kernel.connect(
    postgres,
    { url, applicationName: 'iokernel-gateway', parameters: parameters(limits) },
    {
      whenDown: 'fail',
      // Of what has none of its own: the wait for a connection, BEGIN, COMMIT.
      callDeadlineMs: limits.callDeadlineMs,
      connectionsMax: limits.postgresConnectionsMax,
      reconnectMaxMs: limits.retryAfterSeconds * 1_000,
      readerTimeoutMs: limits.readerTimeoutMs,
    },
  )
  const streams = new Seats('streams from and to Postgres', limits.postgresStreamsMax)
  const routes: readonly Route[] = [
    ...accountRoutes(client),
    ...bulkRoutes(client, streams),
    ...changeRoutes(client, new Seats('event streams', limits.eventStreamsMax)),
    ...entryRoutes(client, streams),
    ...transferRoutes(client),
    ...slowRoutes(client, new Seats('slow queries', limits.slowCallsMax)),
  ]
  return {
    get state() {
      return client.state
    },
    routes: routes.map((route) => ({ ...route, statusOf: postgresStatusOf })),
    part: (key, options) => postgresPart(client, key, options),
    ready: async (options) => {
      await client.ready(options)
      await prepareSchema(client, options)
    },
  }
}

/** Bounds that hold on the server too, when this process hangs with locks in its hands. */
function parameters({ callDeadlineMs, idleTransactionTimeoutMs }: GatewayLimits): Readonly<Record<string, string>> {
  return {
    lock_timeout: `${callDeadlineMs}ms`,
    idle_in_transaction_session_timeout: `${idleTransactionTimeoutMs}ms`,
  }
}

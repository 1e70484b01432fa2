/**
 * `@iokernel/postgres`: PostgreSQL for the I/O kernel.
 *
 *   const kernel = await createKernel({ protocols: [postgres] })
 *   const db = kernel.connect(postgres, 'postgres://app@db.internal/shop')
 *   const orders = await db.query('select * from orders where user_id = $1', [1])
 */
export type { Gap, Subscription } from '@iokernel/core/toolkit'
export type { QueryOptions, RowOptions, RowStream, SimpleOptions, SqlFragment, StreamOptions } from '@iokernel/sql'

import type { Protocol } from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import type { PostgresApp } from './app.ts'
import { type PostgresClient, postgresClient } from './client.ts'
import type { PostgresIo } from './io.ts'
import { type PostgresTarget, resolve } from './resolve.ts'

export type { PostgresApp, TypeParser, TypeParsers } from './app.ts'
export type { CopyOptions, CopySource, CopyStream } from './client/copy.ts'
export type { CursorOptions } from './client/cursor.ts'
export type { Channels, ListenOptions, Notification } from './client/listen.ts'
export type { LockKey } from './client/locks.ts'
export type { Queries } from './client/queries.ts'
export type { PostgresSession } from './client/session.ts'
export type { Sql, SqlQuery } from './client/sql.ts'
export type { PostgresTransaction, TransactionOptions } from './client/transaction.ts'
export type { PostgresClient } from './client.ts'
export { PostgresError } from './codec/errors.ts'
export type { PostgresFacts } from './codec/facts.ts'
export type { Field, Rows } from './codec/rows.ts'
export type { Json } from './codec/values.ts'
export type { SslMode, TargetSessionAttrs } from './io.ts'
export type { PostgresCredentials, PostgresTarget } from './resolve.ts'

/** Hand it to `createKernel({ protocols: [postgres] })`, and to `kernel.connect(postgres, 'postgres://host/shop')`. */
export const postgres: Protocol<PostgresTarget, PostgresIo, PostgresApp, PostgresClient> = {
  kind: 'protocol',
  name: 'postgres',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  supports: { replies: 'in-order', lanes: 'elastic', push: 'asked', serve: false, tls: 'negotiated' },
  // Lanes and sessions together, as every pool's default is: a server's default bears 100 from everybody.
  limits: { connectionsMax: 10 },
  resolve,
  client: postgresClient,
}

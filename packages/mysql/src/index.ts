/**
 * `@iokernel/mysql`: MySQL and MariaDB for the I/O kernel.
 *
 *   const kernel = await createKernel({ protocols: [mysql] })
 *   const db = kernel.connect(mysql, 'mysql://app@db.internal/shop')
 *   const orders = await db.query('select * from orders where user_id = ?', [1])
 */
export type { QueryOptions, RowOptions, RowStream, SimpleOptions, SqlFragment, StreamOptions } from '@iokernel/sql'

import type { Protocol } from '@iokernel/core/plugin'
import { PLUGIN_API } from '@iokernel/core/plugin'
import type { MysqlApp } from './app.ts'
import { type MysqlClient, mysqlClient } from './client.ts'
import type { MysqlIo } from './io.ts'
import { type MysqlTarget, resolve } from './resolve.ts'

export type { MysqlApp, TypeParser, TypeParsers } from './app.ts'
export type { FileSource, LoadOptions } from './client/infile.ts'
export type { Queries } from './client/queries.ts'
export type { MysqlSession } from './client/session.ts'
export type { Sql, SqlQuery } from './client/sql.ts'
export type { MysqlTransaction, TransactionOptions } from './client/transaction.ts'
export type { MysqlClient } from './client.ts'
export { MysqlError } from './codec/errors.ts'
export type { MysqlFacts, MysqlRole } from './codec/facts.ts'
export type { Field } from './codec/fields.ts'
export type { Rows } from './codec/result.ts'
export type { TypeName } from './codec/types.ts'
export type { Json } from './codec/values.ts'
export type { Pipelining, SslMode, TargetRole } from './io.ts'
export type { MysqlCredentials, MysqlTarget } from './resolve.ts'

/** Hand it to `createKernel({ protocols: [mysql] })`, and to `kernel.connect(mysql, 'mysql://host/shop')`. */
export const mysql: Protocol<MysqlTarget, MysqlIo, MysqlApp, MysqlClient> = {
  kind: 'protocol',
  name: 'mysql',
  api: PLUGIN_API,
  io: new URL('./io.js', import.meta.url),
  supports: { replies: 'in-order', lanes: 'elastic', push: 'none', serve: false, tls: 'negotiated' },
  // Lanes and sessions together, as every pool's default is: a server's default bears 151 from everybody.
  limits: { connectionsMax: 10 },
  resolve,
  client: mysqlClient,
}

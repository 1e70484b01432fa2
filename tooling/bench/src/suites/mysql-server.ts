/**
 * The MariaDB of the suite, and its tables.
 *
 * Rules: it keeps what it acknowledges, as a production server does. What it is set to is asked of the server itself
 * and is in the report, for a server that IOKERNEL_MARIADB_URL names is used as it is; its URL has to name a database.
 */
import { type MariadbServer, startMariadb } from '@iokernel/servers'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { DROP_STATEMENTS, tableStatements } from '../subjects/mysql-data.ts'
import type { SuiteServer } from './suite.ts'

export async function startMysqlServer(): Promise<SuiteServer> {
  const isGiven = (process.env['IOKERNEL_MARIADB_URL'] ?? '') !== ''
  const server: MariadbServer = await startMariadb(isGiven ? {} : { databases: ['bench'], configLines: DURABLE })
  const { url, host, source, version } = server
  try {
    const settings = await settingsOf(url)
    return {
      url,
      description: `MariaDB ${version} (${source}) with ${settings.join(' ')}, ${host} over TCP`,
      prepare: (_, bytes) => runAll(url, tableStatements(bytes)),
      async stop() {
        if (isGiven) await runAll(url, DROP_STATEMENTS)
        await server.stop()
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

function settingsOf(url: string): Promise<readonly string[]> {
  return withMysql(url, async (connection) => {
    const names = REPORTED.map((name) => `'${name}'`).join(', ')
    const [rows] = await connection.query<RowDataPacket[]>(`show global variables where Variable_name in (${names})`)
    return rows.map((row) => `${row['Variable_name']}=${row['Value']}`)
  })
}

function runAll(url: string, statements: readonly string[]): Promise<void> {
  return withMysql(url, async (connection) => {
    for (const statement of statements) await connection.query(statement)
  })
}

async function withMysql<Result>(url: string, work: (connection: Connection) => Promise<Result>): Promise<Result> {
  const connection = await createConnection({ uri: url })
  try {
    return await work(connection)
  } finally {
    await connection.end()
  }
}

const DURABLE = [
  // What works in every folder, in memory or not; MariaDB's own O_DIRECT does not.
  'innodb_flush_method = fsync',
  'innodb_flush_log_at_trx_commit = 1',
  // MariaDB's own defaults, four times and more what servers of tests get.
  'innodb_buffer_pool_size = 128M',
  'innodb_log_file_size = 96M',
]
const REPORTED = [
  'innodb_flush_log_at_trx_commit',
  'innodb_flush_method',
  'innodb_buffer_pool_size',
  'max_connections',
  'log_bin',
]

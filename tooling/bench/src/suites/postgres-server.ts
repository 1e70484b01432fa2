/**
 * The PostgreSQL of the suites, and its tables.
 *
 * Rules: it keeps what it acknowledges, as a production server does; a commit that waits for nothing would flatter who
 * commits one by one. What it is set to is asked of the server itself and is in the report, for a server that
 * IOKERNEL_POSTGRES_URL names is used as it is.
 */
import { type PostgresServer, startPostgres } from '@iokernel/servers'
import { Client } from 'pg'
import { DROP_STATEMENTS, tableStatements } from '../subjects/postgres-data.ts'
import type { SuiteServer } from './suite.ts'

export async function startPostgresServer(): Promise<SuiteServer> {
  const isGiven = (process.env['IOKERNEL_POSTGRES_URL'] ?? '') !== ''
  const server: PostgresServer = await startPostgres(isGiven ? {} : { configLines: DURABLE })
  const { url, host, source } = server
  try {
    const { server_version: version, ...settings } = await settingsOf(url)
    const words = Object.entries(settings).map(([name, setting]) => `${name}=${setting}`)
    return {
      url,
      description: `PostgreSQL ${version} (${source}) with ${words.join(' ')}, ${host} over TCP`,
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

/** In the order of `REPORTED`. */
function settingsOf(url: string): Promise<Readonly<Record<string, string>>> {
  return withPostgres(url, async (client) => {
    const statement = 'select name, current_setting(name) as setting from unnest($1::text[]) as name'
    const { rows } = await client.query<{ name: string; setting: string }>(statement, [REPORTED])
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
  })
}

function runAll(url: string, statements: readonly string[]): Promise<void> {
  return withPostgres(url, async (client) => {
    for (const statement of statements) await client.query(statement)
  })
}

async function withPostgres<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const DURABLE = [
  'fsync = on',
  'full_page_writes = on',
  'synchronous_commit = on',
  // PostgreSQL's own default, four times what servers of tests get.
  'shared_buffers = 128MB',
  // No checkpoint by volume during a run: it would hit whoever's turn it is.
  'max_wal_size = 4GB',
]
const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes']
const REPORTED = ['server_version', ...DURABILITY, 'shared_buffers', 'max_connections']

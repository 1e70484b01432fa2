/** A Postgres for the tests of a file: each gateway has a database of its own in it, and tests may look into them. */
import { createKernel } from '@iokernel/core'
import { type PostgresClient, postgres } from '@iokernel/postgres'
import { type PostgresServer, startPostgres } from '@iokernel/servers'
import type { Backend } from '../backends/backend.ts'
import { postgresBackend } from '../backends/postgres.ts'
import { Teardown } from '../teardown.ts'

export interface TestPostgres {
  readonly server: PostgresServer
  /** The superuser in the database `postgres`. */
  readonly admin: PostgresClient
  /** A client of a database, until the end of the file. */
  connect(url: string): PostgresClient
  /** A backend with an empty database, whose URL it also returns. */
  emptyDatabase(): Promise<{ readonly backend: Backend; readonly url: string }>
  stop(): Promise<void>
}

export async function startTestPostgres(): Promise<TestPostgres> {
  const teardown = new Teardown()
  const server = await startPostgres({ configLines: ['max_connections = 200'] })
  teardown.add(() => server.stop())
  const kernel = await createKernel({ protocols: [postgres], thread: 'inline' })
  teardown.add(() => kernel.close())
  const connect = (url: string): PostgresClient => kernel.connect(postgres, url)
  const admin = connect(server.url)
  let databases = 0
  return {
    server,
    admin,
    connect,
    emptyDatabase: async () => {
      const name = `test_${++databases}`
      await admin.session((session) => session.simple(`create database ${name}`))
      const url = server.url.replace(/\/postgres$/, `/${name}`)
      return { backend: backendAt(server, url), url }
    },
    stop: () => teardown.run(),
  }
}

/** The backend over a server that somebody else stops. */
export function backendAt(server: PostgresServer, url: string): Backend {
  const { version, source } = server
  return { ...postgresBackend, startServer: async () => ({ url, version, source, stop: async () => {} }) }
}

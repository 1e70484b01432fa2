/**
 * MariaDB's own connector (`mariadb`): a pool of ten, which is its default size, with statements prepared on the server
 * (`execute`). It pipelines by itself on each of its connections, as is its default.
 */
import { createPool, type UpsertResult } from 'mariadb'
import { mysqlClient } from './mysql-operations.ts'
import type { Subject } from './subject.ts'

export const pool: Subject = async (url) => {
  const { hostname, port, username, password, pathname } = new URL(url)
  const connections = createPool({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    connectionLimit: 10,
    timezone: 'Z',
  })
  await connections.execute('select 1')
  return mysqlClient({
    query: (statement, values) => connections.execute<readonly object[]>(statement, values),
    write: async (statement, values) => (await connections.execute<UpsertResult>(statement, values)).affectedRows,
    close: () => connections.end(),
  })
}

/** mysql2: a pool of ten, which is its default size, with statements prepared on the server (`execute`). */
import { createPool, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'
import { mysqlClient } from './mysql-operations.ts'
import type { Subject } from './subject.ts'

export const pool: Subject = async (url) => {
  const connections = createPool({ uri: url, connectionLimit: 10, timezone: 'Z' })
  await connections.execute('select 1')
  return mysqlClient({
    query: async (statement, values) => (await connections.execute<RowDataPacket[]>(statement, values))[0],
    write: async (statement, values) => (await connections.execute<ResultSetHeader>(statement, values))[0].affectedRows,
    close: () => connections.end(),
  })
}

/** The kernel with its MySQL plugin: as it comes, with elastic lanes, and with a single one. */
import { createKernel } from '@iokernel/core'
import { mysql } from '@iokernel/mysql'
import { mysqlClient } from './mysql-operations.ts'
import type { Subject } from './subject.ts'

export const elastic: Subject = (url) => open(url, {})
export const oneLane: Subject = (url) => open(url, { lanesMax: 1 })

async function open(url: string, options: { readonly lanesMax?: number }): ReturnType<Subject> {
  const kernel = await createKernel({ protocols: [mysql] })
  const db = kernel.connect(mysql, { url, timezone: 'Z' }, options)
  await db.query('select 1')
  return mysqlClient({
    query: (statement, values) => db.query(statement, values),
    write: async (statement, values) => (await db.query(statement, values)).affectedRows,
    close: () => kernel.close(),
  })
}

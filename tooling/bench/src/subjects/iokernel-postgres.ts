/** The kernel with its Postgres plugin: as it comes, with elastic lanes, and with a single one. */
import { createKernel } from '@iokernel/core'
import { postgres } from '@iokernel/postgres'
import { postgresClient } from './postgres-operations.ts'
import type { Subject } from './subject.ts'

export const elastic: Subject = (url) => open(url, {})
export const oneLane: Subject = (url) => open(url, { lanesMax: 1 })

async function open(url: string, options: { readonly lanesMax?: number }): ReturnType<Subject> {
  const kernel = await createKernel({ protocols: [postgres] })
  const db = kernel.connect(postgres, url, options)
  await db.query('select 1')
  return postgresClient({
    query: (statement, values) => db.query(statement, values),
    close: () => kernel.close(),
  })
}

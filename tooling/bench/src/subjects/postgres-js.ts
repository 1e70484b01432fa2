/** postgres.js (`postgres`): it pipelines by itself on each of its connections; one of them, and ten, its default. */
import postgres from 'postgres'
import { postgresClient } from './postgres-operations.ts'
import type { Subject } from './subject.ts'

export const one: Subject = (url) => open(url, 1)
export const ten: Subject = (url) => open(url, 10)

async function open(url: string, max: number): ReturnType<Subject> {
  const sql = postgres(url, { max })
  await sql`select 1`
  return postgresClient({
    // What its template literals become; they are prepared by default, and this on demand.
    query: (statement, values) => sql.unsafe(statement, values, { prepare: true }),
    close: () => sql.end(),
  })
}

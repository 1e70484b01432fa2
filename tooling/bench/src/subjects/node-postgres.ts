/**
 * node-postgres (`pg`): a pool of ten, which is its default size, and one client with its `pipeline` option. Statements
 * have names, so each connection prepares them once.
 */
import { Client, Pool } from 'pg'
import { postgresClient } from './postgres-operations.ts'
import type { Subject } from './subject.ts'

export const pool: Subject = async (url) => {
  // While the others have their turns nobody asks it, and connecting again is not what is measured: the default of
  // ten seconds would close its connections then.
  const connections = new Pool({ connectionString: url, max: 10, idleTimeoutMillis: 0 })
  await connections.query('select 1')
  return postgresClient({
    query: async (text, values) => (await connections.query({ name: nameOf(text), text, values })).rows,
    close: () => connections.end(),
  })
}

export const pipeline: Subject = async (url) => {
  const client = new Client({ connectionString: url, pipeline: true })
  await client.connect()
  return postgresClient({
    query: async (text, values) => (await client.query({ name: nameOf(text), text, values })).rows,
    close: () => client.end(),
  })
}

const names = new Map<string, string>()

/** As users write them by hand: short. */
function nameOf(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `statement_${names.size}`
  names.set(text, name)
  return name
}

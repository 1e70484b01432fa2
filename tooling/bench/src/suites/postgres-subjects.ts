/** The Node clients of Postgres that the suites compare, by the names of their rows. */
import { openInCell } from '../harness/subject-handle.ts'
import type { SuiteSubject } from './suite.ts'

export const IOKERNEL: SuiteSubject = postgresClientSubject('iokernel', 'own')
export const IOKERNEL_ONE_LANE: SuiteSubject = postgresClientSubject('iokernel one lane', 'own')
export const PG_POOL: SuiteSubject = postgresClientSubject('pg Pool(10)', 'peer')
export const PG_PIPELINE: SuiteSubject = postgresClientSubject('pg pipeline', 'peer')
export const POSTGRES_JS_ONE: SuiteSubject = postgresClientSubject('postgres.js(1)', 'peer')
export const POSTGRES_JS_TEN: SuiteSubject = postgresClientSubject('postgres.js(10)', 'peer')

function postgresClientSubject(name: string, kind: 'own' | 'peer'): SuiteSubject {
  const client = `postgres/${name}`
  return {
    name,
    kind,
    client,
    joins: () => true,
    inFlightIn: (cell) => cell.inFlight,
    open: (server, cell) => openInCell(client, server.url, cell),
  }
}

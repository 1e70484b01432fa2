/** The Node clients of Postgres that the suites compare, by the names of their rows. */
import { nodeClient } from './node-client.ts'
import type { SuiteSubject } from './suite.ts'

export const IOKERNEL: SuiteSubject = nodeClient('postgres', 'iokernel', 'own')
export const IOKERNEL_ONE_LANE: SuiteSubject = nodeClient('postgres', 'iokernel one lane', 'own')
export const PG_POOL: SuiteSubject = nodeClient('postgres', 'pg Pool(10)', 'peer')
export const PG_PIPELINE: SuiteSubject = nodeClient('postgres', 'pg pipeline', 'peer')
export const POSTGRES_JS_ONE: SuiteSubject = nodeClient('postgres', 'postgres.js(1)', 'peer')
export const POSTGRES_JS_TEN: SuiteSubject = nodeClient('postgres', 'postgres.js(10)', 'peer')

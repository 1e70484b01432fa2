/**
 * Postgres: a select by primary key, a large result and an insert that commits by itself; ours beside the clients that
 * one would use instead, and pgbench as the limit of the select.
 *
 * `bytes` is the size of one row as text. Tables are made anew for each line of the comparison, so nobody inserts into
 * what the lines before have left.
 */
import { openPgbench, PIPELINE_DEPTH } from '../subjects/pgbench.ts'
import { startPostgresServer } from './postgres-server.ts'
import {
  IOKERNEL,
  IOKERNEL_ONE_LANE,
  PG_PIPELINE,
  PG_POOL,
  POSTGRES_JS_ONE,
  POSTGRES_JS_TEN,
} from './postgres-subjects.ts'
import { POSTGRES_TARGETS, ROW_BYTES } from './postgres-targets.ts'
import type { Suite, SuiteSubject } from './suite.ts'

const PGBENCH: SuiteSubject = {
  name: `pgbench pipeline ${PIPELINE_DEPTH}`,
  kind: 'limit',
  client: undefined,
  // With more in flight, too, it is what one compares with: a deeper pipeline gains it nothing.
  joins: ({ operation, inFlight }) => operation === 'select' && inFlight >= PIPELINE_DEPTH,
  inFlightIn: () => PIPELINE_DEPTH,
  open: (server, cell) => openPgbench(server.url, cell),
}

export const postgresSuite: Suite = {
  name: 'postgres',
  operations: [
    { name: 'select', bytes: [ROW_BYTES] },
    // Each answer is 1 MB and ten thousand objects: more of them at a time measure the garbage collector.
    { name: 'rows-10000', bytes: [ROW_BYTES], inFlight: [1, 2] },
    { name: 'insert', bytes: [ROW_BYTES] },
  ],
  inFlight: [50, 200],
  subjects: [IOKERNEL, IOKERNEL_ONE_LANE, PG_POOL, PG_PIPELINE, POSTGRES_JS_ONE, POSTGRES_JS_TEN, PGBENCH],
  // A tenth of what the slowest can do, so that lateness is the client's and not the queue's.
  openLoop: { operation: 'select', bytes: ROW_BYTES, ratePerSecond: 2_000 },
  targets: POSTGRES_TARGETS,
  startServer: startPostgresServer,
}

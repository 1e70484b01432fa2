/**
 * Mixed: many quick selects a second, a few slow ones and some writes beside them, all on one Postgres. How long do the
 * quick ones wait for their neighbours?
 *
 * Every call is a plain query, as a user would write it; nothing tells a client which are slow.
 */
import { MIXED_TARGETS } from './mixed-targets.ts'
import { startPostgresServer } from './postgres-server.ts'
import { IOKERNEL, IOKERNEL_ONE_LANE, PG_POOL, POSTGRES_JS_TEN } from './postgres-subjects.ts'
import { ROW_BYTES } from './postgres-targets.ts'
import type { Suite } from './suite.ts'

export const mixedSuite: Suite = {
  name: 'mixed',
  operations: [],
  inFlight: [],
  subjects: [IOKERNEL, IOKERNEL_ONE_LANE, PG_POOL, POSTGRES_JS_TEN],
  mixture: {
    bytes: ROW_BYTES,
    streams: [
      { name: 'fast', operation: 'select', ratePerSecond: 3_000 },
      // 200 ms each: one of them runs at any time.
      { name: 'slow', operation: 'slow', ratePerSecond: 5 },
      { name: 'write', operation: 'insert', ratePerSecond: 50 },
    ],
    // 25 slow calls, 250 writes.
    roundDurationMs: 5_000,
    quickRoundDurationMs: 1_000,
  },
  targets: MIXED_TARGETS,
  startServer: startPostgresServer,
}

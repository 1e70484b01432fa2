/**
 * MySQL: a select by primary key, a large result and an insert that commits by itself, on a MariaDB; ours beside the
 * clients that one would use instead. The rows are those of the Postgres suite.
 */
import { startMysqlServer } from './mysql-server.ts'
import { nodeClient } from './node-client.ts'
import { ROW_BYTES } from './postgres-targets.ts'
import type { Suite } from './suite.ts'
import { timesAsMany } from './throughput-targets.ts'

export const mysqlSuite: Suite = {
  name: 'mysql',
  operations: [
    { name: 'select', bytes: [ROW_BYTES] },
    // Each answer is 1 MB and ten thousand objects: more of them at a time measure the garbage collector.
    { name: 'rows-10000', bytes: [ROW_BYTES], inFlight: [1, 2] },
    { name: 'insert', bytes: [ROW_BYTES] },
  ],
  inFlight: [50, 200],
  subjects: [
    nodeClient('mysql', 'iokernel', 'own'),
    nodeClient('mysql', 'iokernel one lane', 'own'),
    nodeClient('mysql', 'mysql2 Pool(10)', 'peer'),
    nodeClient('mysql', 'mariadb', 'peer'),
  ],
  // A tenth of what the slowest can do, so that lateness is the client's and not the queue's.
  openLoop: { operation: 'select', bytes: ROW_BYTES, ratePerSecond: 2_000 },
  targets: [50, 200].flatMap((inFlight) => [
    timesAsMany('select', inFlight, 'mysql2 Pool(10)', 2),
    timesAsMany('select', inFlight, 'mariadb', 1),
  ]),
  startServer: startMysqlServer,
}

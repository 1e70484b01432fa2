/**
 * HTTP clients: small JSON from one nginx over connections that are kept; ours beside the clients that one would use
 * instead. Nginx counts who made how many connections, for a client that makes one for each call measures the system.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { startNginx } from '@iokernel/servers'
import { DOCUMENTS, documentPath, documentText } from '../subjects/json-documents.ts'
import { nodeClient } from './node-client.ts'
import type { Suite, SuiteServer } from './suite.ts'
import { timesAsMany } from './throughput-targets.ts'

export const httpClientSuite: Suite = {
  name: 'http-client',
  operations: [{ name: 'json', bytes: [200] }],
  inFlight: [64],
  subjects: [
    nodeClient('http-client', 'iokernel', 'own'),
    nodeClient('http-client', 'undici', 'peer'),
    nodeClient('http-client', 'node:http', 'peer'),
  ],
  // A tenth to a fifth of what the slowest can do, so that lateness is the client's and not the queue's.
  openLoop: { operation: 'json', bytes: 200, ratePerSecond: 1_000 },
  targets: [timesAsMany('json', 64, 'undici', 1.5)],
  startServer,
}

async function startServer(): Promise<SuiteServer> {
  const server = await startNginx({
    // Longer than any run: connections that the server closes now and then are not what is measured here.
    keepalive: { requests: 1_000_000_000, timeoutMs: 3_600_000 },
    serverLines: [`open_file_cache max=${DOCUMENTS} inactive=1h;`, 'location = / { return 200 "{}"; }'],
  })
  return {
    url: server.url,
    description: `nginx ${server.version} (${server.source}), one worker, ${server.host} over TCP`,
    connectionsMade: () => server.accepted(),
    async prepare(_, bytes) {
      for (let id = 1; id <= DOCUMENTS; id++) {
        const file = join(server.filesFolder, documentPath(id, bytes))
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, documentText(id, bytes))
      }
    },
    stop: () => server.stop(),
  }
}

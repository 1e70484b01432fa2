/**
 * msgpack-rpc: an echo of a small map, ours on one connection beside gRPC on one connection, and beside JSON over
 * HTTP/1.1, which needs a connection for each call that is in flight.
 */
import { startEchoServers } from '../echo/echo.ts'
import { nodeClient } from './node-client.ts'
import type { Suite, SuiteServer } from './suite.ts'
import { timesAsMany } from './throughput-targets.ts'

const MAP_BYTES = 100

export const msgpackRpcSuite: Suite = {
  name: 'msgpack-rpc',
  operations: [{ name: 'echo', bytes: [MAP_BYTES] }],
  inFlight: [64],
  subjects: [
    nodeClient('msgpack-rpc', 'iokernel', 'own'),
    nodeClient('msgpack-rpc', '@grpc/grpc-js', 'peer'),
    nodeClient('msgpack-rpc', 'JSON over HTTP, undici Pool(64)', 'peer'),
  ],
  // A tenth to a fifth of what the slowest can do, so that lateness is the client's and not the queue's.
  openLoop: { operation: 'echo', bytes: MAP_BYTES, ratePerSecond: 1_000 },
  targets: [timesAsMany('echo', 64, '@grpc/grpc-js', 3)],
  startServer,
}

async function startServer(): Promise<SuiteServer> {
  const { url, stop } = await startEchoServers()
  const description = 'echo servers that decode nothing, each in a Node process of its own, 127.0.0.1 over TCP'
  return { url, description, prepare: async () => {}, stop }
}

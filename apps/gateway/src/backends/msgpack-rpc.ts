/**
 * msgpack-rpc: jobs of a service of our own, which tells of them and calls back before it finishes.
 *
 * Rules: everything goes over one connection, in both directions and in any order; a call that waits delays nobody. A
 * call fails at once while the service is away: the client can repeat it, and requests do not pile up.
 */
import type { Kernel } from '@iokernel/core'
import { msgpackRpc } from '@iokernel/msgpack-rpc'
import type { Route } from '../http/router.ts'
import { Seats } from '../http/seats.ts'
import type { GatewayLimits } from '../limits.ts'
import { startJobService } from '../services/start.ts'
import type { Backend, BackendConnection, BackendServer } from './backend.ts'
import { checkMsgpackRpc } from './msgpack-rpc/check.ts'
import { eventRoutes } from './msgpack-rpc/events.ts'
import { jobRoutes } from './msgpack-rpc/jobs.ts'
import { msgpackRpcPart } from './msgpack-rpc/part.ts'
import { Questions, questionRoutes } from './msgpack-rpc/questions.ts'
import { msgpackRpcStatusOf } from './msgpack-rpc/statuses.ts'

export const msgpackRpcBackend: Backend = {
  name: 'msgpack-rpc',
  protocol: msgpackRpc,
  startServer,
  connect,
  check: checkMsgpackRpc,
}

async function startServer(): Promise<BackendServer> {
  const { host, port, version, stop } = await startJobService()
  return { url: `msgpack-rpc://${host}:${port}`, version, source: 'gateway', stop }
}

function connect(kernel: Kernel, url: string, limits: GatewayLimits): BackendConnection {
  // Nothing that the protocol itself has says whether the service is there.
  const probe = { method: 'find', params: [''] }
  const client = kernel.connect(
    msgpackRpc,
    { url, probe },
    {
      whenDown: 'fail',
      callDeadlineMs: limits.callDeadlineMs,
      reconnectMaxMs: limits.retryAfterSeconds * 1_000,
    },
  )
  const questions = new Questions(client, limits)
  const routes: readonly Route[] = [
    ...jobRoutes(client, new Seats('waits for jobs', limits.jobWaitersMax)),
    ...eventRoutes(client, new Seats('event streams', limits.eventStreamsMax)),
    ...questionRoutes(questions),
  ]
  return {
    get state() {
      return client.state
    },
    routes: routes.map((route) => ({ ...route, statusOf: msgpackRpcStatusOf })),
    part: (key, options) => msgpackRpcPart(client, key, options),
    ready: async (options) => {
      await client.ready(options)
      await questions.ready()
    },
  }
}

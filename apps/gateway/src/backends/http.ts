/**
 * HTTP: files of a service of our own, passed through as they come, and what happens to them as events.
 *
 * Rules: a file is never gathered here: it streams at the pace of the slower side, up and down. A call fails at once
 * while the service is away: the client can repeat it, and requests do not pile up. What holds a connection for long
 * has a seat, and the pool has room for all seats and for what is brief beside them.
 */
import type { Kernel } from '@iokernel/core'
import { http } from '@iokernel/http'
import type { Route } from '../http/router.ts'
import { Seats } from '../http/seats.ts'
import type { GatewayLimits } from '../limits.ts'
import { startFileService } from '../services/start.ts'
import type { Backend, BackendConnection, BackendServer } from './backend.ts'
import { changeRoutes } from './http/changes.ts'
import { checkHttp } from './http/check.ts'
import { fileRoutes } from './http/files.ts'
import { httpPart } from './http/part.ts'
import { slowRoutes } from './http/slow.ts'

export const httpBackend: Backend = {
  name: 'http',
  protocol: http,
  startServer,
  connect,
  check: checkHttp,
}

async function startServer(): Promise<BackendServer> {
  const { host, port, version, stop } = await startFileService()
  return { url: `http://${host}:${port}`, version, source: 'gateway', stop }
}

function connect(kernel: Kernel, url: string, limits: GatewayLimits): BackendConnection {
  const { fileStreamsMax, eventStreamsMax, slowCallsMax } = limits
  const lanesMax = fileStreamsMax + eventStreamsMax + slowCallsMax + BRIEF_LANES
  const client = kernel.connect(http, url, {
    whenDown: 'fail',
    callDeadlineMs: limits.callDeadlineMs,
    lanesMax,
    sessionsMax: fileStreamsMax,
    // All of both, and the kernel's own.
    connectionsMax: lanesMax + fileStreamsMax + 1,
    reconnectMaxMs: limits.retryAfterSeconds * 1_000,
    readerTimeoutMs: limits.readerTimeoutMs,
  })
  const routes: readonly Route[] = [
    ...fileRoutes(client, new Seats('files on their way', fileStreamsMax)),
    ...changeRoutes(client, new Seats('event streams', eventStreamsMax)),
    ...slowRoutes(client, new Seats('slow requests', slowCallsMax)),
  ]
  return {
    get state() {
      return client.state
    },
    routes,
    part: (key, options) => httpPart(client, key, options),
    ready: (options) => client.ready(options),
  }
}

/** At a time; each is a round trip on the loopback interface. */
const BRIEF_LANES = 16

/**
 * Jobs as server-sent events: the service notifies, over the connection that the calls go over.
 *
 * Rules: the service tells those who have said `watch`, connection by connection. So that is said again after a
 * reconnect, before the client is told of the gap: from then on nothing is missed.
 */
import type { CallOptions } from '@iokernel/core'
import type { Notifications, RpcClient } from '@iokernel/msgpack-rpc'
import type { Answer } from '../../http/answer.ts'
import { type EventSource, eventStream, type ServerEvent } from '../../http/event-stream.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'

export function eventRoutes(client: RpcClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/jobs/events',
      summary: 'jobs as they go on, as server-sent events, until you leave',
      example: '-N %/jobs/events',
      handle: (request) => listen(client, streams, request),
    },
  ]
}

async function listen(client: RpcClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const { eventsQueuedMax: eventsMax, heartbeatIntervalMs } = request.limits
  const ended = AbortSignal.any([request.signal, request.stopping])
  const seat = streams.take()
  const source = new JobEvents(client, seat, client.on('job', { eventsMax, signal: ended }), ended)
  try {
    await source.watch(request.call({ signal: ended }))
  } catch (error) {
    void source.close()
    throw error
  }
  return eventStream(source, heartbeatIntervalMs, ended)
}

class JobEvents implements EventSource {
  readonly #client: RpcClient
  readonly #seat: Disposable
  readonly #notifications: Notifications
  readonly #ended: AbortSignal

  constructor(client: RpcClient, seat: Disposable, notifications: Notifications, ended: AbortSignal) {
    this.#client = client
    this.#seat = seat
    this.#notifications = notifications
    this.#ended = ended
  }

  async watch(options: CallOptions): Promise<void> {
    await this.#notifications.ready()
    await this.#client.call('watch', [], options)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServerEvent> {
    for await (const event of this.#notifications) {
      if (event.type === 'notification') yield { event: 'job', data: event.params[0] }
      else if (event.type === 'unreadable') yield { event: 'gap', data: { reason: 'unreadable' } }
      else {
        // Fails when the connection is lost once more, and that is a gap of its own.
        if (event.reason === 'reconnected') await this.watch({ signal: this.#ended }).catch(() => undefined)
        yield { event: 'gap', data: { reason: event.reason } }
      }
    }
  }

  async close(): Promise<void> {
    this.#seat[Symbol.dispose]()
    await this.#notifications.close()
  }
}

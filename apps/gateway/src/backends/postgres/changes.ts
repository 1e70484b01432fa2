/**
 * Changes of accounts as server-sent events, whoever made them: a trigger tells them (NOTIFY) when they are committed.
 *
 * Rules: after a reconnect, and where the client does not read fast enough, the event is `gap`: read what you show
 * again. Nothing is kept for a client that is not connected.
 */
import { DeadlineError } from '@iokernel/core'
import type { Notification, PostgresClient, Subscription } from '@iokernel/postgres'
import type { Answer } from '../../http/answer.ts'
import { type EventSource, eventStream, type ServerEvent } from '../../http/event-stream.ts'
import { RequestError } from '../../http/failures.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { CHANGES_CHANNEL } from './schema.ts'

export function changeRoutes(client: PostgresClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/accounts/changes',
      summary: 'changes of accounts as server-sent events, until you leave',
      example: '-N %/accounts/changes',
      handle: (request) => listen(client, streams, request),
    },
  ]
}

async function listen(client: PostgresClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const { eventsQueuedMax: eventsMax, heartbeatIntervalMs, callDeadlineMs: deadlineMs } = request.limits
  const ended = AbortSignal.any([request.signal, request.stopping])
  const seat = streams.take()
  const subscription = client.listen(CHANGES_CHANNEL, { eventsMax, deadlineMs, signal: ended })
  const source = new ChangeEvents(seat, subscription)
  try {
    await subscription.ready()
  } catch (error) {
    void source.close()
    if (!(error instanceof DeadlineError) && !ended.aborted) throw error
    throw new RequestError(503, 'UPSTREAM_DOWN', 'changes cannot be listened to at the moment')
  }
  return eventStream(source, heartbeatIntervalMs, ended)
}

class ChangeEvents implements EventSource {
  readonly #seat: Disposable
  readonly #subscription: Subscription<Notification>

  constructor(seat: Disposable, subscription: Subscription<Notification>) {
    this.#seat = seat
    this.#subscription = subscription
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServerEvent> {
    for await (const event of this.#subscription) {
      if (event.type === 'gap') yield { event: 'gap', data: { reason: event.reason } }
      else yield { event: 'change', data: changeIn(event.payload) }
    }
  }

  async close(): Promise<void> {
    this.#seat[Symbol.dispose]()
    await this.#subscription.close()
  }
}

/** Anybody may notify the channel, with anything. */
function changeIn(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return { change: 'unknown', payload }
  }
}

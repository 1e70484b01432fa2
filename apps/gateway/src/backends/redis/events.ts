/** Channels: server-sent events from subscriptions. Redis keeps nothing: who is not subscribed hears nothing. */
import type { Message, RedisClient, Subscription } from '@iokernel/redis'
import { type Answer, json } from '../../http/answer.ts'
import { type EventSource, eventStream, type ServerEvent } from '../../http/event-stream.ts'
import { RequestError } from '../../http/failures.ts'
import { jsonText } from '../../http/json-text.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'

export function eventRoutes(client: RedisClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/events/:channel',
      summary: 'what is published, as server-sent events, until you leave',
      example: '-N %/events/news',
      handle: (request) => subscribe(client, streams, request),
    },
    {
      method: 'POST',
      path: '/events/:channel',
      summary: 'publishes the body',
      example: `--data 'hello' %/events/news`,
      handle: (request) => publish(client, request),
    },
  ]
}

async function publish(client: RedisClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const receivers = await client.publish(request.name('channel'), await request.body(), request.call())
  return json({ receivers })
}

async function subscribe(client: RedisClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const channel = request.name('channel')
  const { eventsQueuedMax, heartbeatIntervalMs, callDeadlineMs } = request.limits
  const ended = AbortSignal.any([request.signal, request.stopping])
  const source = new ChannelEvents(streams.take(), client.bytes.subscribe(channel, { eventsMax: eventsQueuedMax }))
  try {
    await source.ready(AbortSignal.any([ended, AbortSignal.timeout(callDeadlineMs)]))
  } catch (error) {
    void source.close()
    throw error
  }
  return eventStream(source, heartbeatIntervalMs, ended)
}

class ChannelEvents implements EventSource {
  readonly #seat: Disposable
  readonly #subscription: Subscription<Message<Uint8Array>>

  constructor(seat: Disposable, subscription: Subscription<Message<Uint8Array>>) {
    this.#seat = seat
    this.#subscription = subscription
  }

  /** Subscribing has no deadline of its own: while Redis is away it would wait for as long as that takes. */
  async ready(givenUp: AbortSignal): Promise<void> {
    const refusal = new Promise<never>((_, reject) => {
      const refuse = (): void =>
        reject(new RequestError(503, 'UPSTREAM_DOWN', 'the channel cannot be subscribed to at the moment'))
      givenUp.addEventListener('abort', refuse, { once: true })
      if (givenUp.aborted) refuse()
    })
    await Promise.race([this.#subscription.ready(), refusal])
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServerEvent> {
    for await (const event of this.#subscription) {
      if (event.type === 'gap') yield { event: 'gap', data: { reason: event.reason } }
      else yield { event: 'message', data: { message: jsonText(event.message) } }
    }
  }

  async close(): Promise<void> {
    this.#seat[Symbol.dispose]()
    await this.#subscription.close()
  }
}

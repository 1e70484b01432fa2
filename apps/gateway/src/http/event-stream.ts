/**
 * Server-sent events: a long body that forwards an async iterable.
 *
 * Rules:
 * 1. Data is one line of JSON, so bytes, line ends and everything else arrive as they were sent.
 * 2. A client that does not read is waited for; meanwhile the source's own bounded queue fills, and tells of its gaps.
 * 3. The source is closed however the stream ends: by its own end, by the client, by the gateway's stop.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Answer } from './answer.ts'

export interface ServerEvent {
  readonly event: string
  readonly data: unknown
}

export interface EventSource extends AsyncIterable<ServerEvent> {
  close(): Promise<void>
}

/** `ended` closes the source from this moment on, also when the body is never asked for. */
export function eventStream(source: EventSource, heartbeatIntervalMs: number, ended: AbortSignal): Answer {
  ended.addEventListener('abort', () => void source.close(), { once: true })
  if (ended.aborted) void source.close()
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' },
    body: (response) => forward(source, response, heartbeatIntervalMs, ended),
  }
}

async function forward(
  source: EventSource,
  response: ServerResponse,
  heartbeatIntervalMs: number,
  ended: AbortSignal,
): Promise<void> {
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatIntervalMs)
  try {
    // Tells the client that from here on nothing is missed.
    response.write(': subscribed\n\n')
    for await (const { event, data } of source) {
      const hasRoom = response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
      if (!hasRoom && !ended.aborted) await once(response, 'drain', { signal: ended }).catch(() => undefined)
      if (ended.aborted) break
    }
  } finally {
    clearInterval(heartbeat)
    await source.close()
  }
}

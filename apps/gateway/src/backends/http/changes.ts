/**
 * Changes of files as server-sent events: an answer of the service that never ends, read line by line.
 *
 * Rules: the answer is asked for again when it breaks off, as soon as the service is back; the event is `gap` then:
 * read what you show again. A client that does not read keeps the service waiting, which cuts the answer off at its own
 * limit; that is a gap too.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpBody, HttpClient } from '@iokernel/http'
import type { Answer } from '../../http/answer.ts'
import { type EventSource, eventStream, type ServerEvent } from '../../http/event-stream.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { accepted } from './refusals.ts'

export function changeRoutes(client: HttpClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/files/changes',
      summary: 'changes of files as server-sent events, until you leave',
      example: '-N %/files/changes',
      handle: (request) => listen(client, streams, request),
    },
  ]
}

async function listen(client: HttpClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const ended = AbortSignal.any([request.signal, request.stopping])
  const source = new FileChanges(client, streams.take(), ended)
  try {
    await source.open(request.limits.callDeadlineMs)
  } catch (error) {
    void source.close()
    throw error
  }
  return eventStream(source, request.limits.heartbeatIntervalMs, ended)
}

class FileChanges implements EventSource {
  readonly #client: HttpClient
  readonly #seat: Disposable
  readonly #ended: AbortSignal
  #lines: AsyncIterator<string, void> | undefined

  constructor(client: HttpClient, seat: Disposable, ended: AbortSignal) {
    this.#client = client
    this.#seat = seat
    this.#ended = ended
  }

  /** Resolves when the service says that from here on nothing is missed. */
  async open(deadlineMs: number): Promise<void> {
    const givenUp = new AbortController()
    const impatience = setTimeout(() => givenUp.abort(), deadlineMs)
    // Once it is open the answer may be silent for as long as nothing happens.
    const signal = AbortSignal.any([this.#ended, givenUp.signal])
    try {
      const { body } = await accepted(await this.#client.get('/changes', { deadlineMs: 0, signal }))
      this.#lines = linesOf(body)
      await this.#lines.next()
    } finally {
      clearTimeout(impatience)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServerEvent> {
    while (!this.#ended.aborted) {
      const line = await this.#next()
      if (line !== undefined) yield { event: 'change', data: JSON.parse(line) }
      else if (await this.#reopen()) yield { event: 'gap', data: { reason: 'reconnected' } }
    }
  }

  async close(): Promise<void> {
    this.#seat[Symbol.dispose]()
    // Its connection is given up by `#ended`; whoever closes without it has not begun to read.
  }

  /** Undefined when the answer has broken off. */
  async #next(): Promise<string | undefined> {
    try {
      const line = await this.#lines?.next()
      return line?.done === false ? line.value : undefined
    } catch {
      return undefined
    }
  }

  /** False when this time it has failed too. */
  async #reopen(): Promise<boolean> {
    try {
      await this.#client.ready({ deadlineMs: 0, signal: this.#ended })
      await this.open(OPENING_MS_MAX)
      return true
    } catch {
      // Whatever it is, it does not pass by being asked more often.
      await sleep(REOPEN_PAUSE_MS, undefined, { signal: this.#ended }).catch(() => undefined)
      return false
    }
  }
}

async function* linesOf(body: HttpBody): AsyncGenerator<string, void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of body) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let at = 0
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, at)) {
      yield bytes.toString('utf8', at, end)
      at = end + 1
    }
    rest = bytes.subarray(at)
    if (rest.length > LINE_BYTES_MAX) return
  }
}

const LINE_FEED = 10
/** A change names one file. */
const LINE_BYTES_MAX = 64 << 10
const OPENING_MS_MAX = 5_000
const REOPEN_PAUSE_MS = 1_000

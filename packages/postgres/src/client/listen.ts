/**
 * LISTEN as an async iterable, and what NOTIFY sends.
 *
 * Rules:
 * 1. Channels live on a connection of their own, which the kernel keeps, counts and restores: one listener's end
 *    silences nobody else, and a reconnect is a `gap` event, because what was notified meanwhile is lost.
 * 2. `listen` returns at once; `ready()` resolves when the server has registered the channels. Notifications before
 *    that are not promised.
 * 3. Breaking out of the loop, `close()` and `await using` end it; a server that refuses ends it with its error.
 *
 * Theory of operation: every channel is an interest of the kernel, by its name as it is (no folding of case: `listen`
 * quotes it, and `notify` does not read it as an identifier).
 */
import { setMaxListeners } from 'node:events'
import type { Interest, InterestHandler, Link, ReplyBytes, WaitOptions } from '@iokernel/core/plugin'
import { Feed, type Gap } from '@iokernel/core/toolkit'
import { postgresError } from '../codec/errors.ts'
import { checkCount, checkOptions, isPlainObject, type Kind, mustBeCount, WAIT_OPTIONS, wrong } from '../options.ts'

/** What somebody has sent to a channel. */
export interface Notification {
  readonly type: 'notification'
  readonly channel: string
  /** Empty where none was given. */
  readonly payload: string
  /** The server process of who sent it. */
  readonly processId: number
}

/** `deadlineMs` and `signal` are for the registration: the server may be away. */
export interface ListenOptions extends WaitOptions {
  /**
   * Notifications that wait for the loop; what comes beyond is dropped and leaves a gap. Default 10 000: a second of a
   * busy channel.
   */
  readonly eventsMax?: number
  /** Their bytes on the wire. Default 64 MB, which ten thousand of the longest (8000 bytes) just exceed. */
  readonly eventBytesMax?: number
}

const LISTEN_OPTIONS: Kind<ListenOptions> = {
  title: 'option of listen()',
  checks: { ...WAIT_OPTIONS.checks, eventsMax: mustBeCount, eventBytesMax: mustBeCount },
}

/** An async iterable of events that ends when it is closed. */
export interface Subscription<Event> extends AsyncIterableIterator<Event | Gap>, AsyncDisposable {
  /** Resolves when the server has registered everything; rejects with what it said instead. */
  ready(): Promise<void>
  close(): Promise<void>
}

const EVENTS_MAX = 10_000
const BYTES_MAX = 64 << 20
/** NAMEDATALEN less its NUL: the server cuts what is longer, and notifies under the shorter name. */
const CHANNEL_BYTES_MAX = 63

/** Channels, and perhaps options last. */
export type Channels = [...channels: string[], last: string | ListenOptions]

export function listen(link: Link, given: readonly unknown[]): Subscription<Notification> {
  const channels = [...given]
  const last = channels.at(-1)
  let options: ListenOptions = {}
  if (isPlainObject(last)) {
    checkOptions(last, LISTEN_OPTIONS)
    options = last
    channels.pop()
  } else if (last === undefined && channels.length > 1) channels.pop()
  if (channels.length === 0) throw wrong('listen to at least one channel')
  const names = [...new Set(channels.map(checkedChannel))]
  return new LiveSubscription(link, names, options)
}

export function checkedChannel(channel: unknown): string {
  if (typeof channel !== 'string' || channel === '' || channel.includes('\0')) {
    throw wrong('a channel is a string that is not empty and has no NUL; spread lists')
  }
  if (Buffer.byteLength(channel) > CHANNEL_BYTES_MAX) {
    throw wrong(`the name of a channel has at most ${CHANNEL_BYTES_MAX} bytes`)
  }
  return channel
}

class LiveSubscription implements Subscription<Notification> {
  readonly #feed: Feed<Notification>
  readonly #interests: Promise<Interest[]>
  /** Fires at `close`: what is not registered by then is not waited for. */
  readonly #givenUp = new AbortController()
  #closing: Promise<void> | undefined

  constructor(link: Link, channels: readonly string[], options: ListenOptions) {
    this.#feed = new Feed(options.eventsMax ?? EVENTS_MAX, options.eventBytesMax ?? BYTES_MAX)
    // Every channel waits with this signal, and there may be thousands.
    setMaxListeners(0, this.#givenUp.signal)
    const wait: WaitOptions = {
      signal: this.#givenUp.signal,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    }
    const unfollow = options.signal === undefined ? undefined : this.#follow(options.signal)
    const asked = channels.map((channel, index) => link.interest(channel, this.#handler(index), wait))
    this.#interests = this.#settle(asked)
    // Told to whoever iterates or waits for `ready`; nobody has to.
    this.#interests.catch(() => undefined).then(unfollow)
  }

  async ready(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    await this.#interests
  }

  next(): Promise<IteratorResult<Notification | Gap>> {
    return this.#feed.next()
  }

  async return(): Promise<IteratorResult<Notification | Gap>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async close(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    this.#closing ??= this.#close()
    await this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Gives up with `signal`, which may be a polyfill's. Returns what ends that. */
  #follow(signal: AbortSignal): () => void {
    const giveUp = () => this.#givenUp.abort(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp)
    return () => signal.removeEventListener('abort', giveUp)
  }

  /** All of them or none: what was registered is given back when one is refused. */
  async #settle(asked: readonly Promise<Interest>[]): Promise<Interest[]> {
    const results = await Promise.allSettled(asked)
    const interests = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined) return interests
    this.#feed.end(failed.reason as Error)
    await Promise.all(interests.map((interest) => interest.close()))
    throw failed.reason
  }

  async #close(): Promise<void> {
    this.#feed.end()
    this.#givenUp.abort()
    const interests = await this.#interests.catch(() => [])
    await Promise.all(interests.map((interest) => interest.close()))
  }

  #handler(index: number): InterestHandler {
    return {
      push: (frame) => {
        const notification = notificationIn(frame)
        if (notification !== undefined) this.#feed.push(notification, frame.end - frame.start)
      },
      refused: ({ bytes, start, end }) => postgresError(bytes, start, end),
      // The channels of one subscription share a connection, and its gaps: once is enough.
      gap: (reason) => {
        if (index === 0) this.#feed.gap(reason)
      },
      failed: (error) => this.#feed.end(error),
    }
  }
}

/** `A`, length, process id, channel, payload. */
function notificationIn({ bytes, start, end }: ReplyBytes): Notification | undefined {
  if (bytes[start] !== NOTIFICATION) return undefined
  const channelEnd = bytes.indexOf(0, start + CHANNEL_AT)
  const payloadEnd = channelEnd < 0 ? -1 : bytes.indexOf(0, channelEnd + 1)
  if (payloadEnd < 0 || payloadEnd >= end) return undefined
  return {
    type: 'notification',
    channel: bytes.toString('utf8', start + CHANNEL_AT, channelEnd),
    payload: bytes.toString('utf8', channelEnd + 1, payloadEnd),
    processId: bytes.readInt32BE(start + CHANNEL_AT - 4),
  }
}

const NOTIFICATION = 65
/** Type byte, length, process id. */
const CHANNEL_AT = 9

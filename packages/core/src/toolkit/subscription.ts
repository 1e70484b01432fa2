/**
 * The life of a subscription: pushes for one or more keys as one async iterable.
 *
 * Rules:
 * 1. `openSubscription` returns at once; `ready()` resolves when the peer has registered every key. Pushes before that
 *    are not promised.
 * 2. All keys or none: when one is refused, the others are given back and the iteration ends with that error.
 * 3. Leaving the loop, `close()` and `await using` end it, at any moment; what is not registered by then is given up.
 * 4. After a reconnect and after an overflow a `gap` stands among the events, once for all keys.
 * 5. Nobody has to look: an error that nobody waits for is no unhandled rejection.
 *
 * Theory of operation: every key is an interest of the kernel, which counts them over all clients, asks the peer once
 * and restores them on each new connection. What arrives is made an event on the spot, because the frame's memory is
 * overwritten, and waits in a `Feed`.
 */
import { setMaxListeners } from 'node:events'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Interest, InterestHandler, Link, ReplyBytes, WaitOptions } from '../plugin/protocol.ts'
import { Feed, type Gap } from './feed.ts'
import { WAIT_OPTIONS } from './option-kinds.ts'
import { checkCount, type Kind, mustBeCount } from './options.ts'

/** `deadlineMs` and `signal` are for the registration: the server may be away. */
export interface FeedOptions extends WaitOptions {
  /**
   * Events that wait for the loop; what comes beyond is dropped and leaves a gap. Default 10 000: a second of a busy
   * channel, some megabytes of short messages.
   */
  readonly eventsMax?: number
  /** Their bytes on the wire. Default 64 MB: ten thousand large messages must not be ten gigabytes. */
  readonly eventBytesMax?: number
}

export const FEED_OPTIONS: Kind<FeedOptions> = {
  title: 'option of a subscription',
  checks: { ...WAIT_OPTIONS.checks, eventsMax: mustBeCount, eventBytesMax: mustBeCount },
}

/** An async iterable of events that ends when it is closed. */
export interface Subscription<Event> extends AsyncIterableIterator<Event | Gap>, AsyncDisposable {
  /** Resolves when the server has registered everything; rejects with what it said instead. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** What a protocol says about its pushes. */
export interface PushReader<Event> {
  /** Makes an event of a push for `keys[index]`; `undefined` where there is nothing to tell. Copies what it keeps. */
  eventOf(frame: ReplyBytes, facts: Cloneable, index: number): Event | undefined
  /** Makes the error of what the peer answered instead of registering `key`. */
  refused?(frame: ReplyBytes, key: string): Error
}

/** Different `keys`, at least one. */
export function openSubscription<Event>(
  link: Link,
  keys: readonly string[],
  reader: PushReader<Event>,
  options: FeedOptions = {},
): Subscription<Event> {
  return new LiveSubscription(link, keys, reader, options)
}

const EVENTS_MAX = 10_000
const EVENT_BYTES_MAX = 64 << 20

class LiveSubscription<Event> implements Subscription<Event> {
  readonly #reader: PushReader<Event>
  readonly #feed: Feed<Event>
  readonly #interests: Promise<Interest[]>
  /** Fires at `close`: what is not registered by then is not waited for. */
  readonly #givenUp = new AbortController()
  #closing: Promise<void> | undefined

  constructor(link: Link, keys: readonly string[], reader: PushReader<Event>, options: FeedOptions) {
    this.#reader = reader
    this.#feed = new Feed(options.eventsMax ?? EVENTS_MAX, options.eventBytesMax ?? EVENT_BYTES_MAX)
    // Every key waits with this signal, and there may be thousands.
    setMaxListeners(0, this.#givenUp.signal)
    const wait: WaitOptions = {
      signal: this.#givenUp.signal,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    }
    const unfollow = options.signal === undefined ? undefined : this.#follow(options.signal)
    const asked = keys.map((key, index) => link.interest(key, this.#handler(key, index), wait))
    this.#interests = this.#settle(asked)
    // Told to whoever iterates or waits for `ready`; nobody has to.
    this.#interests.catch(() => undefined).then(unfollow)
  }

  async ready(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    await this.#interests
  }

  next(): Promise<IteratorResult<Event | Gap>> {
    return this.#feed.next()
  }

  async return(): Promise<IteratorResult<Event | Gap>> {
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

  #handler(key: string, index: number): InterestHandler {
    const refused = this.#reader.refused?.bind(this.#reader)
    return {
      push: (frame, facts) => {
        const event = this.#reader.eventOf(frame, facts, index)
        if (event !== undefined) this.#feed.push(event, frame.end - frame.start)
      },
      ...(refused === undefined ? {} : { refused: (frame: ReplyBytes) => refused(frame, key) }),
      // The keys of one subscription share their connections, and the gaps of those: once is enough.
      gap: (reason) => {
        if (index === 0) this.#feed.gap(reason)
      },
      failed: (error) => this.#feed.end(error),
    }
  }
}

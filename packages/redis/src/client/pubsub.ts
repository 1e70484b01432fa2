/**
 * Subscriptions and invalidations as async iterables.
 *
 * Rules:
 * 1. They live on a connection of their own, which the kernel keeps, counts and restores: one subscriber's end
 *    silences nobody else, and a reconnect is a `gap` event, because what was published meanwhile is lost.
 * 2. `subscribe` returns at once; `ready()` resolves when the server has registered everything. Messages before that
 *    are not promised.
 * 3. Breaking out of the loop, `close()` and `await using` end it; a server that refuses ends it with its error.
 *
 * Theory of operation: every name is an interest of the kernel (`s:` channel, `p:` pattern, `h:` shard channel, `t:`
 * tracked prefix; see push.ts). An invalidation reaches every tracking interest of the upstream and is filtered here.
 */
import { setMaxListeners } from 'node:events'
import type { Cloneable, Interest, InterestHandler, Link, ReplyBytes, WaitOptions } from '@iokernel/core/plugin'
import { Feed, type Gap } from '@iokernel/core/toolkit'
import { errorText, RedisError, redisError } from '../codec/errors.ts'
import { decodeReply } from '../codec/reply.ts'
import type { AnyReply } from '../codec/resp3.ts'
import {
  checkCount,
  isName,
  type Kind,
  must,
  mustBeCount,
  optionsAfter,
  takeOptions,
  WAIT_OPTIONS,
  wrong,
} from '../options.ts'
import { smallestCover } from '../push.ts'
import type { Key } from './types.ts'

/** A published message. */
export interface Message<Text> {
  readonly type: 'message'
  readonly channel: Text
  /** The pattern that matched, for `psubscribe`. */
  readonly pattern?: Text
  readonly message: Text
}

/** Keys that were written, and must no longer be believed. */
export interface Invalidation<Text> {
  readonly type: 'invalidate'
  /** `null`: everything (FLUSHALL, FLUSHDB). */
  readonly keys: Text[] | null
}

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

export interface InvalidationOptions extends FeedOptions {
  /** Beginnings of the keys to hear about. Default: every key. */
  readonly prefixes?: readonly Key[]
}

const FEED_OPTIONS: Kind<FeedOptions> = {
  title: 'option of a subscription',
  checks: { ...WAIT_OPTIONS.checks, eventsMax: mustBeCount, eventBytesMax: mustBeCount },
}

const INVALIDATION_OPTIONS: Kind<InvalidationOptions> = {
  title: 'option of invalidations',
  checks: {
    ...FEED_OPTIONS.checks,
    prefixes: must(
      (value) => Array.isArray(value) && value.length > 0 && [...value].every(isName),
      'a list of at least one string or Uint8Array: leave it out for every key',
    ),
  },
}

/** An async iterable of events that ends when it is closed. */
export interface Subscription<Event> extends AsyncIterableIterator<Event | Gap>, AsyncDisposable {
  /** Resolves when the server has registered everything; rejects with what it said instead. */
  ready(): Promise<void>
  close(): Promise<void>
}

const EVENTS_MAX = 10_000
const BYTES_MAX = 64 << 20

export type SubscriptionKind = 'channel' | 'pattern' | 'shard'

const LETTERS = { channel: 's', pattern: 'p', shard: 'h' } as const

export function subscribe<Text extends string | Uint8Array>(
  link: Link,
  kind: SubscriptionKind,
  given: readonly unknown[],
  asBytes: boolean,
): Subscription<Message<Text>> {
  const rest = [...given]
  const options = takeOptions(rest, 1, FEED_OPTIONS) ?? {}
  const names = namesOf(rest)
  const feed = new Feed<Message<Text>>(options.eventsMax ?? EVENTS_MAX, options.eventBytesMax ?? BYTES_MAX)
  const keys = [...new Set(names.map((name) => `${LETTERS[kind]}:${latin1(name)}`))]
  return new LiveSubscription(link, keys, feed, options, () => (reply, facts) => {
    const message = messageOf<Text>(decodeReply(reply, facts, asBytes), kind)
    if (message !== undefined) feed.push(message, reply.end - reply.start)
  })
}

export function invalidations<Text extends string | Uint8Array>(
  link: Link,
  given: readonly unknown[],
  asBytes: boolean,
): Subscription<Invalidation<Text>> {
  const options = optionsAfter(0, given, INVALIDATION_OPTIONS) ?? {}
  const feed = new Feed<Invalidation<Text>>(options.eventsMax ?? EVENTS_MAX, options.eventBytesMax ?? BYTES_MAX)
  const prefixes = smallestCover((options.prefixes ?? ['']).map(latin1))
  const keys = prefixes.map((prefix) => `t:${prefix}`)
  return new LiveSubscription(link, keys, feed, options, (index) => (reply, facts) => {
    const written = keysOf(decodeReply(reply, facts, true))
    if (written === null) {
      // Every interest hears it; one of them is enough.
      if (index === 0) feed.push({ type: 'invalidate', keys: null })
      return
    }
    const concerned = written.filter((key) => latin1(key).startsWith(prefixes[index] as string))
    if (concerned.length === 0) return
    const found = asBytes ? concerned : concerned.map((key) => Buffer.from(key).toString())
    feed.push({ type: 'invalidate', keys: found as Text[] }, reply.end - reply.start)
  })
}

type PushHandler = (reply: ReplyBytes, facts: Cloneable) => void

class LiveSubscription<Event> implements Subscription<Event> {
  readonly #feed: Feed<Event>
  readonly #interests: Promise<Interest[]>
  /** Fires at `close`: what is not registered by then is not waited for. */
  readonly #givenUp = new AbortController()
  #closing: Promise<void> | undefined

  constructor(
    link: Link,
    keys: readonly string[],
    feed: Feed<Event>,
    options: FeedOptions,
    handlerFor: (index: number) => PushHandler,
  ) {
    this.#feed = feed
    // Every name waits with this signal, and there may be thousands.
    setMaxListeners(0, this.#givenUp.signal)
    const wait: WaitOptions = {
      signal: this.#givenUp.signal,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    }
    const unfollow = options.signal === undefined ? undefined : this.#follow(options.signal)
    const asked = keys.map((key, index) => link.interest(key, this.#handler(index, key, handlerFor(index)), wait))
    this.#interests = this.#settle(asked, keys)
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
  async #settle(asked: readonly Promise<Interest>[], keys: readonly string[]): Promise<Interest[]> {
    const results = await Promise.allSettled(asked)
    const interests = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = results.findIndex((result) => result.status === 'rejected')
    if (failed === -1) return interests
    const error = explain((results[failed] as PromiseRejectedResult).reason, keys[failed] as string)
    this.#feed.end(error)
    await Promise.all(interests.map((interest) => interest.close()))
    throw error
  }

  async #close(): Promise<void> {
    this.#feed.end()
    this.#givenUp.abort()
    const interests = await this.#interests.catch(() => [])
    await Promise.all(interests.map((interest) => interest.close()))
  }

  #handler(index: number, key: string, push: PushHandler): InterestHandler {
    return {
      push,
      refused: ({ bytes, start, end }) => explain(redisError(errorText(bytes, start, end)), key),
      // The interests of one subscription share a connection, and its gaps: once is enough.
      gap: (reason) => {
        if (index === 0) this.#feed.gap(reason)
      },
      failed: (error) => this.#feed.end(explain(error, key)),
    }
  }
}

/** `[kind, channel, message]`, or `[pmessage, pattern, channel, message]`. */
function messageOf<Text extends string | Uint8Array>(
  push: AnyReply,
  kind: SubscriptionKind,
): Message<Text> | undefined {
  if (!Array.isArray(push)) return undefined
  if (kind === 'pattern') {
    const [, pattern, channel, message] = push
    return { type: 'message', pattern: pattern as Text, channel: channel as Text, message: message as Text }
  }
  const [, channel, message] = push
  return { type: 'message', channel: channel as Text, message: message as Text }
}

/** `[invalidate, keys or null]`. */
function keysOf(push: AnyReply): Uint8Array[] | null {
  const keys = Array.isArray(push) ? push[1] : undefined
  return Array.isArray(keys) ? (keys.filter((key) => key instanceof Uint8Array) as Uint8Array[]) : null
}

function namesOf(given: readonly unknown[]): readonly Key[] {
  if (given.length === 0) throw wrong('subscribe to at least one channel')
  if (!given.every(isName)) throw wrong('a channel is a string or a Uint8Array; spread lists')
  return given
}

/** The bytes of a name as a string of one character each. */
function latin1(name: Key): string {
  return (
    typeof name === 'string' ? Buffer.from(name) : Buffer.from(name.buffer, name.byteOffset, name.length)
  ).toString('latin1')
}

/** For tracking, a refusal says what it needs. */
function explain(error: unknown, key: string): Error {
  if (!(error instanceof RedisError) || !key.startsWith('t:')) {
    return error instanceof Error ? error : new Error(String(error))
  }
  return new RedisError(error.code, 'the server refused CLIENT TRACKING: invalidations need RESP3 and Redis 6', {
    cause: error,
  })
}

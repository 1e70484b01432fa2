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
import type { Cloneable, Link, ReplyBytes } from '@iokernel/core/plugin'
import {
  FEED_OPTIONS,
  type FeedOptions,
  isTextOrBytes,
  type Kind,
  must,
  openSubscription,
  optionsAfter,
  type Subscription,
  takeOptions,
  wrong,
} from '@iokernel/core/toolkit'
import { errorText, RedisError, redisError } from '../codec/errors.ts'
import { decodeReply } from '../codec/reply.ts'
import type { AnyReply } from '../codec/resp3.ts'
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

export interface InvalidationOptions extends FeedOptions {
  /** Beginnings of the keys to hear about. Default: every key. */
  readonly prefixes?: readonly Key[]
}

const INVALIDATION_OPTIONS: Kind<InvalidationOptions> = {
  title: 'option of invalidations',
  checks: {
    ...FEED_OPTIONS.checks,
    prefixes: must(
      (value) => Array.isArray(value) && value.length > 0 && [...value].every(isTextOrBytes),
      'a list of at least one string or Uint8Array: leave it out for every key',
    ),
  },
}

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
  const keys = [...new Set(names.map((name) => `${LETTERS[kind]}:${latin1(name)}`))]
  const eventOf = (reply: ReplyBytes, facts: Cloneable) => messageOf<Text>(decodeReply(reply, facts, asBytes), kind)
  return openSubscription(link, keys, { eventOf, refused }, options)
}

export function invalidations<Text extends string | Uint8Array>(
  link: Link,
  given: readonly unknown[],
  asBytes: boolean,
): Subscription<Invalidation<Text>> {
  const options = optionsAfter(0, given, INVALIDATION_OPTIONS) ?? {}
  const prefixes = smallestCover((options.prefixes ?? ['']).map(latin1))
  const keys = prefixes.map((prefix) => `t:${prefix}`)
  const eventOf = (reply: ReplyBytes, facts: Cloneable, index: number): Invalidation<Text> | undefined => {
    const written = keysOf(decodeReply(reply, facts, true))
    // Every interest hears of everything; one of them is enough.
    if (written === null) return index === 0 ? { type: 'invalidate', keys: null } : undefined
    const concerned = written.filter((key) => latin1(key).startsWith(prefixes[index] as string))
    if (concerned.length === 0) return undefined
    const found = asBytes ? concerned : concerned.map((key) => Buffer.from(key).toString())
    return { type: 'invalidate', keys: found as Text[] }
  }
  return openSubscription(link, keys, { eventOf, refused: trackingRefused }, options)
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
  if (!given.every(isTextOrBytes)) throw wrong('a channel is a string or a Uint8Array; spread lists')
  return given
}

/** The bytes of a name as a string of one character each. */
function latin1(name: Key): string {
  return (
    typeof name === 'string' ? Buffer.from(name) : Buffer.from(name.buffer, name.byteOffset, name.length)
  ).toString('latin1')
}

/** What the server answered instead. */
function refused({ bytes, start, end }: ReplyBytes): RedisError {
  return redisError(errorText(bytes, start, end))
}

/** The refusal, with what tracking needs. */
function trackingRefused(frame: ReplyBytes): RedisError {
  const cause = refused(frame)
  return new RedisError(cause.code, 'the server refused CLIENT TRACKING: invalidations need RESP3 and Redis 6', {
    cause,
  })
}

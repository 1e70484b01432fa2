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
import type { Link, ReplyBytes } from '@iokernel/core/plugin'
import {
  FEED_OPTIONS,
  type FeedOptions,
  type Kind,
  openSubscription,
  type Subscription,
  takeOptions,
  wrong,
} from '@iokernel/core/toolkit'
import { postgresError } from '../codec/errors.ts'

/** What somebody has sent to a channel. */
export interface Notification {
  readonly type: 'notification'
  readonly channel: string
  /** Empty where none was given. */
  readonly payload: string
  /** The server process of who sent it. */
  readonly processId: number
}

/** What waits for the loop, and how long to wait for the server. The 64 MB are 8000 of the longest (8000 bytes). */
export type ListenOptions = FeedOptions

const LISTEN_OPTIONS: Kind<ListenOptions> = { ...FEED_OPTIONS, title: 'option of listen()' }

/** NAMEDATALEN less its NUL: the server cuts what is longer, and notifies under the shorter name. */
const CHANNEL_BYTES_MAX = 63

/** Channels, and perhaps options last. */
export type Channels = [...channels: string[], last: string | ListenOptions]

export function listen(link: Link, given: readonly unknown[]): Subscription<Notification> {
  const channels = [...given]
  const options = takeOptions(channels, 1, LISTEN_OPTIONS)
  if (channels.length === 0) throw wrong('listen to at least one channel')
  const names = [...new Set(channels.map(checkedChannel))]
  return openSubscription(link, names, { eventOf: notificationIn, refused }, options)
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

/** What the server answered instead. */
function refused({ bytes, start, end }: ReplyBytes): Error {
  return postgresError(bytes, start, end)
}

const NOTIFICATION = 65
/** Type byte, length, process id. */
const CHANNEL_AT = 9

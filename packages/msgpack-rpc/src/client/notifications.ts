/**
 * `on(method)`: the peer's notifications as an async iterable.
 *
 * Rules: nothing is asked of the peer. It sends what it likes, or what a call has made it send (`nvim_subscribe`); that
 * call is the application's, and after a reconnect, which is a `gap`, it is the application's again. Params that
 * cannot be decoded are an event that says so: what came is never dropped in silence.
 */
import type { Link, ReplyBytes } from '@iokernel/core/plugin'
import {
  FEED_OPTIONS,
  type FeedOptions,
  openSubscription,
  optionsAfter,
  type Subscription,
} from '@iokernel/core/toolkit'
import { decodeNotification } from '../codec/reply.ts'
import type { ValueCodec } from '../codec/values.ts'
import { keyOf } from '../push.ts'
import { checkedMethod } from './methods.ts'

export interface Notification {
  readonly type: 'notification'
  readonly method: string
  readonly params: readonly unknown[]
}

/** A notification whose params could not be decoded. */
export interface Unreadable {
  readonly type: 'unreadable'
  readonly method: string
  readonly error: Error
}

export type Notifications = Subscription<Notification | Unreadable>

export function notifications(link: Link, codec: ValueCodec, given: readonly unknown[]): Notifications {
  const options: FeedOptions = optionsAfter(1, given, FEED_OPTIONS) ?? {}
  const method = checkedMethod(given[0])
  const eventOf = (frame: ReplyBytes): Notification | Unreadable => {
    try {
      return { type: 'notification', method, params: decodeNotification(frame, codec) }
    } catch (error) {
      return { type: 'unreadable', method, error: error as Error }
    }
  }
  return openSubscription(link, [keyOf('notification', method)], { eventOf }, options)
}

/**
 * Interests of one upstream: who wants which pushes, on a connection of their own.
 *
 * Rules:
 * 1. Interests are counted over all application threads: the peer is asked once for a key, and asked to end it when the
 *    last is gone.
 * 2. After a reconnect every key is asked for again, while the application may hang; those who had it already are told
 *    of a gap.
 * 3. The connection lives as long as there is an interest. Calls never share it: a subscribed connection falls under
 *    other limits on the peer's side, and would lose large replies.
 *
 * Confirmations: a push that `route` calls `confirmed` confirms its key; a frame that is no push answers the oldest key
 * asked for and not answered, whether anybody still wants it or not.
 */

import { FrameFlag } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { describeError, type IoKernelError, LocalError, RemoteError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Attachment } from './attachment.ts'
import { Backoff } from './backoff.ts'
import type { OpenedConnection } from './connection-factory.ts'
import type { ConnectionOwner } from './connection-owner.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { Interests } from './lane-interests.ts'
import type { LiveConnection } from './live-connection.ts'

export interface InterestHost {
  readonly environment: IoEnvironment
  readonly limits: UpstreamLimits
  readonly authority: string
  endpoint(): Endpoint | undefined
  open(endpoint: Endpoint, owner: ConnectionOwner): OpenedConnection
  onOpenFailed(connection: LiveConnection, error: IoKernelError): void
}

interface Subscriber {
  readonly attachment: Attachment
  readonly interest: number
  /** It was told that the peer has registered the key: a later confirmation means that it may have missed something. */
  ready: boolean
}

/** One `subscribe` that went out. */
interface Asked {
  readonly key: string
  answered: boolean
}

/** What the peer still has to answer for one key; its answers for a key come in order. */
interface Owed {
  readonly subscribes: Asked[]
  endings: number
}

interface Key {
  readonly subscribers: Set<Subscriber>
  /** Registered with the peer on the connection of the moment. */
  confirmed: boolean
}

export class InterestHub implements ConnectionOwner, Interests {
  readonly #host: InterestHost
  readonly #keys = new Map<string, Key>()
  /** Subscribes on this connection, in order; those before `#answered` are answered. */
  #asked: Asked[] = []
  #answered = 0
  readonly #owed = new Map<string, Owed>()
  /** Which key an interest of a thread is about. */
  readonly #keyOf = new Map<Attachment, Map<number, string>>()
  /** For a connection that is closed soon after it was let in. */
  readonly #backoff: Backoff
  #timer: Timer | undefined
  #connection: LiveConnection | undefined
  #ready = false
  #closed = false

  constructor(host: InterestHost) {
    this.#host = host
    this.#backoff = new Backoff(host.limits.reconnectMinMs, host.limits.reconnectMaxMs)
  }

  add(attachment: Attachment, interest: number, key: string, resumed: boolean): void {
    const ofThread = this.#keyOf.get(attachment) ?? new Map<number, string>()
    this.#keyOf.set(attachment, ofThread.set(interest, key))
    const known = this.#keys.get(key)
    const subscriber = { attachment, interest, ready: resumed }
    if (known !== undefined) {
      known.subscribers.add(subscriber)
      if (known.confirmed) this.#tellConfirmed(subscriber)
      return
    }
    const { interestsMax } = this.#host.limits
    if (this.#keys.size >= interestsMax) {
      const error = new LocalError('INTEREST_LIMIT', `${interestsMax} interests are open (interestsMax)`, {
        upstream: this.#host.authority,
      })
      return attachment.event({ type: 'interest-failed', interest, error: describeError(error) })
    }
    this.#keys.set(key, { subscribers: new Set([subscriber]), confirmed: false })
    if (this.#ready) this.#ask(key)
    else this.pump()
  }

  drop(attachment: Attachment, interest: number): void {
    const key = this.#keyOf.get(attachment)?.get(interest)
    const entry = key === undefined ? undefined : this.#keys.get(key)
    if (key === undefined || entry === undefined) return
    this.#keyOf.get(attachment)?.delete(interest)
    for (const subscriber of entry.subscribers) {
      if (subscriber.attachment === attachment && subscriber.interest === interest) entry.subscribers.delete(subscriber)
    }
    if (entry.subscribers.size > 0) return
    this.#keys.delete(key)
    if (this.#keys.size === 0) return this.#connection?.destroy(NOT_NEEDED)
    if (!this.#ready) return
    this.#owedFor(key).endings++
    this.#connection?.write((protocol, out) => protocol.unsubscribe?.(key, out))
  }

  /** Who has waited in vain is told why. Those who were registered once go on waiting for the peer to come back. */
  failWaiting(error: IoKernelError): void {
    const described = describeError(error, { sent: 'no' })
    for (const [key, { subscribers }] of this.#keys) {
      for (const subscriber of subscribers) {
        if (subscriber.ready) continue
        subscribers.delete(subscriber)
        const { attachment, interest } = subscriber
        attachment.event({ type: 'interest-failed', interest, error: described })
      }
      if (subscribers.size === 0) this.#keys.delete(key)
    }
  }

  /** Opens the connection if somebody needs it and there is somewhere to go. */
  pump(): void {
    if (this.#closed || this.#keys.size === 0 || this.#connection !== undefined || this.#timer !== undefined) return
    const endpoint = this.#host.endpoint()
    if (endpoint === undefined) return
    this.#connection = this.#host.open(endpoint, this).connection
  }

  laneLost(): void {}

  /** What comes over lanes is nobody's: here interests have a connection of their own. */
  unasked(): boolean {
    return false
  }

  /** The address is gone: subscribe elsewhere. */
  retireExcept(isCurrent: (endpointId: string) => boolean, reason: IoKernelError): void {
    if (this.#connection !== undefined && !isCurrent(this.#connection.endpoint.id)) this.#connection.destroy(reason)
  }

  close(error: IoKernelError): void {
    this.#closed = true
    const described = describeError(error)
    for (const { subscribers } of this.#keys.values()) {
      for (const { attachment, interest } of subscribers)
        attachment.event({ type: 'interest-failed', interest, error: described })
    }
    this.#keys.clear()
    this.#timer?.cancel()
    this.#connection?.destroy(error)
  }

  // ---- ConnectionOwner ------------------------------------------------------------------------------------

  onReady(): void {
    this.#ready = true
    for (const key of this.#keys.keys()) this.#ask(key)
  }

  onProgress(): void {}

  onNotExecuted(): boolean {
    return false
  }

  onPush(connection: LiveConnection, bytes: Buffer, start: number, end: number): void {
    const route = connection.route(bytes, start, end)
    if (route?.key === undefined) return
    switch (route.kind) {
      case 'message':
        return this.#deliver(this.#keys.get(route.key), connection, bytes, start, end)
      case 'all':
        for (const [key, entry] of this.#keys) {
          if (key.startsWith(route.key)) this.#deliver(entry, connection, bytes, start, end)
        }
        return
      case 'confirmed':
        return this.#confirm(route.key)
      case 'ended':
        return this.#ended(route.key)
    }
  }

  onStray(_connection: LiveConnection, bytes: Buffer, start: number, end: number, flags: number): void {
    while (this.#asked[this.#answered]?.answered === true) this.#answered++
    const oldest = this.#asked[this.#answered]
    if (oldest === undefined) return
    const { key } = oldest
    if ((flags & FrameFlag.Error) === 0) return this.#confirm(key)
    this.#takeAnswer(key)
    const entry = this.#keys.get(key)
    this.#keys.delete(key)
    const text = printable(bytes, start, end)
    const error = new RemoteError('INTEREST_REFUSED', `the peer refused: ${text}`, { upstream: this.#host.authority })
    const failed = { type: 'interest-failed', error: describeError(error) } as const
    const frame = Uint8Array.prototype.slice.call(bytes, start, Math.min(end, start + FRAME_BYTES_MAX))
    for (const { attachment, interest } of entry?.subscribers ?? []) attachment.event({ ...failed, interest, frame })
    if (this.#keys.size === 0) this.#connection?.destroy(NOT_NEEDED)
  }

  onClosed(connection: LiveConnection, error: IoKernelError): void {
    if (connection !== this.#connection) return
    const wasReady = this.#ready
    this.#connection = undefined
    this.#ready = false
    this.#asked = []
    this.#answered = 0
    this.#owed.clear()
    for (const entry of this.#keys.values()) entry.confirmed = false
    if (this.#closed || this.#keys.size === 0) return
    if (!wasReady) return this.#host.onOpenFailed(connection, error)
    const { environment, limits } = this.#host
    if (environment.nowMs() - connection.readyAtMs >= limits.reconnectMaxMs) {
      this.#backoff.reset()
      return this.pump()
    }
    this.#timer = environment.after(this.#backoff.nextMs(environment.randomUnit()), () => {
      this.#timer = undefined
      this.pump()
    })
  }

  #ask(key: string): void {
    const asked = { key, answered: false }
    this.#asked.push(asked)
    this.#owedFor(key).subscribes.push(asked)
    this.#connection?.write((protocol, out) => protocol.subscribe?.(key, out))
  }

  #confirm(key: string): void {
    const isLast = this.#takeAnswer(key)
    const entry = this.#keys.get(key)
    // Given up and perhaps wanted again since: what counts is still on its way.
    if (entry === undefined || entry.confirmed || !isLast) return
    entry.confirmed = true
    for (const subscriber of entry.subscribers) this.#tellConfirmed(subscriber)
  }

  #owedFor(key: string): Owed {
    let owed = this.#owed.get(key)
    if (owed === undefined) {
      owed = { subscribes: [], endings: 0 }
      this.#owed.set(key, owed)
    }
    return owed
  }

  /** The oldest subscribe for this key is answered. True when no other is on its way. */
  #takeAnswer(key: string): boolean {
    const owed = this.#owed.get(key)
    const asked = owed?.subscribes.shift()
    if (asked !== undefined) asked.answered = true
    // Bounded: what is answered is forgotten once it is most of the list.
    while (this.#asked[this.#answered]?.answered === true) this.#answered++
    if (this.#answered > 1024 && this.#answered * 2 > this.#asked.length) {
      this.#asked = this.#asked.slice(this.#answered)
      this.#answered = 0
    }
    if (owed === undefined || owed.subscribes.length > 0) return owed === undefined
    // Endings before it have been answered, or never are.
    this.#owed.delete(key)
    return true
  }

  /** A gap is told when the key is registered again: who reads everything anew then has missed nothing. */
  #tellConfirmed(subscriber: Subscriber): void {
    const { attachment, interest } = subscriber
    if (subscriber.ready) attachment.event({ type: 'interest-gap', interest, reason: 'reconnected' })
    else attachment.event({ type: 'interest-ready', interest })
    subscriber.ready = true
  }

  /** The peer has dropped the key. Asked for: that is all. Unasked (a slot moved): it is asked for again. */
  #ended(key: string): void {
    const owed = this.#owed.get(key)
    if (owed !== undefined && owed.endings > 0) {
      owed.endings--
      return
    }
    const entry = this.#keys.get(key)
    if (entry?.confirmed !== true) return
    entry.confirmed = false
    this.#ask(key)
  }

  #deliver(entry: Key | undefined, connection: LiveConnection, bytes: Buffer, start: number, end: number): void {
    if (entry === undefined) return
    for (const { attachment, interest } of entry.subscribers)
      attachment.push(interest, connection.id, bytes, start, end)
  }
}

const NOT_NEEDED = new LocalError('NO_INTEREST', 'nobody is interested any more')
/** An error is a line; a peer that sends more of it is cut short. */
const FRAME_BYTES_MAX = 4_096
/** Enough for the sentence a server says; never a whole payload. */
const TEXT_BYTES_MAX = 200

function printable(bytes: Buffer, start: number, end: number): string {
  return bytes
    .toString('latin1', start, Math.min(end, start + TEXT_BYTES_MAX))
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
}

/**
 * What one application thread has open: upstreams, sessions and interests by number, over the exchange of the moment.
 *
 * Rules: numbers are given here and mean nothing elsewhere. When the I/O thread is replaced, the same objects go on
 * over a new exchange: upstreams and interests are announced again (interests see a gap), sessions are lost.
 */

import type { ChannelEnd } from '../channel/channel.ts'
import type { ControlMessage, EventMessage, UpstreamConfiguration } from '../channel/messages.ts'
import { TARGETS_MAX } from '../channel/records.ts'
import { type IoKernelError, LocalError, rebuildError } from '../plugin/errors.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { Exchange } from './exchange.ts'
import type { InterestEntry } from './interests.ts'
import type { KeepAlive } from './keep-alive.ts'
import type { SessionEntry } from './link.ts'
import type { UpstreamEntry } from './upstream.ts'

/** Numbers for things that come and go; the smallest free one is given, so that 16 bits suffice. */
export class Numbered<Entry> {
  readonly #entries: (Entry | undefined)[] = []
  readonly #free: number[] = []

  add(entry: Entry): number {
    const number = this.#free.pop() ?? this.#entries.length
    if (number > TARGETS_MAX) {
      throw new LocalError(
        'TOO_MANY_TARGETS',
        `more than ${TARGETS_MAX} upstreams, sessions or interests are open at once`,
      )
    }
    this.#entries[number] = entry
    return number
  }

  get(number: number): Entry | undefined {
    return this.#entries[number]
  }

  remove(number: number): void {
    if (this.#entries[number] === undefined) return
    this.#entries[number] = undefined
    this.#free.push(number)
  }

  *[Symbol.iterator](): Generator<[number, Entry]> {
    for (let number = 0; number < this.#entries.length; number++) {
      const entry = this.#entries[number]
      if (entry !== undefined) yield [number, entry]
    }
  }
}

export interface AttachmentHost {
  readonly keepAlive: KeepAlive
  log(line: string): void
  onClosed(): void
  onFlushed(token: number): void
}

export class Attachment {
  readonly limits: KernelLimits
  readonly upstreams: Numbered<UpstreamEntry> = new Numbered()
  readonly sessions: Numbered<SessionEntry> = new Numbered()
  readonly interests: Numbered<InterestEntry> = new Numbered()
  readonly #host: AttachmentHost
  #exchange: Exchange | undefined
  /** Set while the I/O thread is being replaced: calls made meanwhile wait for it. */
  #replacement: Promise<void> | undefined
  #failure: IoKernelError | undefined

  constructor(limits: KernelLimits, host: AttachmentHost) {
    this.limits = limits
    this.#host = host
  }

  get keepAlive(): KeepAlive {
    return this.#host.keepAlive
  }

  get exchange(): Exchange {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#exchange === undefined) throw new LocalError('NOT_STARTED', 'the I/O thread is not running')
    return this.#exchange
  }

  get replacement(): Promise<void> | undefined {
    return this.#replacement
  }

  /** Takes a (new) channel into use and says again what is open. */
  use(end: ChannelEnd): void {
    const first = this.#exchange === undefined
    this.#exchange = new Exchange(end, {
      limits: this.limits,
      setBusy: (busy) => (busy ? this.keepAlive.add() : this.keepAlive.remove()),
      onEvent: (event) => this.#onEvent(event),
      onPush: (interest, frame, push) => this.interests.get(interest)?.push(frame, push),
    })
    // Announces sleep: before, no doorbell would ring.
    this.#exchange.drain()
    if (first) return
    for (const [target, entry] of this.upstreams) {
      if (!entry.isClosing) this.announce(target, entry.configuration, entry.isListening)
    }
    for (const [interest, entry] of this.interests) {
      if (entry.isEnded) {
        this.interests.remove(interest)
        continue
      }
      const { target, key, isReady, answers } = entry
      this.#exchange.control({ type: 'add-interest', interest, target, key, resumed: isReady, answers })
    }
  }

  /** Says something that no longer matters once the I/O thread or the kernel is gone. */
  tell(message: ControlMessage): void {
    if (this.#failure === undefined && this.#replacement === undefined) this.#exchange?.control(message)
  }

  /** True when nobody answers: what was to be closed is closed. */
  get isOver(): boolean {
    return this.#failure !== undefined || this.#replacement !== undefined
  }

  announce(target: number, upstream: UpstreamConfiguration, listening: boolean): void {
    this.exchange.control({ type: 'connect', target, upstream })
    if (listening) this.exchange.control({ type: 'listening', target, to: 'state', listening })
  }

  /** The I/O thread is gone. `replacement` settles when there is a new one. */
  lose(error: (sent: 'no' | 'maybe') => IoKernelError, replacement: Promise<void> | undefined): void {
    this.#replacement = replacement
    this.#exchange?.lose(error)
    for (const [, session] of this.sessions) session.onGone(error('no'))
    for (const [, entry] of this.upstreams) {
      entry.onDisconnected()
      entry.accept({ status: 'down', endpoints: [], reason: error('no').message })
    }
    void replacement?.then(
      () => {
        if (this.#replacement === replacement) this.#replacement = undefined
      },
      () => undefined,
    )
  }

  /** Nothing works any more: closed, or the restart budget is used up. */
  fail(error: IoKernelError): void {
    this.#failure = error
    for (const [, entry] of this.interests) entry.fail(error)
    for (const [, entry] of this.upstreams) entry.accept({ status: 'closed', endpoints: [], reason: error.message })
  }

  #onEvent(event: EventMessage): void {
    switch (event.type) {
      case 'state':
        return this.upstreams.get(event.target)?.accept(event.state, event.refusal && rebuildError(event.refusal))
      case 'polluted':
        return this.upstreams.get(event.target)?.onPollution(event.pollution)
      case 'disconnected':
        return this.upstreams.get(event.target)?.onDisconnected()
      case 'credentials-wanted':
        return this.upstreams.get(event.target)?.onCredentialsWanted()
      case 'session-ready':
        return this.sessions.get(event.session)?.onReady()
      case 'session-failed':
        this.sessions.get(event.session)?.onFailed(rebuildError(event.error))
        return this.sessions.remove(event.session)
      case 'session-lost':
        return this.sessions.get(event.session)?.onLost(rebuildError(event.error))
      case 'session-closed':
        this.sessions.get(event.session)?.onClosed()
        return this.sessions.remove(event.session)
      case 'interest-ready':
        return this.interests.get(event.interest)?.ready()
      case 'interest-failed':
        this.interests.get(event.interest)?.refused(rebuildError(event.error), event.frame)
        return this.interests.remove(event.interest)
      case 'interest-gap':
        return this.interests.get(event.interest)?.gap(event.reason)
      case 'interest-closed':
        return this.interests.remove(event.interest)
      case 'log':
        return this.#host.log(event.line)
      case 'flushed':
        return this.#host.onFlushed(event.token)
      case 'closed':
        return this.#host.onClosed()
      default:
        return
    }
  }
}

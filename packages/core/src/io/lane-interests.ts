/**
 * Interests of one upstream whose peer speaks unasked: pushes, and requests of its own, over the connections that calls
 * go over.
 *
 * Rules:
 * 1. Nothing is asked of the peer: a key is what `route` makes of a frame. An interest is confirmed while there is a
 *    lane to hear it on.
 * 2. A push goes to everybody who is interested; a request to the one that has been able to answer for longest. What
 *    nobody takes is refused by the protocol, so that the peer does not wait.
 * 3. When a lane is lost, whoever was interested is told of a gap as soon as there is another.
 */
import { describeError, type IoKernelError, LocalError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Attachment } from './attachment.ts'
import type { LiveConnection } from './live-connection.ts'

/** What an upstream knows of its interests, wherever pushes come from. */
export interface Interests {
  /** `resumed`: it was registered before the I/O thread was replaced. `answers`: it takes requests of the peer's. */
  add(attachment: Attachment, interest: number, key: string, resumed: boolean, answers: boolean): void
  drop(attachment: Attachment, interest: number): void
  /** Who has waited in vain is told why. */
  failWaiting(error: IoKernelError): void
  /** There may be somewhere to go. */
  pump(): void
  /** A lane is gone. */
  laneLost(): void
  /** Something came unasked over a lane or a session. False when nobody takes it. */
  unasked(connection: LiveConnection, bytes: Buffer, start: number, end: number, asks: boolean): boolean
  /** Addresses are gone. */
  retireExcept(isCurrent: (endpointId: string) => boolean, reason: IoKernelError): void
  close(error: IoKernelError): void
}

export interface LaneInterestHost {
  readonly authority: string
  readonly limits: UpstreamLimits
  /** Is there a lane to hear anything on? */
  hasLane(): boolean
}

interface Subscriber {
  readonly attachment: Attachment
  readonly interest: number
  readonly key: string
  readonly answers: boolean
  /** It was told that pushes arrive: a lane that came later means that it may have missed something. */
  ready: boolean
}

export class LaneInterests implements Interests {
  readonly #host: LaneInterestHost
  readonly #byKey = new Map<string, Set<Subscriber>>()
  readonly #byInterest = new Map<Attachment, Map<number, Subscriber>>()
  /** A lane was lost since subscribers were last told. */
  #missed = false

  constructor(host: LaneInterestHost) {
    this.#host = host
  }

  add(attachment: Attachment, interest: number, key: string, resumed: boolean, answers: boolean): void {
    const { limits, authority } = this.#host
    const { interestsMax } = limits
    const known = this.#byKey.get(key)
    if (known === undefined && this.#byKey.size >= interestsMax) {
      const error = new LocalError('INTEREST_LIMIT', `${interestsMax} interests are open (interestsMax)`, {
        upstream: authority,
      })
      return attachment.event({ type: 'interest-failed', interest, error: describeError(error) })
    }
    const subscriber = { attachment, interest, key, answers, ready: resumed }
    this.#byKey.set(key, (known ?? new Set()).add(subscriber))
    const ofThread = this.#byInterest.get(attachment) ?? new Map<number, Subscriber>()
    this.#byInterest.set(attachment, ofThread.set(interest, subscriber))
    if (this.#host.hasLane()) tellReady(subscriber)
    // What came while the I/O thread was replaced, nobody has heard.
    else if (resumed) this.#missed = true
  }

  drop(attachment: Attachment, interest: number): void {
    const subscriber = this.#byInterest.get(attachment)?.get(interest)
    if (subscriber !== undefined) this.#forget(subscriber)
  }

  failWaiting(error: IoKernelError): void {
    const described = describeError(error, { sent: 'no' })
    for (const subscriber of this.#all()) {
      if (subscriber.ready) continue
      this.#forget(subscriber)
      const { attachment, interest } = subscriber
      attachment.event({ type: 'interest-failed', interest, error: described })
    }
  }

  pump(): void {
    if (!this.#host.hasLane()) return
    const missed = this.#missed
    this.#missed = false
    for (const subscriber of this.#all()) if (missed || !subscriber.ready) tellReady(subscriber)
  }

  laneLost(): void {
    this.#missed = true
    this.pump()
  }

  unasked(connection: LiveConnection, bytes: Buffer, start: number, end: number, asks: boolean): boolean {
    const route = connection.route(bytes, start, end)
    if (route?.key === undefined) return false
    if (asks) {
      for (const { attachment, interest, answers } of this.#byKey.get(route.key) ?? []) {
        if (answers) return attachment.push(interest, connection.id, bytes, start, end, true)
      }
      return false
    }
    let taken = false
    for (const [key, subscribers] of route.kind === 'all' ? this.#byKey : this.#only(route.key)) {
      if (!key.startsWith(route.key)) continue
      for (const { attachment, interest } of subscribers) attachment.push(interest, connection.id, bytes, start, end)
      taken = true
    }
    return taken
  }

  /** The connections are lanes and sessions: those who own them look after that. */
  retireExcept(): void {}

  close(error: IoKernelError): void {
    const described = describeError(error)
    for (const { attachment, interest } of this.#all()) {
      attachment.event({ type: 'interest-failed', interest, error: described })
    }
    this.#byKey.clear()
    this.#byInterest.clear()
  }

  #only(key: string): [string, Set<Subscriber>][] {
    const subscribers = this.#byKey.get(key)
    return subscribers === undefined ? [] : [[key, subscribers]]
  }

  #all(): Subscriber[] {
    return [...this.#byKey.values()].flatMap((subscribers) => [...subscribers])
  }

  #forget(subscriber: Subscriber): void {
    const { attachment, interest, key } = subscriber
    const subscribers = this.#byKey.get(key)
    subscribers?.delete(subscriber)
    if (subscribers?.size === 0) this.#byKey.delete(key)
    const ofThread = this.#byInterest.get(attachment)
    ofThread?.delete(interest)
    if (ofThread?.size === 0) this.#byInterest.delete(attachment)
  }
}

function tellReady(subscriber: Subscriber): void {
  const { attachment, interest } = subscriber
  if (subscriber.ready) attachment.event({ type: 'interest-gap', interest, reason: 'reconnected' })
  else attachment.event({ type: 'interest-ready', interest })
  subscriber.ready = true
}

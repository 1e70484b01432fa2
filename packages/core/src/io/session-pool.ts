/**
 * Connections that are lent: to sessions of an application, and to single calls that need a connection to themselves.
 *
 * Rules:
 * 1. A connection has one borrower at a time. It is reset before the next one where a session had it, or where the peer
 *    said that state was left behind; a connection that cannot be reset is closed.
 * 2. Lanes and sessions are apart: no session waits for a lane's traffic, and the reverse.
 *    A session's own calls are pipelined as far as `Connection.callsMax` goes, in their order; those that nothing
 *    answers go out at once.
 * 3. Who waits longest is served first. Waiting ends at the deadline.
 * 4. A call that was given up while it ran is cancelled at the peer, where the protocol can: the request for that goes
 *    over a connection of its own, and nothing is written on this one until the call is answered and that connection
 *    is closed by the peer, so that the cancel hits nobody else. What is not answered within `cancelTimeoutMs`, and a
 *    cancel of which nobody knows whether it was heard, costs the connection.
 *
 * Limits: `sessionsMax` connections; `sessionsIdleMax` kept idle; `queueMax` waiting.
 */
import type { EventMessage } from '../channel/messages.ts'
import { CallFlag } from '../channel/records.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { describeError, type IoKernelError, LocalError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { Attachment } from './attachment.ts'
import { type Call, CallList, CallState } from './call.ts'
import type { OpenedConnection } from './connection-factory.ts'
import type { ConnectionOwner } from './connection-owner.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { LiveConnection } from './live-connection.ts'
import type { Settlement } from './settlement.ts'

export interface SessionHost {
  readonly environment: IoEnvironment
  readonly limits: UpstreamLimits
  readonly settlement: Settlement
  readonly authority: string
  /** Where to open one; undefined while the upstream has no address that works. */
  endpoint(): Endpoint | undefined
  open(endpoint: Endpoint, owner: ConnectionOwner): OpenedConnection
  /** A push, or a request of the peer's. False when nobody takes it. */
  onUnasked(connection: LiveConnection, bytes: Buffer, start: number, end: number, asks: boolean): boolean
  /** May one more be opened? */
  mayOpen(): boolean
  /** Closes a connection that somebody else does not need. False when there is none. */
  makeRoom(): boolean
  /** Opens a connection that asks the peer to give up what `token` stands for. */
  openCancel(endpoint: Endpoint, owner: ConnectionOwner, token: Cloneable): LiveConnection
  /** A connection could not be opened: the upstream counts it and calls `pump` when it is worth another try. */
  onOpenFailed(connection: LiveConnection, error: IoKernelError): void
}

/** What an application has borrowed. */
export class Session {
  readonly attachment: Attachment
  readonly number: number
  readonly askedAtMs: number
  connection: LiveConnection | undefined
  timer: Timer | undefined
  /** Closed by its owner, waiting for the last answer. */
  closing = false

  constructor(attachment: Attachment, number: number, askedAtMs: number) {
    this.attachment = attachment
    this.number = number
    this.askedAtMs = askedAtMs
  }

  tell(message: EventMessage): void {
    this.attachment.event(message)
  }
}

interface Borrowed {
  session: Session | undefined
  /** Calls of the session that wait until a cancel is over, or the connection takes one more. */
  readonly held: CallList
  cancel: Cancellation | undefined
}

interface Cancellation {
  readonly timer: Timer
  /** The connection that carries the request is closed: the peer has passed it on. */
  delivered: boolean
}

export class SessionPool implements ConnectionOwner {
  readonly #host: SessionHost
  readonly #connections = new Map<LiveConnection, Borrowed>()
  readonly #opening = new Set<LiveConnection>()
  readonly #resetting = new Set<LiveConnection>()
  #idle: LiveConnection[] = []
  readonly #waitingCalls = new CallList()
  #waitingSessions: Session[] = []
  #closed = false

  constructor(host: SessionHost) {
    this.#host = host
  }

  /** Connections, idle ones and those on their way included. */
  get count(): number {
    return this.#connections.size
  }

  get isWaiting(): boolean {
    return this.#waitingCalls.count > 0 || this.#waitingSessions.length > 0
  }

  /** A call of a session. False when its connection is gone. */
  submit(session: Session, call: Call, nowMs: number): boolean {
    const { connection } = session
    const borrowed = connection === undefined ? undefined : this.#connections.get(connection)
    if (connection?.phase !== 'ready' || borrowed === undefined) return false
    if (mayWrite(connection, borrowed, call)) {
      connection.submit(call, nowMs)
    } else {
      call.state = CallState.Queued
      borrowed.held.push(call)
    }
    return true
  }

  /** Closes one that nobody has borrowed, for somebody who needs a connection more. False when there is none. */
  giveUpIdle(): boolean {
    const idle = this.#idle[0]
    idle?.destroy(GIVEN_BACK)
    return idle !== undefined
  }

  /** Gives the call a connection to itself, now or when there is one. */
  borrowFor(call: Call): void {
    if (this.#waitingCalls.count + this.#waitingSessions.length >= this.#host.limits.queueMax) {
      return this.#host.settlement.fail(call, describeError(this.#queueFull()), this.#host.environment.nowMs())
    }
    call.state = CallState.Queued
    this.#waitingCalls.push(call)
    this.pump()
  }

  borrow(session: Session, deadlineMs: number): void {
    if (this.#waitingCalls.count + this.#waitingSessions.length >= this.#host.limits.queueMax) {
      return session.tell({ type: 'session-failed', session: session.number, error: describeError(this.#queueFull()) })
    }
    this.#waitingSessions.push(session)
    if (deadlineMs > 0) {
      session.timer = this.#host.environment.after(deadlineMs, () => {
        if (!this.#stopWaiting(session)) return
        const error = new LocalError(
          'SESSION_DEADLINE',
          `no session was free within ${deadlineMs} ms: ${this.#connections.size} are in use ` +
            `(sessionsMax ${this.#host.limits.sessionsMax})`,
          { upstream: this.#host.authority },
        )
        session.tell({ type: 'session-failed', session: session.number, error: describeError(error) })
      })
    }
    this.pump()
  }

  /** The owner gives the session back. */
  giveBack(session: Session): void {
    session.closing = true
    if (this.#stopWaiting(session)) return
    const { connection } = session
    const borrowed = connection === undefined ? undefined : this.#connections.get(connection)
    if (connection === undefined || borrowed === undefined) return
    if (borrowed.cancel !== undefined) {
      // It is reset when the cancel is over.
      session.connection = undefined
      borrowed.session = undefined
      connection.tainted = true
      return this.#failHeld(borrowed)
    }
    // What is unanswered belongs to a caller who no longer waits: the connection cannot be given to anyone else.
    if (!connection.isIdle || connection.phase !== 'ready') return connection.destroy(GIVEN_BACK)
    session.connection = undefined
    this.#reset(connection)
  }

  /** A call was settled early, and nobody waits for its reply: it is cancelled at the peer, or costs its connection. */
  abandon(call: Call): void {
    for (const [connection, borrowed] of this.#connections) {
      if (connection.unanswered !== call.list) continue
      const token = connection.cancelToken()
      // A cancel hits what runs: with more than one call unanswered nobody can say which that is.
      if (token !== undefined && connection.unanswered.count === 1) return this.#cancel(connection, borrowed, token)
      if ((call.flags & CallFlag.Exclusive) !== 0) connection.destroy(GIVEN_BACK)
      return
    }
  }

  /** Serves who waits, as far as connections go. */
  pump(): void {
    while (this.#waitingCalls.first !== undefined || this.#waitingSessions.length > 0) {
      const connection = this.#idle.pop()
      if (connection !== undefined) {
        if (connection.phase === 'ready') this.#lend(connection)
        continue
      }
      const waiting = this.#waitingCalls.count + this.#waitingSessions.length
      if (
        this.#opening.size + this.#resetting.size >= waiting ||
        this.#connections.size >= this.#host.limits.sessionsMax
      )
        return
      const endpoint = this.#host.endpoint()
      if (endpoint === undefined) return
      if (!this.#host.mayOpen()) {
        if (!this.#host.makeRoom()) return
        // Whoever heard of it may have served those who wait here already.
        continue
      }
      const { connection: opened } = this.#host.open(endpoint, this)
      this.#connections.set(opened, { session: undefined, held: new CallList(), cancel: undefined })
      this.#opening.add(opened)
    }
  }

  /** Nobody gets a session any more: the upstream refuses us, or is down and the policy is to fail. */
  failWaiting(error: IoKernelError): void {
    const nowMs = this.#host.environment.nowMs()
    const described = describeError(error, { sent: 'no' })
    for (let call = this.#waitingCalls.shift(); call !== undefined; call = this.#waitingCalls.shift()) {
      this.#host.settlement.fail(call, described, nowMs)
    }
    const sessions = this.#waitingSessions
    this.#waitingSessions = []
    for (const session of sessions) {
      session.timer?.cancel()
      session.tell({ type: 'session-failed', session: session.number, error: described })
    }
  }

  /** Connections to addresses that are gone are not lent again. */
  retireExcept(isCurrent: (endpointId: string) => boolean, reason: IoKernelError): void {
    for (const connection of [...this.#idle]) if (!isCurrent(connection.endpoint.id)) connection.destroy(reason)
  }

  close(error: IoKernelError): void {
    this.#closed = true
    this.failWaiting(error)
    for (const connection of [...this.#connections.keys()]) connection.destroy(error)
  }

  // ---- ConnectionOwner ------------------------------------------------------------------------------------

  onReady(connection: LiveConnection): void {
    this.#opening.delete(connection)
    this.#resetting.delete(connection)
    this.#idle.push(connection)
    this.pump()
    this.#trimIdle()
  }

  onProgress(connection: LiveConnection): void {
    const borrowed = this.#connections.get(connection)
    if (borrowed === undefined || connection.phase !== 'ready') return
    if (borrowed.cancel !== undefined) return this.#endCancel(connection, borrowed)
    this.#writeHeld(connection, borrowed)
    if (borrowed.session !== undefined) return
    if (!connection.isIdle || this.#idle.includes(connection)) return
    if (connection.dirty || connection.tainted) return this.#reset(connection)
    this.#idle.push(connection)
    this.pump()
    this.#trimIdle()
  }

  onPush(connection: LiveConnection, bytes: Buffer, start: number, end: number): void {
    this.#host.onUnasked(connection, bytes, start, end, false)
  }

  onAsked(connection: LiveConnection, bytes: Buffer, start: number, end: number): boolean {
    return this.#host.onUnasked(connection, bytes, start, end, true)
  }

  onStray(): void {}

  onNotExecuted(): boolean {
    return false
  }

  onClosed(connection: LiveConnection, error: IoKernelError): void {
    const borrowed = this.#connections.get(connection)
    this.#connections.delete(connection)
    this.#resetting.delete(connection)
    this.#idle = this.#idle.filter((each) => each !== connection)
    const nowMs = this.#host.environment.nowMs()
    failUnanswered(connection, error, this.#host.settlement, nowMs)
    borrowed?.cancel?.timer.cancel()
    if (borrowed !== undefined) this.#failHeld(borrowed)
    const session = borrowed?.session
    if (session !== undefined && !session.closing) {
      session.tell({ type: 'session-lost', session: session.number, error: describeError(error) })
    }
    if (this.#opening.delete(connection) && !this.#closed) this.#host.onOpenFailed(connection, error)
    else if (!this.#closed) this.pump()
  }

  #lend(connection: LiveConnection): void {
    const call = this.#waitingCalls.first
    const session = this.#waitingSessions[0]
    const borrowed = this.#connections.get(connection) as Borrowed
    if (call !== undefined && (session === undefined || call.arrivedAtMs <= session.askedAtMs)) {
      this.#waitingCalls.remove(call)
      connection.submit(call, this.#host.environment.nowMs())
      return
    }
    if (session === undefined) return
    this.#waitingSessions.shift()
    session.timer?.cancel()
    session.connection = connection
    borrowed.session = session
    session.tell({ type: 'session-ready', session: session.number })
  }

  #reset(connection: LiveConnection): void {
    const borrowed = this.#connections.get(connection) as Borrowed
    borrowed.session = undefined
    this.#resetting.add(connection)
    if (!connection.reset(() => this.onReady(connection))) connection.destroy(GIVEN_BACK)
  }

  #cancel(connection: LiveConnection, borrowed: Borrowed, token: Cloneable): void {
    if (borrowed.cancel !== undefined) return
    const { environment, limits } = this.#host
    const cancel: Cancellation = {
      delivered: false,
      timer: environment.after(limits.cancelTimeoutMs, () => connection.destroy(GIVEN_BACK)),
    }
    borrowed.cancel = cancel
    const nothing = (): void => undefined
    this.#host.openCancel(
      connection.endpoint,
      {
        onReady: (messenger) => messenger.destroy(GIVEN_BACK),
        onClosed: (_messenger, error) => {
          if (borrowed.cancel !== cancel || connection.phase !== 'ready') return
          // Whether it was heard, and when, is known only where the peer itself has closed.
          if (error.code !== 'CLOSED_BY_PEER') return connection.destroy(GIVEN_BACK)
          cancel.delivered = true
          this.#endCancel(connection, borrowed)
        },
        onProgress: nothing,
        onPush: nothing,
        onStray: nothing,
        onNotExecuted: () => false,
      },
      token,
    )
  }

  /** The cancel has been delivered and the call answered: the connection goes on. */
  #endCancel(connection: LiveConnection, borrowed: Borrowed): void {
    if (borrowed.cancel?.delivered !== true || !connection.isIdle) return
    borrowed.cancel.timer.cancel()
    borrowed.cancel = undefined
    this.onProgress(connection)
  }

  /** In the order in which they came. */
  #writeHeld(connection: LiveConnection, borrowed: Borrowed): void {
    const nowMs = this.#host.environment.nowMs()
    for (let call = borrowed.held.first; call !== undefined; call = borrowed.held.first) {
      if (!mayWrite(connection, borrowed, call)) return
      borrowed.held.remove(call)
      connection.submit(call, nowMs)
    }
  }

  #failHeld(borrowed: Borrowed): void {
    const error = describeError(GIVEN_BACK, { sent: 'no' })
    const nowMs = this.#host.environment.nowMs()
    for (let call = borrowed.held.shift(); call !== undefined; call = borrowed.held.shift()) {
      this.#host.settlement.fail(call, error, nowMs)
    }
  }

  #trimIdle(): void {
    while (this.#idle.length > this.#host.limits.sessionsIdleMax) this.#idle[0]?.destroy(GIVEN_BACK)
  }

  #stopWaiting(session: Session): boolean {
    session.timer?.cancel()
    const before = this.#waitingSessions.length
    this.#waitingSessions = this.#waitingSessions.filter((each) => each !== session)
    return this.#waitingSessions.length < before
  }

  #queueFull(): LocalError {
    return new LocalError('QUEUE_LIMIT', `${this.#host.limits.queueMax} calls already wait for a session (queueMax)`, {
      upstream: this.#host.authority,
    })
  }
}

/**
 * What nothing answers is never held but by a cancel: it belongs to a request that is on its way (the pieces of a
 * file), and what waits behind that request waits for them.
 */
function mayWrite(connection: LiveConnection, { cancel, held }: Borrowed, call: Call): boolean {
  if (cancel !== undefined) return false
  if ((call.flags & CallFlag.Silent) !== 0) return true
  return connection.unanswered.count < connection.callsMax && (held.count === 0 || held.first === call)
}

const GIVEN_BACK = new LocalError('SESSION_CLOSED', 'the session was given back')

/** Ends what a lost connection owes, for connections whose calls are never sent again. */
export function failUnanswered(
  connection: LiveConnection,
  error: IoKernelError,
  settlement: Settlement,
  nowMs: number,
): void {
  const unsent = describeError(error, { sent: 'no' })
  const maybe = describeError(error, { sent: 'maybe' })
  let fresh = false
  for (let call = connection.unanswered.shift(); call !== undefined; call = connection.unanswered.shift()) {
    if (call === connection.unflushed) fresh = true
    settlement.fail(call, fresh ? unsent : maybe, nowMs)
  }
}

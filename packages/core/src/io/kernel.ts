/**
 * The I/O kernel: attachments on one side, upstreams on the other, deadlines in between.
 *
 * Rules: it runs to completion in turns: take what the applications submitted, read what the peers sent, write what was
 * gathered, expire. A turn never waits and never calls into an application. The same code runs in the worker and
 * inline.
 *
 * Deadlines expire in the check phase (`afterReads`): timers run before the poll phase, so after a late turn a reply
 * that had arrived would lose against its own deadline.
 */

import type { ChannelEnd } from '../channel/channel.ts'
import type { ControlMessage, UpstreamConfiguration } from '../channel/messages.ts'
import { CallFlag } from '../channel/records.ts'
import type { DnsOptions } from '../channel/start.ts'
import { dnsDiscovery } from '../naming/dns.ts'
import { staticDiscovery } from '../naming/static.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import type { IoProtocol } from '../plugin/connection.ts'
import type { IoDiscovery } from '../plugin/discovery.ts'
import { AbortedError, describeError, LocalError } from '../plugin/errors.ts'
import { assert } from '../shared/assert.ts'
import type { KernelLimits } from '../shared/limits.ts'
import { Attachment, type AttachmentHost } from './attachment.ts'
import { type Call, CallState } from './call.ts'
import { Client } from './client.ts'
import { deadlineError } from './deadline-errors.ts'
import { DeadlineWheel } from './deadlines.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { LiveConnection } from './live-connection.ts'
import { NameWatch } from './name-watch.ts'
import { RequestStore } from './request-store.ts'
import { Session } from './session-pool.ts'
import { Settlement } from './settlement.ts'
import { Upstream } from './upstream.ts'

/** The plugins' I/O halves, loaded and checked. */
export interface IoPlugins {
  readonly protocols: ReadonlyMap<string, IoProtocol<Cloneable>>
  readonly discoveries: ReadonlyMap<string, { readonly discovery: IoDiscovery<Cloneable>; readonly options: Cloneable }>
}

/** A timer may fire this much early, in the rounding of libuv; then the next one does the work. */
const TIMER_SLACK_MS = 1

export class IoKernel implements AttachmentHost {
  readonly limits: KernelLimits
  readonly store: RequestStore = new RequestStore()
  readonly settlement: Settlement
  readonly environment: IoEnvironment
  readonly #plugins: IoPlugins
  readonly #dns: DnsOptions
  readonly #wheel: DeadlineWheel
  readonly #upstreams = new Map<string, Upstream>()
  readonly #attachments = new Set<Attachment>()
  readonly #sessions = new Map<Attachment, Map<number, Session>>()
  readonly #sessionClients = new Map<Session, Client>()
  readonly #interests = new Map<Attachment, Map<number, Client>>()
  #gathered: LiveConnection[] = []
  #connectionId = 0
  #wakeAtMs = Number.POSITIVE_INFINITY
  #wake: Timer | undefined
  readonly #flushTurn = (): void => this.#flush()

  constructor(limits: KernelLimits, plugins: IoPlugins, dns: DnsOptions, environment: IoEnvironment) {
    this.limits = limits
    this.environment = environment
    this.#plugins = plugins
    this.#dns = dns
    this.#wheel = new DeadlineWheel(environment.nowMs())
    this.settlement = new Settlement(this.#wheel, this.store)
  }

  /** One more application thread. */
  attach(end: ChannelEnd): Attachment {
    const attachment = new Attachment(end, this)
    this.#attachments.add(attachment)
    this.#sessions.set(attachment, new Map())
    this.#interests.set(attachment, new Map())
    return attachment
  }

  /** Takes what an application has submitted; the doorbell's action. */
  drain(attachment: Attachment): void {
    if (attachment.drain()) this.drainLater(attachment)
  }

  /** Takes and writes within this turn: the process is about to exit. */
  flushNow(attachment: Attachment): void {
    attachment.drain()
    this.#flush()
  }

  drainLater(attachment: Attachment): void {
    this.environment.afterReads(() => this.drain(attachment))
  }

  nowMs(): number {
    return this.environment.nowMs()
  }

  nextConnectionId(): number {
    this.#connectionId = (this.#connectionId + 1) & 0x7fffffff
    return this.#connectionId
  }

  flushLater(connection: LiveConnection): void {
    if (this.#gathered.length === 0) queueMicrotask(this.#flushTurn)
    if (!this.#gathered.includes(connection)) this.#gathered.push(connection)
  }

  // ---- Calls ----------------------------------------------------------------------------------------------

  onCall(attachment: Attachment, call: Call, deadlineMs: number, nowMs: number): void {
    const session = (call.flags & CallFlag.Session) === 0 ? undefined : this.#sessions.get(attachment)?.get(call.target)
    const client = session === undefined ? attachment.client(call.target) : this.#clientOf(session)
    if (client === undefined || ((call.flags & CallFlag.Session) !== 0 && session === undefined)) {
      return this.#refuse(attachment, call, nowMs)
    }
    call.client = client
    client.calls++
    if (call.cancelled) return this.settlement.fail(call, ABORTED_UNSENT, nowMs)
    call.patienceMs = deadlineMs
    if (deadlineMs > 0) this.#arm(call, call.arrivedAtMs + deadlineMs)
    if (session === undefined) return client.upstream.submit(call, nowMs)
    if (!client.upstream.sessions.submit(session, call, nowMs)) this.settlement.fail(call, SESSION_LOST, nowMs)
  }

  onCredit(call: Call, bytes: number): void {
    call.unread -= bytes
    const source = call.source
    if (source?.isPaused !== true || call.client === undefined) return
    if (call.unread > call.client.upstream.configuration.limits.streamBytesMax / 2) return
    this.rearm(call, call.patienceMs)
    source.resume()
  }

  rearm(call: Call, deadlineMs: number): void {
    this.#wheel.remove(call)
    if (deadlineMs > 0) this.#arm(call, this.nowMs() + deadlineMs)
  }

  onCancel(call: Call): void {
    if (call.state === CallState.Arriving) {
      call.cancelled = true
      return
    }
    const written = call.state === CallState.Written
    const error = new AbortedError(
      written ? 'the call was aborted; it may have been executed' : 'the call was aborted before it was sent',
      {
        sent: written ? 'maybe' : 'no',
      },
    )
    this.#settleNow(call, describeError(error))
  }

  // ---- Control --------------------------------------------------------------------------------------------

  onControl(attachment: Attachment, message: ControlMessage): void {
    switch (message.type) {
      case 'connect':
        return this.#connect(attachment, message.target, message.upstream)
      case 'disconnect':
        return this.#disconnect(attachment, message.target, message.deadlineMs)
      case 'listening': {
        const client = attachment.client(message.target)
        if (client === undefined) return
        if (message.to === 'state') client.listening = message.listening
        else client.listensToPollution = message.listening
        return
      }
      case 'credentials':
        return attachment.client(message.target)?.upstream.credentials.answer(message.value, message.failure)
      case 'open-session':
        return this.#openSession(attachment, message.session, message.target, message.deadlineMs)
      case 'close-session':
        return this.#closeSession(attachment, message.session)
      case 'add-interest': {
        const client = attachment.client(message.target)
        if (client === undefined) return
        this.#interests.get(attachment)?.set(message.interest, client)
        return client.upstream.addInterest(attachment, message.interest, message.key, message.resumed, message.answers)
      }
      case 'drop-interest':
        this.#dropInterest(attachment, message.interest)
        return attachment.event({ type: 'interest-closed', interest: message.interest })
      case 'flush':
        return this.#flushFor(attachment, message.token)
      case 'ping':
        return
      case 'close':
        return this.#close(attachment, message.deadlineMs)
    }
  }

  // ---- Upstreams ------------------------------------------------------------------------------------------

  #connect(attachment: Attachment, target: number, configuration: UpstreamConfiguration): void {
    const upstream = this.#upstreams.get(configuration.key) ?? this.#newUpstream(configuration)
    const client = new Client(attachment, target, upstream)
    attachment.setClient(target, client)
    upstream.addClient(client)
  }

  #newUpstream(configuration: UpstreamConfiguration): Upstream {
    const protocol = this.#plugins.protocols.get(configuration.protocol)
    assert(protocol !== undefined, 'the application half checks that a protocol is registered')
    const upstream = new Upstream(configuration, protocol, this)
    this.#upstreams.set(configuration.key, upstream)
    const { discovery, options } = this.#discoveryFor(configuration, upstream)
    if (discovery === undefined) {
      upstream.onTrouble(
        `no discovery '${configuration.name.discovery}' is registered: write createKernel({ discovery: [...] })`,
      )
      return upstream
    }
    const watch = new NameWatch(discovery, options, configuration.name, this.environment, upstream)
    upstream.onClose = () => {
      watch.stop()
      this.#upstreams.delete(configuration.key)
    }
    return upstream
  }

  #discoveryFor(
    { name, limits }: UpstreamConfiguration,
    upstream: Upstream,
  ): { discovery: IoDiscovery<Cloneable> | undefined; options: Cloneable } {
    if (name.discovery === 'static') return { discovery: staticDiscovery, options: undefined }
    if (name.discovery !== 'dns')
      return this.#plugins.discoveries.get(name.discovery) ?? { discovery: undefined, options: undefined }
    const discovery = dnsDiscovery({
      servers: this.#dns.servers,
      hostsFile: this.#dns.hostsFile ?? '/etc/hosts',
      resolvConf: this.#dns.resolvConf ?? '/etc/resolv.conf',
      ttlMinMs: limits.ttlMinMs,
      ttlMaxMs: limits.ttlMaxMs,
      randomUnit: () => this.environment.randomUnit(),
      onTrouble: (reason) => upstream.onTrouble(reason),
    })
    return { discovery, options: undefined }
  }

  #disconnect(attachment: Attachment, target: number, deadlineMs: number): void {
    const client = attachment.client(target)
    if (client === undefined) return attachment.event({ type: 'disconnected', target })
    const finish = (): void => {
      timer.cancel()
      client.onIdle = undefined
      if (attachment.client(target) !== client) return
      attachment.setClient(target, undefined)
      this.#dropLoans(attachment, client)
      client.upstream.clients.delete(client)
      if (client.upstream.clients.size === 0) client.upstream.close(CLOSED)
      attachment.event({ type: 'disconnected', target })
    }
    const timer = this.environment.after(deadlineMs, () => {
      for (const call of [...attachment.calls()])
        if (call.client === client) this.#settleNow(call, describeError(CLOSED))
      finish()
    })
    if (client.isIdle) finish()
    else client.onIdle = finish
  }

  #dropInterest(attachment: Attachment, interest: number): void {
    const interests = this.#interests.get(attachment)
    interests?.get(interest)?.upstream.interests.drop(attachment, interest)
    interests?.delete(interest)
  }

  /** What a client that is closed still has: its interests end, its sessions are lost. */
  #dropLoans(attachment: Attachment, client: Client): void {
    const error = describeError(CLOSED)
    for (const [interest, owner] of [...(this.#interests.get(attachment) ?? [])]) {
      if (owner !== client) continue
      this.#dropInterest(attachment, interest)
      attachment.event({ type: 'interest-failed', interest, error })
    }
    for (const [number, session] of [...(this.#sessions.get(attachment) ?? [])]) {
      if (this.#sessionClients.get(session) !== client) continue
      this.#sessions.get(attachment)?.delete(number)
      this.#sessionClients.delete(session)
      client.upstream.sessions.giveBack(session)
      attachment.event({ type: 'session-lost', session: number, error })
    }
  }

  // ---- Sessions -------------------------------------------------------------------------------------------

  #clientOf(session: Session): Client | undefined {
    return this.#sessionClients.get(session)
  }

  #openSession(attachment: Attachment, number: number, target: number, deadlineMs: number): void {
    const client = attachment.client(target)
    if (client === undefined)
      return attachment.event({ type: 'session-failed', session: number, error: describeError(CLOSED) })
    const session = new Session(attachment, number, this.nowMs())
    this.#sessions.get(attachment)?.set(number, session)
    this.#sessionClients.set(session, client)
    client.upstream.sessions.borrow(session, deadlineMs)
  }

  #closeSession(attachment: Attachment, number: number): void {
    const session = this.#sessions.get(attachment)?.get(number)
    this.#sessions.get(attachment)?.delete(number)
    if (session !== undefined) {
      this.#clientOf(session)?.upstream.sessions.giveBack(session)
      this.#sessionClients.delete(session)
    }
    attachment.event({ type: 'session-closed', session: number })
  }

  // ---- Time -----------------------------------------------------------------------------------------------

  #arm(call: Call, deadlineAtMs: number): void {
    this.#wheel.add(call, deadlineAtMs)
    if (deadlineAtMs < this.#wakeAtMs) this.#wakeAt(deadlineAtMs)
  }

  #wakeAt(atMs: number): void {
    this.#wake?.cancel()
    this.#wakeAtMs = atMs
    const delayMs = Math.max(1, atMs - this.nowMs() + TIMER_SLACK_MS)
    this.#wake = this.environment.after(delayMs, () => this.environment.afterReads(() => this.#expire()))
  }

  #expire(): void {
    const nowMs = this.nowMs()
    this.#wheel.expire(nowMs, (call) => {
      const lateMs = nowMs - call.deadlineAtMs
      this.#settleNow(call, describeError(deadlineError(call, lateMs)))
    })
    this.#wakeAtMs = Number.POSITIVE_INFINITY
    this.#wake = undefined
    const nextMs = this.#wheel.nextVisitMs(nowMs)
    if (nextMs !== undefined) this.#wakeAt(nextMs)
  }

  /** Settles a call for its caller wherever it stands. */
  #settleNow(call: Call, error: ReturnType<typeof describeError>): void {
    const nowMs = this.nowMs()
    if (call.state === CallState.Queued) {
      call.list?.remove(call)
      // It was not written, unless it was before and waits to be sent again.
      const sent = call.retries === 0 ? 'no' : 'maybe'
      return this.settlement.fail(call, error.sent === sent ? error : { ...error, sent }, nowMs)
    }
    if (call.state !== CallState.Written) return
    const upstream = call.client?.upstream
    this.settlement.settleEarly(call, error, nowMs)
    if ((call.flags & (CallFlag.Exclusive | CallFlag.Session)) !== 0) upstream?.sessions.abandon(call)
    else upstream?.abandon(call)
  }

  #refuse(attachment: Attachment, call: Call, nowMs: number): void {
    const error = (call.flags & CallFlag.Session) === 0 ? describeError(CLOSED, { sent: 'no' }) : SESSION_LOST
    attachment.failed(call, error, false, nowMs)
    attachment.forget(call)
    if (call.chunk !== undefined) this.store.release(call.chunk)
    this.settlement.pool.give(call)
  }

  // ---- Turns and the end ----------------------------------------------------------------------------------

  #flush(): void {
    const connections = this.#gathered
    this.#gathered = []
    for (const connection of connections) connection.flush()
  }

  /**
   * Before the process exits: everything submitted is written, and handed to the operating system, then the application
   * is told.
   */
  #flushFor(attachment: Attachment, token: number): void {
    this.#flush()
    const check = (): void => {
      if ([...this.#upstreams.values()].some((upstream) => upstream.hasUnsent)) {
        this.environment.after(1, check)
        return
      }
      attachment.event({ type: 'flushed', token })
    }
    this.environment.afterReads(check)
  }

  #close(attachment: Attachment, deadlineMs: number): void {
    const finish = (): void => {
      timer.cancel()
      for (const client of attachment.clients()) client.onIdle = undefined
      for (const upstream of [...this.#upstreams.values()]) upstream.close(CLOSED)
      this.#wake?.cancel()
      attachment.event({ type: 'closed' })
    }
    const whenIdle = (): void => {
      if ([...attachment.clients()].every((client) => client.isIdle)) finish()
    }
    const timer = this.environment.after(deadlineMs, finish)
    for (const client of attachment.clients()) client.onIdle = whenIdle
    whenIdle()
  }

  invariants(): void {
    for (const attachment of this.#attachments) attachment.invariants()
  }
}

const CLOSED = new LocalError('CLOSED', 'the client was closed', { sent: 'maybe' })
const SESSION_LOST = describeError(
  new LocalError('SESSION_LOST', "this session's connection was lost: open another and begin again", { sent: 'no' }),
)
const ABORTED_UNSENT = describeError(new AbortedError('the call was aborted before it was sent', { sent: 'no' }))

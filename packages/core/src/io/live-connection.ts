/**
 * One connection to an endpoint: transport, framing, order of calls.
 *
 * Rules:
 * 1. Calls are answered in the order they were written (or by wire id where the protocol correlates). `unanswered` is
 *    that order; a tombstone keeps its place in it.
 * 2. One write per turn: `submit` gathers, `flush` writes. Neighbours in the request store leave as one range.
 * 3. Reading stops for a streamed reply whose reader has enough, and for nothing else: writing does, when the peer does
 *    not take what it was given (`hasRoom`).
 * 4. Whatever the plugin throws, and whatever the peer sends, costs this connection only. `onClosed` is called exactly
 *    once, with what is unanswered.
 *
 * Life: opening -> scripting (the handshake) -> ready -> (draining) -> closed; resets and audits go ready -> scripting
 * -> ready.
 */

import { CallFlag } from '../channel/records.ts'
import type { ByteWriter } from '../plugin/byte-writer.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import { type Connection, FrameFlag, type PushRoute, type Verdict } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { describeError, type IoKernelError, RemoteProtocolError } from '../plugin/errors.ts'
import type { Script } from '../plugin/script.ts'
import { assert } from '../shared/assert.ts'
import type { Call, CallList } from './call.ts'
import { CallWriter } from './call-writer.ts'
import { ConnectionErrors } from './connection-errors.ts'
import type { ConnectionOwner, ConnectionServices, ConnectionSettings, Phase, Purpose } from './connection-owner.ts'
import { ConnectionScripts } from './connection-scripts.ts'
import type { Timer } from './environment.ts'
import { Intake } from './intake.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { type MatcherHost, ReplyMatcher } from './reply-matcher.ts'
import { endUnless, StreamPacing } from './stream-pacing.ts'
import { NOTHING, type Transport } from './transport.ts'
import { Unbidden } from './unbidden.ts'

/** Flags of calls that need more than a place in the order. */
const NOT_PLAIN = CallFlag.Taints | CallFlag.Stream | CallFlag.Silent

export class LiveConnection implements MatcherHost {
  readonly id: number
  readonly purpose: Purpose
  readonly endpoint: Endpoint
  facts: Cloneable
  phase: Phase = 'opening'
  /** How long it took to connect. */
  connectMs = 0
  /** When the handshake was done; 0 before. */
  readyAtMs = 0
  /** When bytes last came, or the oldest unanswered call was written into silence. */
  lastHeardMs: number
  /** The peer's state is not clean (open transaction): reset before anyone else uses it. */
  dirty = false
  /** The call under way, or the session, may leave state behind: reset before anyone else uses it. */
  tainted = false
  /** No call may be written until it is idle and was looked after: an audit is due, or calls were taken from it. */
  isHeld = false
  readonly #settings: ConnectionSettings
  readonly #owner: ConnectionOwner
  readonly #services: ConnectionServices
  readonly #protocol: Connection
  readonly #receive = new ReceiveBuffer()
  readonly #transport: Transport
  readonly #matcher: ReplyMatcher
  #timer: Timer | undefined
  readonly #intake: Intake
  readonly #scripts: ConnectionScripts
  readonly #errors: ConnectionErrors
  readonly #writer: CallWriter
  /** The calls on it are one that has it to itself. */
  #alone = false
  readonly #pacing: StreamPacing
  readonly #unbidden: Unbidden
  #closeReason: IoKernelError | undefined
  #retiring = false
  #saidUnknown = false

  constructor(settings: ConnectionSettings, owner: ConnectionOwner, services: ConnectionServices, correlated: boolean) {
    this.id = settings.id
    this.purpose = settings.purpose
    this.endpoint = settings.endpoint
    this.#settings = settings
    this.#owner = owner
    this.#services = services
    this.#protocol = settings.protocol
    this.#errors = new ConnectionErrors(settings.authority, settings.endpoint.id)
    this.#unbidden = new Unbidden(settings.limits.frameBytesMax)
    this.#pacing = new StreamPacing(
      settings.limits,
      () => (this.isClosed ? undefined : this.#transport),
      (call, deadlineMs) => services.rearm(call, deadlineMs),
    )
    this.#matcher = new ReplyMatcher(this, this.#receive, services.settlement, correlated)
    this.#writer = new CallWriter(settings, this.#matcher, this.#errors, services, () => this.#afterProgress())
    this.#intake = new Intake(settings, this.#receive, this.#matcher, {
      isClosed: () => this.isClosed,
      transport: () => this.#transport,
      fail: (error) => this.destroy(this.#errors.fromPlugin(error)),
    })
    const { environment } = services
    this.#scripts = new ConnectionScripts({
      matcher: this.#matcher,
      intake: this.#intake,
      environment,
      errors: this.#errors,
      limits: settings.limits,
      send: (bytes) => {
        // What the framer has said is older.
        this.#writer.flush(this.#transport)
        this.#transport.write(bytes, NOTHING)
      },
      onBegin: () => {
        // What silent calls have gathered in this turn comes before what the script says.
        this.flush()
        this.phase = 'scripting'
      },
      onEnd: () => {
        this.phase = this.#retiring ? 'draining' : 'ready'
      },
      destroy: (error) => this.destroy(error),
    })
    this.lastHeardMs = environment.nowMs()
    const { connectTimeoutMs } = settings.limits
    this.#timer = environment.after(connectTimeoutMs, () => this.destroy(this.#errors.connectTimeout(connectTimeoutMs)))
    this.#transport = environment.dial({
      endpoint: settings.endpoint,
      host: settings.host,
      tls: settings.tls?.mode === 'negotiated' ? undefined : settings.tls,
      receive: this.#receive,
      events: {
        onOpen: () => this.#onOpen(),
        onReceived: () => this.#onReceived(),
        onEnd: () => this.#onEnd(),
        onDrain: () => this.#owner.onProgress(this),
        onClosed: (error) => this.#onClosed(error),
      },
    })
  }

  get hasRoom(): boolean {
    const { unsentBytesMax } = this.#settings.limits
    return (
      this.phase === 'ready' &&
      !this.isHeld &&
      this.unanswered.count < this.callsMax &&
      this.#writer.bytes < unsentBytesMax &&
      this.#transport.unsentBytes < unsentBytesMax
    )
  }

  get unanswered(): CallList {
    return this.#matcher.unanswered
  }

  /** First in `unanswered` that was not handed to the socket. */
  get unflushed(): Call | undefined {
    return this.#matcher.unflushed
  }

  get unsentBytes(): number {
    return this.phase === 'closed' ? 0 : this.#writer.bytes + this.#transport.unsentBytes
  }

  /** Calls that may be unanswered here at once. */
  get callsMax(): number {
    const { pipelineMax } = this.#settings.limits
    return Math.min(pipelineMax, this.#protocol.callsMax?.() ?? pipelineMax)
  }

  get isIdle(): boolean {
    return this.unanswered.count === 0 && this.#matcher.script === undefined
  }

  /** Idle, and everything that nothing answers has left. */
  get isQuiet(): boolean {
    return this.isIdle && !this.#writer.hasSilent
  }

  get taken(): boolean {
    return this.unanswered.count > 0 && (this.#alone || this.callsMax === 1)
  }

  get headSinceMs(): number {
    const head = this.unanswered.first
    return head === undefined ? 0 : Math.max(head.writtenAtMs, this.#matcher.lastAnsweredMs)
  }

  /** Gathers a call for the next write. `alone`: it has the connection to itself until it is answered. */
  submit(call: Call, nowMs: number, alone: boolean = true): void {
    const answers = (call.flags & CallFlag.Answer) !== 0
    assert(this.phase === 'ready' || this.phase === 'draining' || answers, 'calls go to connections that are ready')
    if (this.unanswered.count === 0) this.lastHeardMs = nowMs
    call.writtenAtMs = nowMs
    if (answers) this.#unbidden.said(call.length)
    if (!this.#writer.write(call, nowMs)) return
    this.#services.flushLater(this)
    if ((call.flags & NOT_PLAIN) !== 0 && this.#submitSpecial(call)) return
    this.#alone = alone
    this.unanswered.push(call)
    this.#matcher.unflushed ??= call
  }

  /** When a call was last answered. */
  get lastAnsweredMs(): number {
    return this.#matcher.lastAnsweredMs
  }

  /** Another call takes the place of one that goes elsewhere: what comes for it is that one's. */
  substitute(call: Call, by: Call): void {
    this.#matcher.substitute(call, by)
  }

  /** Whom a push, or a request of the peer's, is for. */
  route(bytes: Buffer, start: number, end: number): PushRoute | undefined {
    return this.#protocol.route?.(bytes, start, end)
  }

  /** Bytes of the owner's own (subscriptions). */
  write(write: (protocol: Connection, out: ByteWriter) => void): void {
    this.#guard(() => write(this.#protocol, this.#writer.out()))
    this.#services.flushLater(this)
  }

  /** Writes what was gathered in this turn. */
  flush(): void {
    this.#matcher.unflushed = undefined
    if (this.phase === 'closed') return
    this.#writer.flush(this.#transport)
  }

  /** Makes it as good as new, when it is idle. False when the protocol cannot. */
  reset(done: () => void): boolean {
    return this.#scripts.runHousekeeping(this.#protocol.reset?.(), () => {
      this.dirty = false
      this.tainted = false
      done()
    })
  }

  get canAudit(): boolean {
    return this.#protocol.audit !== undefined
  }

  /** Looks for state that was left behind, when it is idle. */
  audit(done: (found: string | undefined) => void): void {
    if (!this.#scripts.runHousekeeping(this.#protocol.audit?.(), done)) done(undefined)
  }

  /** What a connection of purpose `cancel` needs; undefined where the protocol has no such thing. */
  cancelToken(): Cloneable {
    return this.#protocol.cancel?.()
  }

  /** Runs a script while no call is unanswered; `done` is told how it ended. A failure closes the connection. */
  run<Result>(script: Script<Result>, timeoutMs: number, done: (result: Result) => void): void {
    this.#scripts.run(script, timeoutMs, done)
  }

  /** Takes no more calls, finishes those it has, and closes; by force after `drainTimeoutMs`, unless it streams. */
  retire(reason: IoKernelError): void {
    if (this.phase === 'closed' || this.#retiring) return
    this.#retiring = true
    this.#closeReason ??= reason
    if (this.phase === 'ready') this.phase = 'draining'
    if (this.isQuiet) return this.destroy(reason)
    this.#owner.onRetiring?.(this)
    const { drainTimeoutMs } = this.#settings.limits
    const streams = (): boolean => this.unanswered.first?.source !== undefined && !this.unanswered.isForsaken
    this.#timer = endUnless(streams, this.#services.environment, drainTimeoutMs, () => this.destroy(reason))
  }

  destroy(reason: IoKernelError): void {
    if (this.phase === 'closed') return
    this.#closeReason ??= reason
    this.phase = 'closed'
    this.#timer?.cancel()
    this.#scripts.stop()
    this.#matcher.close()
    this.#writer.drop()
    this.#transport.destroy()
    this.#writer.failSilent(describeError(this.#closeReason, { sent: 'maybe' }), this.#services.environment.nowMs())
    // The transport's own `onClosed` comes later and finds the phase closed.
    this.#owner.onClosed(this, this.#closeReason)
  }

  // ---- MatcherHost ------------------------------------------------------------------------------------------

  get isClosed(): boolean {
    return this.phase === 'closed'
  }

  get idleHint(): number {
    return this.purpose === 'push' ? 0 : -1
  }

  get replyBytesMax(): number {
    return this.#settings.limits.replyBytesMax
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    return this.#protocol.classify?.(bytes, start, end) ?? 'call'
  }

  onPush(bytes: Buffer, start: number, end: number): void {
    this.#owner.onPush(this, bytes, start, end)
  }

  onAsked(bytes: Buffer, start: number, end: number): void {
    if (this.#unbidden.isTooMuch(this.unsentBytes)) return this.destroy(this.#errors.notReading())
    if (this.#owner.onAsked?.(this, bytes, start, end) === true) return
    const out = this.out()
    const before = out.length
    this.#protocol.refuse?.(bytes, start, end, out)
    this.#unbidden.said(out.length - before)
  }

  onUnknownReply(): void {
    if (this.#saidUnknown) return
    this.#saidUnknown = true
    const who = `${this.#settings.authority} at ${this.endpoint.id}`
    this.#services.environment.log('warn', `${who} answers calls that nobody made`)
  }

  onForgotten(): void {
    this.#afterProgress()
  }

  onUnsolicited(bytes: Buffer, start: number, end: number, flags: number): void {
    if (this.purpose === 'push') return this.#owner.onStray(this, bytes, start, end, flags)
    if ((flags & (FrameFlag.Error | FrameFlag.Close)) !== 0) {
      return this.destroy(
        this.#errors.remote('CLOSED_BY_PEER', 'the peer reported an error while nothing was asked of it'),
      )
    }
    throw new RemoteProtocolError('the peer sent a reply that nothing had asked for', this.#errors.place)
  }

  onNotExecuted(call: Call): boolean {
    return this.#owner.onNotExecuted(this, call)
  }

  onVerdict(verdict: Verdict): void {
    if (verdict === 'retire') this.retire(this.#errors.remote('RETIRED', 'the peer said that it must not be used'))
    else if (verdict === 'role-lost') this.#owner.onRoleLost?.(this)
  }

  maySendAgain(call: Call): boolean {
    return this.#owner.onStale !== undefined && !call.renewed
  }

  sendAgain(call: Call): void {
    this.#owner.onStale?.(this, call)
  }

  onAnswered(call: Call): void {
    this.#owner.onAnswered?.(this, call)
  }

  onStreamed(call: Call): void {
    this.#pacing.passed(call)
  }

  onDirty(): void {
    this.dirty = true
    this.#owner.onDirty?.(this)
  }

  onCloseFrame(): void {
    this.destroy(this.#errors.remote('CLOSED_BY_PEER', 'the peer announced that it closes the connection'))
  }

  out(): ByteWriter {
    this.#services.flushLater(this)
    return this.#writer.out()
  }

  replyTooLarge(): IoKernelError {
    return this.#errors.replyTooLarge(this.replyBytesMax)
  }

  // ---- Transport ------------------------------------------------------------------------------------------

  #onOpen(): void {
    if (this.phase !== 'opening') return
    this.#timer?.cancel()
    const nowMs = this.#services.environment.nowMs()
    this.connectMs = nowMs - this.lastHeardMs
    this.lastHeardMs = nowMs
    const script = this.#protocol.handshake?.()
    if (script === undefined) {
      this.phase = 'ready'
      this.readyAtMs = this.lastHeardMs
      this.#owner.onReady(this)
      return
    }
    this.run(script, this.#settings.limits.handshakeTimeoutMs, (facts) => {
      this.facts = facts
      this.readyAtMs = this.#services.environment.nowMs()
      this.#owner.onReady(this)
    })
  }

  #onReceived(): void {
    if (this.phase === 'closed') return
    this.#matcher.nowMs = this.#services.environment.nowMs()
    this.lastHeardMs = this.#matcher.nowMs
    this.#intake.scan()
    this.#afterProgress()
  }

  #afterProgress(): void {
    // After a scan everything is looked at anyway.
    if (this.isClosed || this.#intake.isScanning) return
    if (this.#retiring && this.isQuiet) this.destroy(this.#closeReason as IoKernelError)
    else this.#owner.onProgress(this)
  }

  #onEnd(): void {
    if (this.phase === 'closed') return
    this.#matcher.nowMs = this.#services.environment.nowMs()
    this.#guard(() => {
      this.#protocol.closed?.(this.#matcher)
      this.#matcher.endScan()
    })
    this.destroy(this.#errors.remote('CLOSED_BY_PEER', 'the peer closed the connection'))
  }

  #onClosed(error: Error | undefined): void {
    if (error === undefined) this.destroy(this.#errors.remote('CONNECTION_LOST', 'the connection was closed'))
    else this.destroy(this.#errors.remote('CONNECTION_LOST', `the connection failed: ${error.message}`, error))
  }

  // ---- Writing --------------------------------------------------------------------------------------------

  /** Streamed and silent calls. True when the call is not one that a reply answers. */
  #submitSpecial(call: Call): boolean {
    if ((call.flags & CallFlag.Taints) !== 0) this.tainted = true
    if ((call.flags & CallFlag.Stream) !== 0) call.source = this.#pacing
    return (call.flags & CallFlag.Silent) !== 0
  }

  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.destroy(this.#errors.fromPlugin(error))
    }
  }
}

/**
 * The kernel as an application sees it.
 *
 * Rules: one kernel owns one I/O thread and this thread's attachment to it. It starts the thread, replaces it when it
 * dies or makes no progress (under a budget), and closes it: first letting what is in flight finish, then by force at
 * the deadline.
 *
 * Theory of operation of the watchdog: while the I/O thread owes an answer, a timer looks twice within `stallTimeoutMs`
 * whether it has taken anything from the ring; a `ping` gives it something to take when it is merely waiting for a
 * peer. A thread that takes nothing hangs (a framer in a loop): its calls are rejected and it is replaced.
 */
import { AsyncResource } from 'node:async_hooks'
import type { DnsOptions, LogLevel } from '../channel/start.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import { type IoKernelError, LocalError, RemoteError } from '../plugin/errors.ts'
import type { Protocol } from '../plugin/protocol.ts'
import { nowMs } from '../shared/clock.ts'
import { type KernelLimits, UPSTREAM_LIMITS, type UpstreamOptions } from '../shared/limits.ts'
import { Attachment } from './attachment.ts'
import { describeKernel, type KernelDescription } from './describe.ts'
import { DURATION_MS_MAX, durationMs } from './durations.ts'
import { KeepAlive } from './keep-alive.ts'
import { UpstreamLink } from './link.ts'
import { checkTls, upstreamLimits } from './options.ts'
import type { Registry } from './registry.ts'
import type { IoHandle, StartIo } from './thread.ts'
import { UpstreamEntry } from './upstream.ts'

export interface KernelSettings {
  readonly registry: Registry
  readonly limits: KernelLimits
  readonly dns: DnsOptions
  readonly start: StartIo
  readonly mode: 'worker' | 'inline'
  readonly logLevel: LogLevel
  readonly logger: ((line: string) => void) | undefined
  readonly keepPreloads: boolean
  onClosed(): void
}

/** Longer than calls take that are answered at all. */
const CLOSE_DEADLINE_MS = 5_000

export class Kernel {
  readonly #settings: KernelSettings
  readonly #attachment: Attachment
  readonly #keepAlive = new KeepAlive()
  readonly #restarts: number[] = []
  #io: IoHandle | undefined
  #closing: Promise<void> | undefined
  #onClosed: (() => void) | undefined
  #flushed = 0
  #flushToken = 0
  #watchdog: NodeJS.Timeout | undefined
  #watched = 0
  #stalls = 0
  readonly #onExit = (): void => this.#flushAtExit()

  /** Use `createKernel`. */
  constructor(settings: KernelSettings) {
    this.#settings = settings
    this.#attachment = new Attachment(settings.limits, {
      keepAlive: this.#keepAlive,
      log: (line) => settings.logger?.(line),
      onClosed: () => this.#onClosed?.(),
      onFlushed: (token) => {
        this.#flushed = token
      },
    })
  }

  /** Starts the I/O half; part of `createKernel`. */
  async start(): Promise<void> {
    await this.#startIo()
    if (this.#settings.mode === 'worker') {
      // Two looks within the budget; unref'd, so that an idle process ends.
      this.#watchdog = setInterval(() => this.#watch(), this.#settings.limits.stallTimeoutMs / 2).unref()
    }
    atExit(this.#onExit)
  }

  /**
   * Connects to an upstream, at once and not at the first call. Equal targets share connections. The client may be used
   * straight away: calls wait, within their deadline, until the upstream can answer.
   */
  connect<Target, Io extends Cloneable, App, Client>(
    protocol: Protocol<Target, Io, App, Client>,
    target: string | Target,
    options: UpstreamOptions = {},
  ): Client {
    this.#assertOpen()
    this.#settings.registry.assertRegistered(protocol)
    const resolved = protocol.resolve(target)
    const limits = upstreamLimits(options, { ...protocol.limits, ...resolved.limits })
    checkTls(resolved.tls)
    this.#settings.registry.assertDiscovery(resolved.name.discovery)
    const entry = new UpstreamEntry(
      this.#attachment,
      {
        // Different limits are different upstreams: the first caller's must not rule the second's.
        key: JSON.stringify([protocol.name, resolved.upstreamKey, limits, options.whenDown]),
        protocol: protocol.name,
        authority: resolved.authority,
        lanes: protocol.supports.lanes,
        correlated: protocol.supports.replies === 'correlated',
        unasked: protocol.supports.push === 'lanes',
        name: resolved.name,
        tls: resolved.tls,
        io: resolved.io,
        limits,
        whenDown: options.whenDown ?? 'wait',
        asksCredentials: resolved.credentials !== undefined,
      },
      resolved.credentials === undefined ? undefined : AsyncResource.bind(() => resolved.credentials?.()),
    )
    return protocol.client(new UpstreamLink(this.#attachment, entry), resolved.app)
  }

  /** What this kernel is made of and what it is doing; `String(description)` is for people. */
  describe(): KernelDescription {
    return describeKernel({
      mode: this.#settings.mode,
      plugins: this.#settings.registry.names,
      limits: this.#settings.limits,
      upstreamLimits: UPSTREAM_LIMITS,
      restarts: this.#restarts.length,
      callsInFlight: this.#attachment.isOver || this.#io === undefined ? 0 : this.#attachment.exchange.waiting,
      upstreams: [...this.#attachment.upstreams].map(([, entry]) => entry),
    })
  }

  /**
   * Lets what is in flight finish, closes every connection and ends the I/O thread. After `deadlineMs` (default 5 s)
   * what is left is rejected. Idempotent.
   */
  close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    const deadlineMs = durationMs('deadlineMs', options.deadlineMs ?? CLOSE_DEADLINE_MS)
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(deadlineMs: number): Promise<void> {
    const attachment = this.#attachment
    try {
      await attachment.replacement
    } catch {
      // The kernel had given up already; there is nothing to drain.
    }
    if (this.#io !== undefined) {
      const closed = new Promise<void>((resolve) => {
        this.#onClosed = resolve
      })
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        // The I/O thread rejects what is left at the deadline; the second is for one that no longer answers.
        timer = setTimeout(resolve, Math.min(deadlineMs + 1_000, DURATION_MS_MAX))
      })
      attachment.exchange.control({ type: 'close', deadlineMs })
      await Promise.race([closed, late])
      clearTimeout(timer)
    }
    clearInterval(this.#watchdog)
    exitActions.delete(this.#onExit)
    attachment.lose((sent) => closedError(sent), undefined)
    attachment.fail(closedError('no'))
    const io = this.#io
    this.#io = undefined
    this.#keepAlive.use(undefined)
    await io?.terminate()
    this.#settings.onClosed()
  }

  async #startIo(): Promise<void> {
    const settings = this.#settings
    let io: IoHandle | undefined
    io = await settings.start({
      modules: settings.registry.modules,
      limits: settings.limits,
      dns: settings.dns,
      logLevel: settings.logLevel,
      logsToApplication: settings.logger !== undefined,
      keepPreloads: settings.keepPreloads,
      onDoorbell: () => {
        if (io !== undefined && this.#io === io) this.#attachment.exchange.drain()
      },
      onLost: (reason) => {
        if (io !== undefined && this.#io === io) this.#replace(reason)
      },
    })
    this.#io = io
    this.#keepAlive.use(io.reference)
    this.#attachment.use(io.end)
    this.#stalls = 0
  }

  /** The I/O thread is gone or hangs: rejects what is in flight and starts another one, if the budget allows. */
  #replace(reason: string): void {
    const old = this.#io
    this.#io = undefined
    this.#keepAlive.use(undefined)
    const lost = (sent: 'no' | 'maybe'): IoKernelError =>
      new LocalError('IO_THREAD_LOST', `the I/O thread was lost (${reason}); the kernel starts another one`, { sent })
    const now = nowMs()
    const { restartsMax, restartWindowMs } = this.#settings.limits
    while (this.#restarts.length > 0 && now - (this.#restarts[0] as number) > restartWindowMs) this.#restarts.shift()
    if (this.#restarts.length >= restartsMax) {
      this.#attachment.lose(lost, undefined)
      this.#attachment.fail(
        new LocalError(
          'IO_THREAD_GAVE_UP',
          `the I/O thread died ${restartsMax + 1} times within ${restartWindowMs} ms, last: ${reason}. ` +
            'Look at the plugin that was busy, then create a new kernel',
        ),
      )
      void old?.terminate()
      return
    }
    this.#restarts.push(now)
    const replacement = this.#keepAlive.during(this.#startAgain(old?.terminate(), this.#restarts.length))
    this.#attachment.lose(lost, replacement)
    replacement.catch((error: unknown) => {
      this.#attachment.fail(
        new LocalError('IO_THREAD_GAVE_UP', `the I/O thread could not be started again: ${String(error)}`),
      )
    })
  }

  async #startAgain(ended: Promise<void> | undefined, attempt: number): Promise<void> {
    await ended
    // The first restart is immediate; a thread that keeps dying is given 100 ms, 200 ms, … so that it does not burn the
    // processor.
    if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, 100 * (attempt - 1)))
    if (this.#closing !== undefined) return
    await this.#startIo()
  }

  #watch(): void {
    const io = this.#io
    if (io === undefined || this.#attachment.replacement !== undefined) return
    const exchange = this.#attachment.exchange
    const taken = exchange.taken
    if (!exchange.owed || taken !== this.#watched) {
      this.#watched = taken
      this.#stalls = 0
      if (exchange.owed) exchange.control({ type: 'ping' })
      return
    }
    if (++this.#stalls < 2) return
    this.#replace(`no progress for ${this.#settings.limits.stallTimeoutMs} ms`)
  }

  #flushAtExit(): void {
    if (this.#io === undefined || this.#attachment.replacement !== undefined) return
    const exchange = this.#attachment.exchange
    if (!exchange.owed) return
    const { flushNow } = this.#io
    if (flushNow !== undefined) return flushNow()
    const token = ++this.#flushToken
    exchange.control({ type: 'flush', token })
    exchange.blockUntil(() => this.#flushed === token, this.#settings.limits.exitFlushMsMax)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError('no')
  }
}

/** One listener for all kernels of this module: the eleventh of its own would look like a leak. */
const exitActions = new Set<() => void>()

function atExit(action: () => void): void {
  if (exitActions.size === 0 && !process.listeners('exit').includes(runExitActions)) process.on('exit', runExitActions)
  exitActions.add(action)
}

function runExitActions(): void {
  for (const action of exitActions) action()
}

function closedError(sent: 'no' | 'maybe'): IoKernelError {
  return sent === 'no'
    ? new LocalError('KERNEL_CLOSED', 'the kernel was closed: create another', { sent })
    : new RemoteError('KERNEL_CLOSED', 'the kernel was closed before the reply arrived', { sent })
}

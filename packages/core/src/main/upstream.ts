/**
 * An upstream as this thread sees it: its state, who waits for it, and its credentials callback.
 *
 * Rules: the state is what the I/O thread last said; nothing here decides anything. Listeners run in the
 * AsyncLocalStorage context of the one who registered them.
 */
import { AsyncResource } from 'node:async_hooks'
import type { UpstreamConfiguration } from '../channel/messages.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import { AbortedError, DeadlineError, type IoKernelError, LocalError } from '../plugin/errors.ts'
import type { Pollution, UpstreamHandle, UpstreamState, WaitOptions } from '../plugin/protocol.ts'
import { shielded } from '../shared/shield.ts'
import type { Attachment } from './attachment.ts'
import { durationMs } from './durations.ts'
import { checkFunction, checkSignal } from './options.ts'

export class UpstreamEntry implements UpstreamHandle {
  readonly target: number
  readonly configuration: UpstreamConfiguration
  readonly #attachment: Attachment
  readonly #credentials: (() => Cloneable | Promise<Cloneable>) | undefined
  readonly #listeners = new Set<(state: UpstreamState) => void>()
  readonly #pollutionListeners = new Set<(pollution: Pollution) => void>()
  #state: UpstreamState = { status: 'connecting', endpoints: [], reason: undefined }
  #refusal: IoKernelError | undefined
  #closing: Promise<void> | undefined
  #disconnected: (() => void) | undefined

  constructor(
    attachment: Attachment,
    configuration: UpstreamConfiguration,
    credentials: (() => Cloneable | Promise<Cloneable>) | undefined,
  ) {
    this.#attachment = attachment
    this.configuration = configuration
    this.#credentials = credentials
    this.target = attachment.upstreams.add(this)
    try {
      attachment.announce(this.target, configuration, false)
    } catch (error) {
      attachment.upstreams.remove(this.target)
      throw new LocalError('TARGET', `the target cannot cross to the I/O thread: ${String(error)}`, { cause: error })
    }
  }

  get authority(): string {
    return this.configuration.authority
  }

  get state(): UpstreamState {
    return this.#state
  }

  get isListening(): boolean {
    return this.#listeners.size > 0
  }

  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** Throws when calls make no sense any more. */
  assertOpen(): void {
    if (this.#closing === undefined) return
    throw new LocalError('UPSTREAM_CLOSED', `this client of ${this.authority} was closed: connect again`, {
      upstream: this.authority,
    })
  }

  async ready(options: WaitOptions = {}): Promise<void> {
    this.assertOpen()
    if (this.#state.status === 'ready') return
    if (this.#refusal !== undefined) throw this.#refusal
    let registration: Disposable | undefined
    const isReady = new Promise<void>((resolve, reject) => {
      registration = this.#watch(({ status }) => {
        if (status === 'ready') resolve()
        else if (this.#refusal !== undefined) reject(this.#refusal)
        else if (status === 'closed') {
          reject(new LocalError('UPSTREAM_CLOSED', `${this.authority} was closed while waiting for it`))
        }
      })
    })
    try {
      await this.waitFor(isReady, options)
    } finally {
      registration?.[Symbol.dispose]()
    }
  }

  /** Waits for `outcome` until the deadline or the signal; then rejects with what stands in the way. */
  async waitFor<Result>(outcome: Promise<Result>, options: WaitOptions = {}): Promise<Result> {
    const { signal } = options
    checkSignal(signal)
    const deadlineMs = durationMs('deadlineMs', options.deadlineMs ?? this.configuration.limits.callDeadlineMs)
    let timer: NodeJS.Timeout | undefined
    let onAbort: (() => void) | undefined
    const ended = new Promise<never>((_, reject) => {
      onAbort = () => reject(new AbortedError('the wait was aborted', { sent: 'no', cause: signal?.reason }))
      if (deadlineMs > 0) timer = setTimeout(() => reject(this.#notReady(deadlineMs)), deadlineMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted === true) onAbort()
    })
    try {
      return await this.#attachment.keepAlive.during(Promise.race([outcome, ended]))
    } finally {
      clearTimeout(timer)
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
    }
  }

  onState(listener: (state: UpstreamState) => void): Disposable {
    checkFunction('the listener of onState()', listener ?? null)
    const first = !this.isListening
    const registration = this.#watch(AsyncResource.bind(listener))
    if (first) this.#sayListening('state', true)
    return {
      [Symbol.dispose]: () => {
        registration[Symbol.dispose]()
        if (!this.isListening) this.#sayListening('state', false)
      },
    }
  }

  onPolluted(listener: (pollution: Pollution) => void): Disposable {
    checkFunction('the listener of onPolluted()', listener ?? null)
    const registered = AsyncResource.bind(listener)
    this.#pollutionListeners.add(registered)
    if (this.#pollutionListeners.size === 1) this.#sayListening('pollution', true)
    return {
      [Symbol.dispose]: () => {
        if (this.#pollutionListeners.delete(registered) && this.#pollutionListeners.size === 0) {
          this.#sayListening('pollution', false)
        }
      },
    }
  }

  close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    const deadlineMs = durationMs('deadlineMs', options.deadlineMs ?? this.configuration.limits.drainTimeoutMs)
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  /** The I/O thread says how the upstream is. */
  accept(state: UpstreamState, refusal?: IoKernelError): void {
    this.#state = state
    this.#refusal = refusal
    for (const listener of [...this.#listeners]) shielded(() => listener(state))
  }

  onPollution(pollution: Pollution): void {
    for (const listener of [...this.#pollutionListeners]) shielded(() => listener(pollution))
  }

  onDisconnected(): void {
    this.#disconnected?.()
  }

  onCredentialsWanted(): void {
    void this.#giveCredentials()
  }

  async #close(deadlineMs: number): Promise<void> {
    const attachment = this.#attachment
    // Where nobody answers any more, what was to be closed is closed.
    if (!attachment.isOver) {
      const done = new Promise<void>((resolve) => {
        this.#disconnected = resolve
      })
      attachment.tell({ type: 'disconnect', target: this.target, deadlineMs })
      await attachment.keepAlive.during(done)
    }
    attachment.upstreams.remove(this.target)
    this.accept({ status: 'closed', endpoints: [], reason: undefined })
  }

  async #giveCredentials(): Promise<void> {
    let value: Cloneable
    let failure: string | undefined
    try {
      value = await this.#credentials?.()
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error)
    }
    this.#attachment.tell({ type: 'credentials', target: this.target, value, failure })
  }

  #watch(listener: (state: UpstreamState) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  #sayListening(to: 'state' | 'pollution', listening: boolean): void {
    this.#attachment.tell({ type: 'listening', target: this.target, to, listening })
  }

  #notReady(deadlineMs: number): DeadlineError {
    const { status, reason, endpoints } = this.#state
    const where = endpoints.length === 0 ? 'no address is known' : `addresses: ${endpoints.join(', ')}`
    const why = reason === undefined ? [] : [`last failure: ${reason}`]
    return new DeadlineError(
      `${this.authority} is not ready after ${deadlineMs} ms (${[status, where, ...why].join('; ')})`,
      'upstream',
      { sent: 'no', upstream: this.authority },
    )
  }
}

/**
 * The kernel's own connection to the endpoint in use: probes that never queue behind a caller.
 *
 * Rules: a lane is given up only when it is silent and its monitor disagrees:
 * 1. nothing has come over it since before a probe began that nobody answered; or that found nobody there, while the
 *    lane has calls unanswered. A peer that answers the monitor with a refusal (too many clients, a changed password)
 *    is there.
 * 2. where the peer answers everything in one order (`lanes: 'one'`), a probe was answered that began after the lane
 *    had fallen silent with calls unanswered.
 *
 * What a probe finds changed: one that ends in `RoleError` says that its address is not what the target asks for any
 * more.
 *
 * Theory of operation: every `probeIntervalMs` a probe runs on a connection of purpose `monitor`, opened when first
 * needed. A probe that does not end within `probeTimeoutMs`, or a monitor that cannot connect, has failed.
 */

import type { Connection } from '../plugin/connection.ts'
import type { Endpoint } from '../plugin/discovery.ts'
import { type IoKernelError, LocalError } from '../plugin/errors.ts'
import type { UpstreamLimits } from '../shared/limits.ts'
import type { OpenedConnection } from './connection-factory.ts'
import type { ConnectionOwner } from './connection-owner.ts'
import type { IoEnvironment, Timer } from './environment.ts'
import type { LiveConnection } from './live-connection.ts'

export interface MonitorHost {
  readonly environment: IoEnvironment
  readonly limits: UpstreamLimits
  /** True when replies prove the order in which the peer worked. */
  readonly serial: boolean
  /** Endpoint of the lane in use; undefined when there is none, and nothing to watch. */
  watched(): Endpoint | undefined
  lanes(): readonly LiveConnection[]
  canProbe(endpoint: Endpoint): boolean
  open(endpoint: Endpoint, owner: ConnectionOwner): OpenedConnection
  giveUp(lane: LiveConnection, reason: string): void
  roleLost(lane: LiveConnection): void
}

export class Monitor implements ConnectionOwner {
  readonly #host: MonitorHost
  #timer: Timer | undefined
  #connection: LiveConnection | undefined
  #protocol: Connection | undefined
  #probeStartedMs = 0
  #probedId = ''
  #stopped = false

  constructor(host: MonitorHost) {
    this.#host = host
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#drop()
  }

  onReady(connection: LiveConnection): void {
    if (connection === this.#connection) this.#probe()
  }

  onClosed(connection: LiveConnection, error: IoKernelError): void {
    if (connection !== this.#connection) return
    this.#connection = undefined
    if (this.#probeStartedMs !== 0) this.#failed(error)
  }

  onProgress(): void {}
  onPush(): void {}
  onStray(): void {}
  onNotExecuted(): boolean {
    return false
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = this.#host.environment.after(this.#host.limits.probeIntervalMs, () => {
      this.#tick()
      this.#schedule()
    })
  }

  #tick(): void {
    const endpoint = this.#host.watched()
    if (endpoint === undefined) return this.#drop()
    if (this.#connection !== undefined && this.#connection.endpoint.id !== endpoint.id) this.#drop()
    // A probe under way has its own timeout.
    if (this.#probeStartedMs !== 0) return
    this.#probeStartedMs = this.#host.environment.nowMs()
    this.#probedId = endpoint.id
    if (this.#connection !== undefined) return this.#probe()
    // Nothing can be asked: TCP alone has to notice.
    if (!this.#host.canProbe(endpoint)) return this.stop()
    const { connection, protocol } = this.#host.open(endpoint, this)
    this.#connection = connection
    this.#protocol = protocol
  }

  #probe(): void {
    const connection = this.#connection
    const script = this.#protocol?.probe?.()
    if (connection === undefined || script === undefined || !connection.isIdle) return
    connection.run(script, this.#host.limits.probeTimeoutMs, () => this.#succeeded())
  }

  #succeeded(): void {
    const startedMs = this.#probeStartedMs
    this.#probeStartedMs = 0
    if (!this.#host.serial) return
    for (const lane of this.#probedLanes()) {
      const silentMs = startedMs - lane.lastHeardMs
      if (lane.unanswered.count > 0 && silentMs > this.#host.limits.laneSilenceMs) {
        this.#host.giveUp(lane, `silent for ${Math.round(silentMs)} ms while its peer answers others`)
      }
    }
  }

  #failed(error: IoKernelError): void {
    const startedMs = this.#probeStartedMs
    this.#probeStartedMs = 0
    if (error.code === 'ROLE') {
      for (const lane of [...this.#probedLanes()]) this.#host.roleLost(lane)
      return
    }
    const isSilent = SILENT.includes(error.code)
    // Whoever answered the monitor, with whatever refusal, is there.
    if (!isSilent && error.code !== 'CONNECTION_LOST') return
    for (const lane of this.#probedLanes()) {
      if (lane.lastHeardMs >= startedMs || (!isSilent && lane.unanswered.count === 0)) continue
      this.#host.giveUp(lane, `silent, and the probe failed: ${error.message}`)
    }
  }

  /** A probe speaks for its own address alone. */
  #probedLanes(): readonly LiveConnection[] {
    return this.#host.lanes().filter((lane) => lane.endpoint.id === this.#probedId)
  }

  #drop(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#probeStartedMs = 0
    if (connection !== undefined) connection.destroy(GONE)
  }
}

/** Nobody answered at all. */
const SILENT: readonly string[] = ['CONNECT_TIMEOUT', 'HANDSHAKE_TIMEOUT']
const GONE = new LocalError('MONITOR_CLOSED', 'the monitor is no longer needed')

/**
 * One upstream for each origin that `fetch` is asked for.
 *
 * Rules: opened with the first request, closed when nothing has been asked of it for `originIdleMs`. Beyond
 * `originsMax` the one that has idled longest makes room; where all are busy, a request is refused. One that is in use
 * is never closed: a body that is still read counts.
 */
import { LocalError } from '@iokernel/core/plugin'
import type { HttpClient } from '../client.ts'

export interface OriginLimits {
  readonly originsMax: number
  readonly originIdleMs: number
}

export interface Lease {
  readonly client: HttpClient
  /** Idempotent. */
  release(): void
}

interface Origin {
  readonly client: HttpClient
  users: number
  /** Sweeps that have found it idle. */
  idleSweeps: number
}

export class Origins {
  readonly #connect: (origin: string) => HttpClient
  readonly #limits: OriginLimits
  /** In the order of their last use. */
  readonly #origins = new Map<string, Origin>()
  #sweeper: NodeJS.Timeout | undefined

  constructor(connect: (origin: string) => HttpClient, limits: OriginLimits) {
    this.#connect = connect
    this.#limits = limits
  }

  get size(): number {
    return this.#origins.size
  }

  lease(name: string): Lease {
    const origin = this.#origins.get(name) ?? this.#open(name)
    origin.users++
    origin.idleSweeps = 0
    this.#origins.delete(name)
    this.#origins.set(name, origin)
    let isReleased = false
    return {
      client: origin.client,
      release: () => {
        if (!isReleased) origin.users--
        isReleased = true
      },
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    const clients = [...this.#origins.values()].map(({ client }) => client)
    this.#origins.clear()
    await Promise.all(clients.map((client) => client.close()))
  }

  #open(name: string): Origin {
    if (this.#origins.size >= this.#limits.originsMax) this.#makeRoom()
    const origin: Origin = { client: this.#connect(name), users: 0, idleSweeps: 0 }
    // Two looks within the time: what both find idle has idled for half of it at least.
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#limits.originIdleMs / 2).unref()
    return origin
  }

  #makeRoom(): void {
    for (const [name, { users }] of this.#origins) if (users === 0) return this.#close(name)
    throw new LocalError(
      'TOO_MANY_ORIGINS',
      `requests to originsMax (${this.#limits.originsMax}) origins are under way: wait for some, or raise the limit`,
    )
  }

  #sweep(): void {
    for (const [name, origin] of this.#origins) {
      if (origin.users === 0 && ++origin.idleSweeps >= 2) this.#close(name)
    }
    if (this.#origins.size > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }

  #close(name: string): void {
    const origin = this.#origins.get(name)
    this.#origins.delete(name)
    // Nothing is in flight; what closing may still run into concerns nobody.
    origin?.client.close().catch(() => undefined)
  }
}

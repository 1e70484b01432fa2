/**
 * The addresses an upstream has at the moment, and which of them is worth a try. Sans-clock, sans-randomness.
 *
 * Rules: a failed address waits (with jittered back-off) and the next one is tried at once; when all wait, the one
 * whose wait ends first is next. Connections that fail while their address waits already are the same failure. An
 * address that stays in the set keeps its history.
 */
import type { Endpoint } from '../plugin/discovery.ts'
import { Backoff } from './backoff.ts'

interface Member {
  readonly endpoint: Endpoint
  readonly backoff: Backoff
  retryAtMs: number
}

export class EndpointSet {
  readonly #minMs: number
  readonly #maxMs: number
  #members: Member[] = []

  constructor(reconnectMinMs: number, reconnectMaxMs: number) {
    this.#minMs = reconnectMinMs
    this.#maxMs = reconnectMaxMs
  }

  get ids(): readonly string[] {
    return this.#members.map(({ endpoint }) => endpoint.id)
  }

  get isEmpty(): boolean {
    return this.#members.length === 0
  }

  has(id: string): boolean {
    return this.#members.some(({ endpoint }) => endpoint.id === id)
  }

  replace(endpoints: readonly Endpoint[]): void {
    const known = new Map(this.#members.map((member) => [member.endpoint.id, member]))
    this.#members = endpoints.map((endpoint) => {
      const before = known.get(endpoint.id)
      return {
        endpoint,
        backoff: before?.backoff ?? new Backoff(this.#minMs, this.#maxMs),
        retryAtMs: before?.retryAtMs ?? 0,
      }
    })
  }

  /** Of the addresses that may be tried now and are not among `except`, the first that has failed least. */
  pick(nowMs: number, except: ReadonlySet<string>): Endpoint | undefined {
    let best: Member | undefined
    for (const member of this.#members) {
      if (member.retryAtMs > nowMs || except.has(member.endpoint.id)) continue
      if (best === undefined || member.backoff.failures < best.backoff.failures) best = member
    }
    return best?.endpoint
  }

  /** Of the addresses that may be used now, the one that is found least often among `used`. */
  leastUsed(nowMs: number, used: readonly string[]): Endpoint | undefined {
    let best: Endpoint | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const { endpoint, retryAtMs } of this.#members) {
      const count = used.filter((id) => id === endpoint.id).length
      if (retryAtMs > nowMs || count >= fewest) continue
      best = endpoint
      fewest = count
    }
    return best
  }

  /** When `pick` will have an answer again. Undefined when there is nobody to wait for. */
  nextTryMs(except: ReadonlySet<string>): number | undefined {
    const others = this.#members.filter(({ endpoint }) => !except.has(endpoint.id))
    return others.length === 0 ? undefined : Math.min(...others.map(({ retryAtMs }) => retryAtMs))
  }

  /** When this address may be tried again; 0 for one that has no reason to wait, or is not in the set. */
  retryAtMs(id: string): number {
    return this.#members.find(({ endpoint }) => endpoint.id === id)?.retryAtMs ?? 0
  }

  failed(id: string, nowMs: number, randomUnit: number): void {
    const member = this.#members.find(({ endpoint }) => endpoint.id === id)
    if (member === undefined || member.retryAtMs > nowMs) return
    member.retryAtMs = nowMs + member.backoff.nextMs(randomUnit)
  }

  /** The peer refused us by name: there is no use in asking again soon. */
  refused(id: string, nowMs: number, randomUnit: number): void {
    const member = this.#members.find(({ endpoint }) => endpoint.id === id)
    if (member === undefined) return
    member.backoff.nextMs(randomUnit)
    member.retryAtMs = nowMs + this.#maxMs / 2 + (this.#maxMs / 2) * randomUnit
  }

  /** A handshake succeeded: it may be used at once, but only a life of some length proves it well (`provedWell`). */
  succeeded(id: string): void {
    const member = this.#members.find(({ endpoint }) => endpoint.id === id)
    if (member !== undefined) member.retryAtMs = 0
  }

  /** A connection has lived: the next failure is a first one. */
  provedWell(id: string): void {
    this.#members.find(({ endpoint }) => endpoint.id === id)?.backoff.reset()
  }

  /** The name was re-bound or the application asked anew: nobody waits. */
  forgive(): void {
    for (const member of this.#members) member.retryAtMs = 0
  }
}

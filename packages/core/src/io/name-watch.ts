/**
 * Follows one name: runs a discovery's watch, restarts it when it ends or fails, and keeps the last good set.
 *
 * Rules: an empty set and an error are temporary by definition and change nothing but the reason shown. A watch that
 * ends without having been asked to (a static list) is simply finished.
 */
import type { Cloneable } from '../plugin/cloneable.ts'
import type { Endpoint, IoDiscovery } from '../plugin/discovery.ts'
import type { NameTarget } from '../plugin/protocol.ts'
import type { IoEnvironment } from './environment.ts'

/** As ns-router's restart delay. */
const RESTART_MS = 100

export interface NameEvents {
  onEndpoints(endpoints: readonly Endpoint[]): void
  onTrouble(reason: string): void
}

export class NameWatch {
  readonly #abort = new AbortController()
  readonly #environment: IoEnvironment
  readonly #events: NameEvents

  constructor(
    discovery: IoDiscovery<Cloneable>,
    options: Cloneable,
    name: NameTarget,
    environment: IoEnvironment,
    events: NameEvents,
  ) {
    this.#environment = environment
    this.#events = events
    void this.#follow(discovery, options, name)
  }

  stop(): void {
    this.#abort.abort()
  }

  async #follow(discovery: IoDiscovery<Cloneable>, options: Cloneable, name: NameTarget): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        for await (const endpoints of discovery.watch(name.target, options, {
          signal,
          portDefault: name.portDefault,
        })) {
          if (signal.aborted) return
          if (endpoints.length > 0) this.#events.onEndpoints(endpoints)
          else this.#events.onTrouble('the name stands for no address')
        }
        return
      } catch (error) {
        if (signal.aborted) return
        this.#events.onTrouble(error instanceof Error ? error.message : String(error))
      }
      await new Promise<void>((resolve) => {
        this.#environment.after(RESTART_MS, resolve)
      })
    }
  }
}

/**
 * What this thread knows of the connections that replies come over: facts to decode with, and the address for errors.
 */
import type { Cloneable } from '../plugin/cloneable.ts'

export interface Origin {
  readonly endpoint: string | undefined
  readonly facts: Cloneable
}

const UNKNOWN: Origin = { endpoint: undefined, facts: undefined }

export class Origins {
  readonly #known = new Map<number, Origin>()
  /** The last one asked for: replies come in runs from one connection. */
  #id = -1
  #origin: Origin = UNKNOWN

  of(id: number): Origin {
    if (id !== this.#id) {
      this.#id = id
      this.#origin = this.#known.get(id) ?? UNKNOWN
    }
    return this.#origin
  }

  set(id: number, origin: Origin): void {
    this.#known.set(id, origin)
    this.#id = -1
  }

  /** The connection is gone, and every reply that came over it lies before this in the ring. */
  delete(id: number): void {
    this.#known.delete(id)
    this.#id = -1
  }
}

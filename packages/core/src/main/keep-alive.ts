/**
 * Keeps the process alive while somebody waits for the I/O thread, and only then.
 *
 * Rules: every reason is counted; the handle (a port, or a timer inline) is referenced while there is one. An idle
 * kernel has none.
 */
import { assert } from '../shared/assert.ts'

export interface Referable {
  ref(): unknown
  unref(): unknown
}

export class KeepAlive {
  #handle: Referable | undefined
  #reasons = 0

  /** The handle of the moment; it changes when the I/O thread is replaced. */
  use(handle: Referable | undefined): void {
    this.#handle?.unref()
    this.#handle = handle
    if (this.#reasons > 0) handle?.ref()
  }

  add(): void {
    if (this.#reasons++ === 0) this.#handle?.ref()
  }

  remove(): void {
    assert(this.#reasons > 0, 'a reason to stay alive is given up once')
    if (--this.#reasons === 0) this.#handle?.unref()
  }

  /** Stays alive until `work` settles. */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    this.add()
    try {
      return await work
    } finally {
      this.remove()
    }
  }
}

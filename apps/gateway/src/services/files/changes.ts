/**
 * Changes as JSON lines, to everybody who listens, for as long as they do.
 *
 * Rules: nobody is waited for: a listener with more than `WAITING_BYTES_MAX` unread loses his connection, and sees by
 * that that he has missed something. A line is written at the beginning, so that a listener knows that he listens.
 */
import type { ServerResponse } from 'node:http'

export class Changes {
  readonly #listeners = new Set<ServerResponse>()

  get hasRoom(): boolean {
    return this.#listeners.size < LISTENERS_MAX
  }

  /** Dispose of what it returns when the listener is gone. */
  add(listener: ServerResponse): Disposable {
    this.#listeners.add(listener)
    listener.write('{"change":"listening"}\n')
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  tell(change: Readonly<Record<string, unknown>>): void {
    const line = `${JSON.stringify(change)}\n`
    for (const listener of this.#listeners) {
      if (listener.writableLength > WAITING_BYTES_MAX) listener.destroy()
      else listener.write(line)
    }
  }
}

/** Each holds a connection. */
const LISTENERS_MAX = 200
/** Some thousand changes. */
const WAITING_BYTES_MAX = 1 << 20

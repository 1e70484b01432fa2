/**
 * What the server has reported of its parameters (ParameterStatus), and whether a request has changed one.
 *
 * Rules:
 * 1. A parameter that differs at the end of a request from what it was before was changed by it, and is there for
 *    whoever comes next: the connection is dirty. One that was changed and is back (SET LOCAL on servers before 14,
 *    which report each change at once) is not.
 * 2. `in_hot_standby` and `default_transaction_read_only` say what the server is, not what a caller did.
 * 3. What changes while nobody waits is the server's configuration.
 *
 * Limits: since version 14 a changed configuration may be reported with the next request's end, and is then taken for
 * that request's doing: a lane more than necessary is replaced. Parameters that are not reported (`statement_timeout`,
 * settings of the application's own) are for the audit to find.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'

/** A server reports some fifteen; proxies add a few. More than this is no server that we know. */
const PARAMETERS_MAX = 256

export class Parameters {
  readonly #values = new Map<string, string>()
  /** Those that the request under way has changed, as they were before it. */
  readonly #before = new Map<string, string | undefined>()

  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  snapshot(): { readonly [name: string]: string } {
    return Object.fromEntries(this.#values)
  }

  /** Takes the ParameterStatus frame in bytes[start, end). `asked`: a request is under way. */
  take(bytes: Buffer, start: number, end: number, asked: boolean): void {
    const nameEnd = bytes.indexOf(0, start + HEADER_BYTES)
    const valueEnd = nameEnd < 0 ? -1 : bytes.indexOf(0, nameEnd + 1)
    if (valueEnd !== end - 1) throw new RemoteProtocolError('a ParameterStatus holds something else than two texts')
    const name = bytes.toString('utf8', start + HEADER_BYTES, nameEnd)
    const value = bytes.toString('utf8', nameEnd + 1, valueEnd)
    const known = this.#values.get(name)
    if (known === undefined && this.#values.size >= PARAMETERS_MAX) {
      throw new RemoteProtocolError(`the server reports more than ${PARAMETERS_MAX} parameters`)
    }
    this.#values.set(name, value)
    if (!asked || OF_THE_SERVER.has(name)) return
    if (!this.#before.has(name)) {
      if (known !== value) this.#before.set(name, known)
    } else if (this.#before.get(name) === value) this.#before.delete(name)
  }

  /** The request under way has ended. True when it leaves a parameter changed. */
  settle(): boolean {
    if (this.#before.size === 0) return false
    this.#before.clear()
    return true
  }
}

/** Type byte and length. */
const HEADER_BYTES = 5
const OF_THE_SERVER: ReadonlySet<string> = new Set(['in_hot_standby', 'default_transaction_read_only'])

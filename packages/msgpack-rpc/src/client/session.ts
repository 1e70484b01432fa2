/**
 * A session: one connection lent to one caller, for peers that keep something by connection (Neovim: subscriptions,
 * attached user interfaces).
 *
 * Rules: what a caller leaves on it ends with it: the protocol cannot undo anything, so the connection is closed and
 * nobody else gets it. A lost connection ends the session, and every further call says so. What the peer sends unasked
 * over it goes to the client's `on` and `handle`, like everything else.
 */
import type { SessionLink } from '@iokernel/core/plugin'
import { checkCount } from '@iokernel/core/toolkit'
import { Caller, type Calls } from './caller.ts'
import type { Methods } from './methods.ts'

export interface RpcSession extends Calls, AsyncDisposable {
  /** Gives the connection back. Idempotent. */
  close(): Promise<void>
  /** True once the connection is lost. */
  readonly lost: boolean
}

/** Gives sessions back that nobody can use any more. */
const forgotten = new FinalizationRegistry<SessionLink>((link) => {
  link.close().catch(() => undefined)
})

export class SessionCaller extends Caller implements RpcSession {
  readonly #link: SessionLink

  constructor(link: SessionLink, methods: Methods) {
    super(link, methods)
    this.#link = link
    forgotten.register(this, link, this)
  }

  get lost(): boolean {
    return this.#link.lost
  }

  async close(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    forgotten.unregister(this)
    await this.#link.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * A session: one connection lent to one caller.
 *
 * Rules: what a caller does to it ends with it: it is reset before anyone else uses it. A lost connection ends it, and
 * every further call says so; nothing is silently begun anew. One that is forgotten is given back when its object is
 * collected, which may be late: close it.
 */
import type { SessionLink } from '@iokernel/core/plugin'
import { checkCount } from '@iokernel/core/toolkit'
import { Caller, type CallerParts } from './caller.ts'
import type { SqlTypes } from './dialect.ts'

/** Gives sessions back that nobody can use any more. */
const forgotten = new FinalizationRegistry<SessionLink>((link) => {
  link.close().catch(() => undefined)
})

export class SessionCaller<Types extends SqlTypes> extends Caller<Types> {
  protected readonly sessionLink: SessionLink

  constructor(link: SessionLink, parts: CallerParts<Types>) {
    super(link, parts, 'session')
    this.sessionLink = link
    forgotten.register(this, link, this)
  }

  get lost(): boolean {
    return this.sessionLink.lost
  }

  async close(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    forgotten.unregister(this)
    await this.sessionLink.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

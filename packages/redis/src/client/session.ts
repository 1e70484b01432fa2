/**
 * A session: one connection lent to one caller, with everything that needs one.
 *
 * Rules: what a caller does to it (SELECT, WATCH, CLIENT SETNAME) ends with it: it is reset before anyone else uses
 * it. A lost connection ends it, and every further call says so; nothing is silently begun anew, for what was watched
 * is forgotten.
 */
import type { CallOptions, SessionLink } from '@iokernel/core/plugin'
import { checkCount } from '@iokernel/core/toolkit'
import type { RedisReply } from '../codec/resp3.ts'
import { Caller } from './caller.ts'
import { ANY_NUMBER, command } from './command.ts'
import type { RedisCommands } from './command-set.ts'
import type { RedisMulti } from './multi.ts'
import { status } from './replies.ts'
import type { Key, Rest, Some, Value } from './types.ts'

export interface RedisSession<Text extends string | Uint8Array = string> extends RedisCommands<Text>, AsyncDisposable {
  /** Any command by name; also those that a shared connection refuses. */
  call(name: string, ...parameters: Rest<Value>): Promise<RedisReply<Text>>
  /** A batch; its `exec()` resolves to null when a watched key was changed. */
  multi(): RedisMulti<Text, [], null>
  watch(...keys: Some<Key>): Promise<'OK'>
  unwatch(options?: CallOptions): Promise<'OK'>
  /** Gives the connection back. Idempotent. */
  close(): Promise<void>
  /** True once the connection is lost. */
  readonly lost: boolean
  /** The same session with bytes where the other has text. */
  readonly bytes: RedisSession<Uint8Array>
}

export function redisSession<Text extends string | Uint8Array>(
  link: SessionLink,
  asBytes: boolean,
): RedisSession<Text> {
  return new SessionCaller(link, asBytes) as unknown as RedisSession<Text>
}

class SessionCaller extends Caller {
  readonly #link: SessionLink

  constructor(link: SessionLink, asBytes: boolean) {
    super(link, asBytes, 'session')
    this.#link = link
  }

  get lost(): boolean {
    return this.#link.lost
  }

  get bytes(): SessionCaller {
    return new SessionCaller(this.#link, true)
  }

  watch(...keys: Some<Key>): unknown {
    return this.runGiven(WATCH, keys)
  }

  unwatch(...given: unknown[]): unknown {
    return this.runGiven(UNWATCH, given)
  }

  async close(...given: unknown[]): Promise<void> {
    checkCount(given, 0)
    await this.#link.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#link.close()
  }
}

const WATCH = command({ words: 'WATCH', takes: [1, ANY_NUMBER], reply: status })
const UNWATCH = command({ words: 'UNWATCH', takes: [0, 0], reply: status })

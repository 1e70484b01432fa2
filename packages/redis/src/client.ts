/**
 * The client: what an application holds in its hands.
 *
 * Rules:
 * 1. Every call may be made at once and un-awaited; they reach the server in order, over one connection for each
 *    endpoint.
 * 2. What needs a connection of its own gets one without being asked: blocking commands, subscriptions,
 *    invalidations. What would change the shared one is refused with the name of what to use instead.
 * 3. Text in, text out; bytes in, either out: `client.bytes` is the same client with `Uint8Array` where this one has
 *    strings.
 */
import type { CallOptions, Link, UpstreamHandle, UpstreamState } from '@iokernel/core/plugin'
import {
  CLOSE_OPTIONS,
  checkCount,
  type FeedOptions,
  optionsAfter,
  type Subscription,
  WAIT_OPTIONS,
  wrong,
} from '@iokernel/core/toolkit'
import { Caller } from './client/caller.ts'
import type { Command } from './client/command.ts'
import type { RedisCommands } from './client/command-set.ts'
import type { RedisMulti } from './client/multi.ts'
import { type Invalidation, type InvalidationOptions, invalidations, type Message, subscribe } from './client/pubsub.ts'
import type { Scored } from './client/replies.ts'
import { type ScanKeysOptions, type ScanOptions, scanFields, scanKeys, scanMembers, scanScored } from './client/scan.ts'
import { type RedisScript, redisScript, type ScriptOptions } from './client/script.ts'
import { type RedisSession, redisSession } from './client/session.ts'
import type { Key, Rest, Value } from './client/types.ts'
import type { Argument } from './codec/encode.ts'
import type { RedisReply } from './codec/resp3.ts'
import { CALL_OPTIONS } from './options.ts'

/** Names, and perhaps options last. */
export type Names = [...names: Key[], last: Key | FeedOptions]

export interface RedisClient<Text extends string | Uint8Array = string> extends RedisCommands<Text>, AsyncDisposable {
  /** Any command by name: `call('OBJECT', 'HELP')`. A map is a `Map`, a set an array; RESP2 has arrays for both. */
  call(name: string, ...parameters: Rest<Value>): Promise<RedisReply<Text>>
  /** Commands that leave as one request and are executed with nobody's in between. */
  multi(): RedisMulti<Text, [], never>
  /** A connection to oneself, for WATCH, SELECT and everything else that belongs to one. Close it. */
  session(options?: CallOptions): Promise<RedisSession<Text>>
  /** The same for as long as `work` lasts. */
  session<Result>(work: (session: RedisSession<Text>) => Promise<Result>, options?: CallOptions): Promise<Result>

  subscribe(...channels: Names): Subscription<Message<Text>>
  psubscribe(...patterns: Names): Subscription<Message<Text>>
  ssubscribe(...shardChannels: Names): Subscription<Message<Text>>
  /** Keys that others write, for a cache of one's own (CLIENT TRACKING with BCAST). Needs RESP3. */
  invalidations(options?: InvalidationOptions): Subscription<Invalidation<Text>>

  /** Every key, page by page. */
  scan(options?: ScanKeysOptions): AsyncGenerator<Text, void, undefined>
  hscan(key: Key, options?: ScanOptions): AsyncGenerator<[field: Text, value: Text], void, undefined>
  sscan(key: Key, options?: ScanOptions): AsyncGenerator<Text, void, undefined>
  zscan(key: Key, options?: ScanOptions): AsyncGenerator<Scored<Text>, void, undefined>

  /**
   * A script that is sent once and called by its digest: `const add = client.script(source); await add([key], [1])`.
   */
  script(source: string, options?: ScriptOptions): RedisScript<Text>

  /** The same client with bytes where this one has text. */
  readonly bytes: RedisClient<Uint8Array>
  readonly state: UpstreamState
  /** Resolves when calls can be answered. */
  ready(options?: { readonly deadlineMs?: number; readonly signal?: AbortSignal }): Promise<void>
  onState(listener: (state: UpstreamState) => void): Disposable
  /** Lets what is in flight finish, then gives the upstream up. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>
}

export function redisClient(link: Link): RedisClient {
  return new ClientCaller(link, false) as unknown as RedisClient
}

class ClientCaller extends Caller {
  #bytes: ClientCaller | undefined

  constructor(link: Link, asBytes: boolean) {
    super(link, asBytes, 'lane')
  }

  get bytes(): ClientCaller {
    this.#bytes ??= this.asBytes ? this : new ClientCaller(this.link, true)
    return this.#bytes
  }

  get state(): UpstreamState {
    return this.#upstream.state
  }

  async ready(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, WAIT_OPTIONS)
    await this.#upstream.ready(options)
  }

  onState(...given: unknown[]): Disposable {
    checkCount(given, 1)
    const listener = given[0]
    if (typeof listener !== 'function') throw wrong('the listener of onState() is a function')
    return this.#upstream.onState(listener as (state: UpstreamState) => void)
  }

  async close(...given: unknown[]): Promise<void> {
    const options = optionsAfter(0, given, CLOSE_OPTIONS)
    await this.#upstream.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#upstream.close()
  }

  async session(...given: unknown[]): Promise<unknown> {
    const work = given[0]
    if (typeof work !== 'function') {
      return redisSession(await this.link.session(optionsAfter(0, given, CALL_OPTIONS)), this.asBytes)
    }
    const session = redisSession<string>(await this.link.session(optionsAfter(1, given, CALL_OPTIONS)), this.asBytes)
    try {
      return await (work as (session: RedisSession) => Promise<unknown>)(session)
    } finally {
      await session.close()
    }
  }

  subscribe(...channels: unknown[]): unknown {
    return subscribe(this.link, 'channel', channels, this.asBytes)
  }

  psubscribe(...patterns: unknown[]): unknown {
    return subscribe(this.link, 'pattern', patterns, this.asBytes)
  }

  ssubscribe(...shardChannels: unknown[]): unknown {
    return subscribe(this.link, 'shard', shardChannels, this.asBytes)
  }

  invalidations(...given: unknown[]): unknown {
    return invalidations(this.link, given, this.asBytes)
  }

  scan(...given: unknown[]): unknown {
    return scanKeys(this.#ask, given)
  }

  hscan(...given: unknown[]): unknown {
    return scanFields(this.#ask, given)
  }

  sscan(...given: unknown[]): unknown {
    return scanMembers(this.#ask, given)
  }

  zscan(...given: unknown[]): unknown {
    return scanScored(this.#ask, given)
  }

  script(...given: unknown[]): unknown {
    return redisScript(this.#ask, given)
  }

  get #upstream(): UpstreamHandle {
    return this.link.upstream
  }

  readonly #ask = (
    command: Command,
    parameters: readonly Argument[],
    options: CallOptions | undefined,
  ): Promise<unknown> => this.run(command, parameters, options)
}

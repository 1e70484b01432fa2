/**
 * The client: what an application holds in its hands.
 *
 * Rules:
 * 1. Every call may be made at once and un-awaited. They leave in their order over one connection; answers come in any.
 * 2. The peer speaks over the same connection: its notifications are read with `on`, its requests answered with
 *    `handle`. Calls, handlers and calls inside of handlers may be nested as deep as both sides like.
 * 3. Values are what the codec of the target makes of them (codec/values.ts).
 */
import type { CallOptions, Link, UpstreamHandle, UpstreamState, WaitOptions } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  CLOSE_OPTIONS,
  checkCount,
  type FeedOptions,
  optionsAfter,
  WAIT_OPTIONS,
  wrong,
} from '@iokernel/core/toolkit'
import { Caller, type Calls } from './client/caller.ts'
import { type HandleOptions, handle, type Registration, type RequestHandler } from './client/handlers.ts'
import { Methods } from './client/methods.ts'
import { type Notifications, notifications } from './client/notifications.ts'
import { type RpcSession, SessionCaller } from './client/session.ts'
import type { ValueCodec } from './codec/values.ts'

export interface RpcClient extends Calls, AsyncDisposable {
  /** The peer's notifications of this name, until the loop is left. */
  on(method: string, options?: FeedOptions): Notifications
  /** Answers the peer's requests of this name, until the registration is closed. */
  handle(method: string, handler: RequestHandler, options?: HandleOptions): Registration
  /** A connection to oneself. Close it. */
  session(options?: CallOptions): Promise<RpcSession>
  /** The same for as long as `work` lasts. */
  session<Result>(work: (session: RpcSession) => Promise<Result>, options?: CallOptions): Promise<Result>
  readonly state: UpstreamState
  /** Resolves when calls can be answered. */
  ready(options?: WaitOptions): Promise<void>
  onState(listener: (state: UpstreamState) => void): Disposable
  /** Lets what is in flight finish, then gives the upstream up. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>
}

export function rpcClient(link: Link, codec: ValueCodec): RpcClient {
  return new ClientCaller(link, new Methods(codec))
}

class ClientCaller extends Caller implements RpcClient {
  on(...given: unknown[]): Notifications {
    return notifications(this.link, this.methods.codec, given)
  }

  handle(...given: unknown[]): Registration {
    return handle(this.link, this.methods.codec, given)
  }

  session(options?: CallOptions): Promise<RpcSession>
  session<Result>(work: (session: RpcSession) => Promise<Result>, options?: CallOptions): Promise<Result>
  async session(...given: unknown[]): Promise<unknown> {
    const work = given[0]
    if (typeof work !== 'function') return await this.#session(optionsAfter(0, given, CALL_OPTIONS))
    const session = await this.#session(optionsAfter(1, given, CALL_OPTIONS))
    try {
      return await (work as (session: RpcSession) => Promise<unknown>)(session)
    } finally {
      await session.close()
    }
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

  async #session(options: CallOptions | undefined): Promise<RpcSession> {
    return new SessionCaller(await this.link.session(options), this.methods)
  }

  get #upstream(): UpstreamHandle {
    return this.link.upstream
  }
}

/** What a client and a session have in common: calls and notifications go out over a link, and promises come back. */
import type { CallOptions, Link } from '@iokernel/core/plugin'
import { CALL_OPTIONS, checkCount, checkOptions, wrong } from '@iokernel/core/toolkit'
import type { Methods } from './methods.ts'

export interface Calls {
  /**
   * Resolves with the result; rejects with `RpcError` where the peer answered with an error. Results are not checked:
   * `Result` is what the caller knows about the method.
   */
  call<Result = unknown>(method: string, params?: readonly unknown[], options?: CallOptions): Promise<Result>
  /** Nothing answers it: resolves when the operating system has the bytes. */
  notify(method: string, params?: readonly unknown[], options?: CallOptions): Promise<void>
}

export class Caller implements Calls {
  protected readonly link: Link
  protected readonly methods: Methods

  constructor(link: Link, methods: Methods) {
    this.link = link
    this.methods = methods
  }

  call<Result = unknown>(...given: unknown[]): Promise<Result> {
    try {
      const params = paramsIn(given)
      return this.link.request(this.methods.call(given[0]), params, optionsIn(given)) as Promise<Result>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  notify(...given: unknown[]): Promise<void> {
    try {
      const params = paramsIn(given)
      return this.link.request(this.methods.notification(given[0]), params, optionsIn(given))
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

const NONE: readonly unknown[] = []

/** What stands behind the name of a method. */
function paramsIn(given: readonly unknown[]): readonly unknown[] {
  checkCount(given, 3)
  const params = given[1] ?? NONE
  if (!Array.isArray(params)) throw wrong('the params of a call are an array: call(method, [first, second])')
  return params
}

function optionsIn(given: readonly unknown[]): CallOptions | undefined {
  const options = given[2]
  if (options === undefined) return undefined
  checkOptions<CallOptions>(options, CALL_OPTIONS)
  return options
}

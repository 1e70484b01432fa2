/** What a client and a session have in common: commands go out over a link, and promises come back. */
import type { CallOptions, Link, LocalError } from '@iokernel/core/plugin'
import { checkCount, takeOptions } from '@iokernel/core/toolkit'
import type { Argument } from '../codec/encode.ts'
import { CALL_OPTIONS } from '../options.ts'
import { genericCall } from './call.ts'
import { blockingOptions, type Command } from './command.ts'
import { CommandSet } from './command-set.ts'
import { MultiBuilder } from './multi.ts'

export class Caller extends CommandSet {
  protected readonly link: Link
  protected readonly asBytes: boolean
  readonly #place: 'lane' | 'session'

  constructor(link: Link, asBytes: boolean, place: 'lane' | 'session') {
    super()
    this.link = link
    this.asBytes = asBytes
    this.#place = place
  }

  override run(command: Command, parameters: readonly Argument[], options: CallOptions | undefined): Promise<unknown> {
    if (command.blocking !== undefined) {
      const heldMs = command.blockingMs(parameters)
      if (heldMs !== undefined) return this.#runBlocking(command.blocking, parameters, heldMs, options)
    }
    return this.link.request(this.asBytes ? command.bytes : command.text, parameters, options)
  }

  override refuse(error: LocalError): Promise<never> {
    return Promise.reject(error)
  }

  async call(...given: unknown[]): Promise<unknown> {
    const { command, parameters, options } = genericCall(given, this.#place)
    return await this.run(command, parameters, options)
  }

  multi(...given: unknown[]): MultiBuilder {
    checkCount(given, 0)
    const { link, asBytes } = this
    return new MultiBuilder(
      { asBytes, request: (operation, args, options) => link.request(operation, args, options) },
      this.#place,
    )
  }

  /** For methods that are in no table. */
  protected runGiven(command: Command, given: readonly unknown[]): Promise<unknown> {
    const parameters = [...given]
    try {
      const options = takeOptions(parameters, command.fewest, CALL_OPTIONS)
      return this.run(command, parameters as Argument[], options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #runBlocking(
    operations: NonNullable<Command['blocking']>,
    parameters: readonly Argument[],
    heldMs: number,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    const operation = this.asBytes ? operations.bytes : operations.text
    return this.link.request(operation, parameters, blockingOptions(heldMs, options))
  }
}

/**
 * MULTI: commands that leave as one request and are executed with nobody's in between.
 *
 * Rules:
 * 1. A batch is one call: written contiguously, answered by as many replies as it has commands and two more. The hint
 *    of its request tells the framer so.
 * 2. A command that fails while it runs is an element, a `RedisError`; the others have run (Redis does not roll back).
 * 3. A command that is refused while it is queued aborts all of it: the batch is rejected with `EXECABORT`, which
 *    names the command by its place and has the server's error as its cause.
 * 4. `exec()` resolves to null when a watched key was changed; only a session can watch.
 *
 * Limits: what blocks elsewhere does not block here; what is tied to the connection's state is refused when it is
 * added.
 */
import type { ByteWriter, CallOptions, Cloneable, Operation, ReplyBytes } from '@iokernel/core/plugin'
import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import { optionsAfter } from '@iokernel/core/toolkit'
import type { Place } from '../codec/commands.ts'
import { type Argument, headBytes } from '../codec/encode.ts'
import { RedisError } from '../codec/errors.ts'
import { decodeReplies } from '../codec/reply.ts'
import type { AnyReply, RedisReply } from '../codec/resp3.ts'
import { CALL_OPTIONS } from '../options.ts'
import { genericCall } from './call.ts'
import type { Command } from './command.ts'
import { CommandSet, type RedisCommands } from './command-set.ts'
import type { Value } from './types.ts'

/**
 * A batch under construction: every command method adds to it and returns it. `Results` grows by what each command
 * returns; `Conflict` is null where keys may be watched.
 */
export type RedisMulti<Text extends string | Uint8Array, Results extends readonly unknown[], Conflict> = {
  readonly [Method in keyof RedisCommands<Text>]: RedisCommands<Text>[Method] extends (
    ...given: infer Given
  ) => Promise<infer Result>
    ? (...given: Given) => RedisMulti<Text, [...Results, Result | RedisError], Conflict>
    : never
} & {
  /** Any command by name. */
  call(name: string, ...parameters: Value[]): RedisMulti<Text, [...Results, RedisReply<Text>], Conflict>
  /** Sends the batch. A batch is sent once. */
  exec(options?: CallOptions): Promise<Results | Conflict>
  /** Commands so far. */
  readonly length: number
}

/** What a batch needs of whoever sends it. */
export interface MultiSender {
  readonly asBytes: boolean
  request<Args, Reply>(operation: Operation<Args, Reply>, args: Args, options?: CallOptions): Promise<Reply>
}

interface Queued {
  readonly command: Command
  readonly parameters: readonly Argument[]
}

interface Batch {
  readonly queued: readonly Queued[]
  readonly asBytes: boolean
}

/** Commands in one batch: Redis holds them all, and all their replies, before anything else is served. */
const COMMANDS_MAX = 100_000

export class MultiBuilder extends CommandSet {
  readonly #sender: MultiSender
  readonly #place: Place
  readonly #queued: Queued[] = []
  #sent = false

  constructor(sender: MultiSender, place: 'lane' | 'session') {
    super()
    this.#sender = sender
    // On a session the batch may do what the session may.
    this.#place = place === 'session' ? 'session' : 'multi'
  }

  get length(): number {
    return this.#queued.length
  }

  override run(command: Command, parameters: readonly Argument[], options: CallOptions | undefined): this {
    if (options !== undefined)
      throw new LocalError('ARGUMENT', 'options belong to the whole batch: give them to exec()')
    if (this.#sent) throw new LocalError('ARGUMENT', 'this batch was sent: begin another with multi()')
    if (this.#queued.length >= COMMANDS_MAX)
      throw new LocalError('ARGUMENT', `a batch takes at most ${COMMANDS_MAX} commands`)
    this.#queued.push({ command, parameters })
    return this
  }

  override refuse(error: LocalError): never {
    throw error
  }

  call(...given: unknown[]): this {
    const { command, parameters, options } = genericCall(given, this.#place)
    return this.run(command, parameters, options)
  }

  async exec(...given: unknown[]): Promise<unknown[] | null> {
    const options = optionsAfter(0, given, CALL_OPTIONS)
    if (this.#sent) throw new LocalError('ARGUMENT', 'this batch was sent: begin another with multi()')
    this.#sent = true
    return await this.#sender.request(MULTI, { queued: this.#queued, asBytes: this.#sender.asBytes }, options)
  }
}

const HEAD = headBytes(['MULTI'], 0)
const TAIL = headBytes(['EXEC'], 0)

const MULTI: Operation<Batch, unknown[] | null> = {
  name: 'MULTI',
  access: 'write',
  on: 'lane',
  idempotent: false,
  encode(out: ByteWriter, batch: Batch): number {
    out.copy(HEAD)
    for (const { command, parameters } of batch.queued) command.encode(out, parameters)
    out.copy(TAIL)
    // OK, one QUEUED each, and EXEC's reply: so many more than one.
    return batch.queued.length + 1
  },
  decode(reply: ReplyBytes, batch: Batch, facts: Cloneable): unknown[] | null {
    const { queued, asBytes } = batch
    const replies = decodeReplies(reply, facts, asBytes)
    if (replies.length !== queued.length + 2) {
      throw new RemoteProtocolError(`${replies.length} replies to a batch of ${queued.length} commands`)
    }
    const results = replies.at(-1) as AnyReply
    if (results instanceof RedisError) throw aborted(results, replies, queued)
    if (results === null) return null
    if (!Array.isArray(results) || results.length !== queued.length) {
      throw new RemoteProtocolError('EXEC did not return one result for each command')
    }
    return results.map((result, index) => resultOf(result, queued[index] as Queued, asBytes))
  },
}

function resultOf(result: AnyReply, { command, parameters }: Queued, asBytes: boolean): unknown {
  if (result instanceof RedisError) return result
  const { reply } = command
  return reply.element === undefined ? reply.convert(result, asBytes, parameters) : reply.element(result)
}

/** EXECABORT says that some command was refused; the replies before it say which. */
function aborted(error: RedisError, replies: readonly AnyReply[], queued: readonly Queued[]): RedisError {
  const at = replies.findIndex((reply) => reply instanceof RedisError)
  const cause = replies[at]
  if (!(cause instanceof RedisError) || at === replies.length - 1) return error
  // The first reply is MULTI's own.
  if (at === 0) return cause
  const commandIndex = at - 1
  const name = (queued[commandIndex] as Queued).command.name
  return new RedisError(
    error.code,
    `${name}, command ${commandIndex} of the batch, was refused: ${cause.code} ${cause.message}`,
    {
      cause,
      fields: { commandIndex, command: name },
    },
  )
}

/**
 * The methods that clients, sessions and batches have in common: one for each row of the tables.
 *
 * Rules: a method only sorts what it was given (parameters, options) and passes it on to `run`, which a client
 * answers with a promise and a batch with itself. Nothing is looked up per call: each method knows its command.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { checkOptions, isPlainObject, takeOptions } from '@iokernel/core/toolkit'
import type { Argument } from '../codec/encode.ts'
import { CALL_OPTIONS } from '../options.ts'
import { ANY_NUMBER, type Command, type CommandRow, command } from './command.ts'
import { type HashCommands, hashCommands } from './hashes.ts'
import { type KeyCommands, keyCommands } from './keys.ts'
import { type ListCommands, listCommands } from './lists.ts'
import { type ServerCommands, serverCommands } from './server.ts'
import { type SetCommands, setCommands } from './sets.ts'
import { type SortedSetCommands, sortedSetCommands } from './sorted-sets.ts'
import { type StreamCommands, streamCommands } from './streams.ts'
import { type StringCommands, stringCommands } from './strings.ts'

/** Every typed command. `Text` is `string`, or `Uint8Array` in the view of bytes. */
export interface RedisCommands<Text>
  extends StringCommands<Text>,
    KeyCommands<Text>,
    HashCommands<Text>,
    ListCommands<Text>,
    SetCommands<Text>,
    SortedSetCommands<Text>,
    StreamCommands<Text>,
    ServerCommands<Text> {}

/** What a method hands its parameters to. */
export abstract class CommandSet {
  abstract run(command: Command, parameters: readonly Argument[], options: CallOptions | undefined): unknown
  /** What a method returns when what it was given cannot be sent. */
  abstract refuse(error: LocalError): unknown
}

/** Every command by the name of its method. */
export const COMMANDS: ReadonlyMap<string, Command> = install([
  stringCommands,
  keyCommands,
  hashCommands,
  listCommands,
  setCommands,
  sortedSetCommands,
  streamCommands,
  serverCommands,
])

function install(tables: readonly { readonly [method: string]: CommandRow }[]): ReadonlyMap<string, Command> {
  const commands = new Map<string, Command>()
  for (const table of tables) {
    for (const [method, row] of Object.entries(table)) {
      const known = command(row)
      commands.set(method, known)
      Object.defineProperty(CommandSet.prototype, method, {
        value: row.takes[1] === 1 && row.takes[0] === 1 ? oneParameter(known) : anyParameters(known),
        writable: true,
        configurable: true,
      })
    }
  }
  return commands
}

/** GET and its like, without a look at how many parameters there are. */
function oneParameter(known: Command): (this: CommandSet, ...given: [Argument, CallOptions?]) => unknown {
  return function one(this: CommandSet, parameter: Argument, options?: CallOptions, ...rest: unknown[]): unknown {
    if (options !== undefined || rest.length > 0) {
      const problem =
        rest.length > 0 || !isPlainObject(options)
          ? tooMany(known)
          : problemOf(() => checkOptions(options, CALL_OPTIONS))
      if (problem !== undefined) return this.refuse(problem)
    }
    return this.run(known, [parameter], options)
  }
}

function anyParameters(known: Command): (this: CommandSet, ...given: unknown[]) => unknown {
  return function any(this: CommandSet, ...given: unknown[]): unknown {
    let options: CallOptions | undefined
    const last = given[given.length - 1]
    // The common case, told apart cheaply: the last parameter is text.
    if (typeof last === 'object' || last === undefined) {
      const problem = problemOf(() => {
        options = takeOptions(given, known.fewest, CALL_OPTIONS)
      })
      if (problem !== undefined) return this.refuse(problem)
    }
    return this.run(known, given as Argument[], options)
  }
}

function problemOf(check: () => void): LocalError | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof LocalError) return error as LocalError
    throw error
  }
}

function tooMany(known: Command): LocalError {
  return new LocalError('ARGUMENT', `${known.name} takes 1 argument, and options as an object`)
}

/** For the generic `call`: a command that no table knows. */
export const UNBOUNDED: readonly [number, number] = [0, ANY_NUMBER]

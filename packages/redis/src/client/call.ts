/**
 * `call(command, ...arguments)`: any command, by name.
 *
 * Rules:
 * 1. The name decides once what the command is (read or write, refused, blocking); its operation is kept by the name
 *    as it was written.
 * 2. Names are labels of statistics, so their number is bounded: beyond `NAMES_MAX` new ones share the name OTHER.
 * 3. Typed methods and `call` go through the same refusals, for both could name a command that must not be sent.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { takeOptions } from '@iokernel/core/toolkit'
import { hasSubcommands, type Place, refusalOf, wordOf } from '../codec/commands.ts'
import type { Argument } from '../codec/encode.ts'
import { CALL_OPTIONS } from '../options.ts'
import { type Command, command } from './command.ts'
import { COMMANDS, UNBOUNDED } from './command-set.ts'
import { raw } from './replies.ts'

export interface GenericCall {
  readonly command: Command
  readonly parameters: readonly Argument[]
  readonly options: CallOptions | undefined
}

/** Redis has some 250 commands, its modules 200; each may be written in two cases. */
const NAMES_MAX = 1024

const known = new Map<string, Command>()
const other = command({ words: 'OTHER', takes: UNBOUNDED, reply: raw })

/** Sorts what `call` was given, or throws `LocalError`. */
export function genericCall(given: unknown[], place: Place): GenericCall {
  const options = takeOptions(given, fewestOf(given), CALL_OPTIONS)
  const name = given[0]
  if (typeof name !== 'string' || name === '') {
    throw new LocalError('ARGUMENT', 'a call begins with the name of a command: call("GET", key)')
  }
  const parameters = given.slice(1) as Argument[]
  const upper = name.toUpperCase()
  const refusal = refusalOf(upper, parameters[0], place)
  if (refusal !== undefined) throw refused(upper, parameters[0], refusal)
  return { command: commandOf(upper, parameters[0]), parameters, options }
}

/** How much of what was given must be there, with the name; of a command in no table only the name. */
function fewestOf(given: readonly unknown[]): number {
  const [name, second] = given
  if (typeof name !== 'string') return 1
  const upper = name.toUpperCase()
  const alone = FEWEST.get(upper)
  if (alone !== undefined) return 1 + alone
  const word = wordOf(second)
  const together = word === undefined ? undefined : FEWEST.get(`${upper} ${word}`)
  return together === undefined ? 1 : 2 + together
}

/** By the words of the tables. */
const FEWEST: ReadonlyMap<string, number> = new Map([...COMMANDS.values()].map(({ name, fewest }) => [name, fewest]))

function refused(name: string, subcommand: Argument | undefined, instead: string): LocalError {
  const word = wordOf(subcommand)
  const words = hasSubcommands(name) && word !== undefined ? `${name} ${word}` : name
  return new LocalError('REFUSED', `${words} is not sent from here: ${instead}`)
}

function commandOf(name: string, subcommand: Argument | undefined): Command {
  // Only MEMORY reads under some second words and writes under others.
  const word = name === 'MEMORY' ? wordOf(subcommand) : undefined
  const key = word !== undefined && NAME.test(word) ? `${name} ${word}` : name
  const found = known.get(key)
  if (found !== undefined) return found
  if (!NAME.test(name)) {
    throw new LocalError(
      'ARGUMENT',
      'a command is one word of visible ASCII; further words are arguments: call("CONFIG", "GET", name)',
    )
  }
  if (known.size >= NAMES_MAX) return unnamed(name)
  const made = named(key, name)
  known.set(key, made)
  return made
}

/** An operation that is called `key` and begins with `name`. */
function named(key: string, name: string): Command {
  const made = command({ words: name, takes: UNBOUNDED, reply: raw })
  if (key === name) return made
  const judged = command({ words: key, takes: UNBOUNDED, reply: raw })
  return withJudgement(made, judged)
}

/** Not kept: the label is shared, the bytes are the command's own. */
function unnamed(name: string): Command {
  const made = command({ words: name, takes: UNBOUNDED, reply: raw })
  const rename = (operation: Command['text']): Command['text'] => ({ ...operation, name: other.name })
  return { ...made, name: other.name, text: rename(made.text), bytes: rename(made.bytes) }
}

/** `made`'s bytes with `judged`'s access and idempotence. */
function withJudgement(made: Command, judged: Command): Command {
  const { access, idempotent } = judged.text
  return { ...made, text: { ...made.text, access, idempotent }, bytes: { ...made.bytes, access, idempotent } }
}

const NAME = /^[!-~]+$/

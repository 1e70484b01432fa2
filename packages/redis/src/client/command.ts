/**
 * From a row of a table to an operation of the kernel.
 *
 * Rules:
 * 1. A row says what a command is: its words, how many parameters, what its reply becomes. There is no code per
 *    command.
 * 2. Parameters stand in the order of the Redis documentation. A last plain object is `CallOptions`; a last
 *    `undefined` is none, unless the command would lack a parameter without it.
 * 3. Everything wrong with parameters is found in `encode`, while nothing has left, and is a `LocalError` `ARGUMENT`.
 *
 * Theory of operation: each row becomes a `Command`: operations for text and for bytes, and where it may block, both
 * again for a session. Which is taken is decided per call by the view the method was called on (`asBytes`) and by the
 * parameters (`blockingMs`).
 */
import type { ByteWriter, CallOptions, Operation } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { blockingMs, isRead, mayBlock } from '../codec/commands.ts'
import { type Argument, headBytes, wordBytes, writeArgument, writeArrayHeader } from '../codec/encode.ts'
import { decodeInteger, decodeReply, decodeStatus, decodeText } from '../codec/reply.ts'
import type { AnyReply } from '../codec/resp3.ts'

/** What a reply becomes. */
export interface ReplyKind {
  /** A decoder that knows the common form; without it, the general one. */
  readonly decode?: typeof decodeReply
  /** From the general value to the caller's. */
  convert(value: AnyReply, asBytes: boolean, parameters: readonly Argument[]): unknown
  /** The same for an element of EXEC's array, whose type byte is gone. */
  element?(value: AnyReply): unknown
}

export interface CommandRow {
  /** `GET`, `XINFO STREAM`. */
  readonly words: string
  readonly reply: ReplyKind
  /** Fewest and most parameters. */
  readonly takes: readonly [min: number, max: number]
  /** From this parameter on they come in pairs. */
  readonly pairsFrom?: number
  /** Written after the parameters. */
  readonly suffix?: string
}

/** What a method hands over. */
export type Parameters = readonly Argument[]

export type CommandOperation = Operation<Parameters, unknown>

export interface Command {
  readonly name: string
  readonly text: CommandOperation
  readonly bytes: CommandOperation
  /** The same on a connection of its own, for calls that block. */
  readonly blocking: { readonly text: CommandOperation; readonly bytes: CommandOperation } | undefined
  readonly reply: ReplyKind
  /** Parameters that it needs. */
  readonly fewest: number
  encode(out: ByteWriter, parameters: Parameters): number
  /** How long this call may be held by the server; `undefined` when it is not. */
  blockingMs(parameters: Parameters): number | undefined
}

/**
 * On top of what the server may take to answer a blocking call: a connection may have to be opened for it, and Redis
 * looks for blocked clients ten times a second.
 */
export const BLOCKING_SLACK_MS = 5_000

export const ANY_NUMBER: number = Number.MAX_SAFE_INTEGER

export function command(row: CommandRow): Command {
  const words = row.words.split(' ')
  const verb = words[0] as string
  const encode = encoderOf(row, words)
  const isReading = isRead(verb, words[1])
  const operations = (on: 'lane' | 'session') => ({
    text: operation(row, isReading, on, encode, false),
    bytes: operation(row, isReading, on, encode, true),
  })
  return {
    name: row.words,
    ...operations('lane'),
    blocking: mayBlock(verb) ? operations('session') : undefined,
    reply: row.reply,
    fewest: row.takes[0],
    encode,
    blockingMs: (parameters) => blockingMs(verb, parameters),
  }
}

/**
 * Options with the deadline that a blocking call needs: its own timeout and some slack, or none when it waits for
 * ever.
 */
export function blockingOptions(heldMs: number, options: CallOptions | undefined): CallOptions {
  if (options?.deadlineMs !== undefined) return options
  return { ...options, deadlineMs: heldMs === 0 ? 0 : Math.ceil(heldMs) + BLOCKING_SLACK_MS }
}

function operation(
  row: CommandRow,
  isReading: boolean,
  on: 'lane' | 'session',
  encode: Command['encode'],
  asBytes: boolean,
): CommandOperation {
  const { reply } = row
  const decode = reply.decode ?? decodeReply
  return {
    name: row.words,
    access: isReading ? 'read' : 'write',
    on,
    // A blocking read that was cut off may have been answered; but it took nothing away, so reads stay reads.
    idempotent: isReading,
    encode,
    decode: (bytes, parameters, facts) => reply.convert(decode(bytes, facts, asBytes), asBytes, parameters),
  }
}

/** Heads are made once for so many parameters; longer calls write theirs. */
const HEADS_MAX = 8

function encoderOf(row: CommandRow, words: readonly string[]): Command['encode'] {
  const [min, max] = row.takes
  const suffixes = row.suffix === undefined ? 0 : 1
  const heads = Array.from({ length: HEADS_MAX }, (_, count) => headBytes(words, count + suffixes))
  const body = wordBytes(words)
  const { pairsFrom, suffix } = row
  return (out, parameters) => {
    const count = parameters.length
    if (count < min || count > max) throw wrongCount(row, count)
    if (pairsFrom !== undefined && (count - pairsFrom) % 2 !== 0) throw oddPairs(row)
    if (count < HEADS_MAX) {
      out.copy(heads[count] as Uint8Array)
    } else {
      writeArrayHeader(out, words.length + count + suffixes)
      out.copy(body)
    }
    for (let index = 0; index < count; index++) writeArgument(out, parameters[index] as Argument)
    if (suffix !== undefined) writeArgument(out, suffix)
    return 0
  }
}

function wrongCount(row: CommandRow, count: number): LocalError {
  const [min, max] = row.takes
  const wanted = max === min ? `${min}` : max === ANY_NUMBER ? `at least ${min}` : `${min} to ${max}`
  return new LocalError('ARGUMENT', `${row.words} takes ${wanted} arguments, ${count} were given`)
}

function oddPairs(row: CommandRow): LocalError {
  return new LocalError('ARGUMENT', `${row.words} takes its last arguments in pairs, and one has no partner`)
}

export const replyDecoders: {
  readonly text: typeof decodeText
  readonly integer: typeof decodeInteger
  readonly status: typeof decodeStatus
} = { text: decodeText, integer: decodeInteger, status: decodeStatus }

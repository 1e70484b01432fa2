/**
 * Scripts: the source is sent once, its digest afterwards.
 *
 * Rules: EVALSHA first; where the server does not know the script (NOSCRIPT: it has restarted, or it is another one)
 * EVAL with the source, which also loads it. NOSCRIPT means that nothing was executed, so this repeats nothing. Many
 * calls that meet NOSCRIPT at once each send the source; loading is idempotent.
 */
import { createHash } from 'node:crypto'
import type { CallOptions } from '@iokernel/core/plugin'
import { type Kind, mustBeBoolean, optionsAfter, wrong } from '@iokernel/core/toolkit'
import type { Argument } from '../codec/encode.ts'
import { RedisError } from '../codec/errors.ts'
import type { RedisReply } from '../codec/resp3.ts'
import { CALL_OPTIONS } from '../options.ts'
import type { Command } from './command.ts'
import { COMMANDS } from './command-set.ts'
import type { Key, Value } from './types.ts'

export interface ScriptOptions {
  /** Declares that it only reads: it may run on replicas, and be sent again. Redis 7. */
  readonly readOnly?: boolean
}

const SCRIPT_OPTIONS: Kind<ScriptOptions> = { title: 'option of a script', checks: { readOnly: mustBeBoolean } }

/** A script, to be called. */
export interface RedisScript<Text extends string | Uint8Array> {
  (keys: readonly Key[], parameters: readonly Value[], options?: CallOptions): Promise<RedisReply<Text>>
  readonly sha1: string
  readonly source: string
}

type Run = (command: Command, parameters: readonly Argument[], options: CallOptions | undefined) => Promise<unknown>

export function redisScript<Text extends string | Uint8Array>(run: Run, given: readonly unknown[]): RedisScript<Text> {
  const options = optionsAfter(1, given, SCRIPT_OPTIONS)
  const source = given[0]
  if (typeof source !== 'string') throw wrong('the source of a script is a string')
  const sha1 = createHash('sha1').update(source).digest('hex')
  const byDigest = COMMANDS.get(options?.readOnly === true ? 'evalshaRo' : 'evalsha') as Command
  const bySource = COMMANDS.get(options?.readOnly === true ? 'evalRo' : 'eval') as Command
  const call = async (...callGiven: unknown[]): Promise<RedisReply<Text>> => {
    const callOptions = optionsAfter(2, callGiven, CALL_OPTIONS)
    const [keys, parameters] = callGiven
    if (!Array.isArray(keys) || !Array.isArray(parameters)) {
      throw wrong('a script is called with a list of keys and a list of parameters: await script([key], [1])')
    }
    const rest: Argument[] = [keys.length, ...(keys as Key[]), ...(parameters as Value[])]
    try {
      return (await run(byDigest, [sha1, ...rest], callOptions)) as RedisReply<Text>
    } catch (error) {
      if (!(error instanceof RedisError) || (error as RedisError).code !== 'NOSCRIPT') throw error
      return (await run(bySource, [source, ...rest], callOptions)) as RedisReply<Text>
    }
  }
  return Object.assign(call, { sha1, source })
}

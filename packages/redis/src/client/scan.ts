/**
 * SCAN and its kin as async iterators.
 *
 * Rules: the next page is asked for when the one before is used up. A cursor is a 64-bit number of the server's own:
 * it is kept as text, and means nothing to another server, so a walk that meets a failover may miss keys or see them
 * again. Redis itself promises to show what was there from beginning to end at least once, and may show things twice.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import type { Argument } from '../codec/encode.ts'
import type { AnyReply } from '../codec/resp3.ts'
import { type Command, command, type ReplyKind } from './command.ts'
import { UNBOUNDED } from './command-set.ts'
import { items, pairsOf, type Scored, scoredOf, wordOf } from './replies.ts'
import type { Key } from './types.ts'

export interface ScanOptions {
  /** A pattern as in KEYS. */
  readonly match?: Key
  /** How much the server looks at for one page; a hint. Redis's default is 10. */
  readonly count?: number
  /** For each page. */
  readonly call?: CallOptions
}

export interface ScanKeysOptions extends ScanOptions {
  /** Only keys of this type: `hash`. */
  readonly type?: string
}

interface Page<Item> {
  readonly cursor: string
  readonly items: Item[]
}

/** Sends one command for one page. */
export type Ask = (
  command: Command,
  parameters: readonly Argument[],
  options: CallOptions | undefined,
) => Promise<unknown>

export function scanKeys<Text>(ask: Ask, options: ScanKeysOptions): AsyncGenerator<Text, void, undefined> {
  const more = options.type === undefined ? [] : ['TYPE', options.type]
  return walk<Text>(ask, SCAN, [], options, more)
}

export function scanFields<Text>(
  ask: Ask,
  key: Key,
  options: ScanOptions,
): AsyncGenerator<[Text, Text], void, undefined> {
  return walk<[Text, Text]>(ask, HSCAN, [key], options, [])
}

export function scanMembers<Text>(ask: Ask, key: Key, options: ScanOptions): AsyncGenerator<Text, void, undefined> {
  return walk<Text>(ask, SSCAN, [key], options, [])
}

export function scanScored<Text>(
  ask: Ask,
  key: Key,
  options: ScanOptions,
): AsyncGenerator<Scored<Text>, void, undefined> {
  return walk<Scored<Text>>(ask, ZSCAN, [key], options, [])
}

async function* walk<Item>(
  ask: Ask,
  of: Command,
  key: readonly Argument[],
  options: ScanOptions,
  more: readonly Argument[],
): AsyncGenerator<Item, void, undefined> {
  const words: Argument[] = [...more]
  if (options.match !== undefined) words.push('MATCH', options.match)
  if (options.count !== undefined) words.push('COUNT', options.count)
  let cursor = '0'
  do {
    const page = (await ask(of, [...key, cursor, ...words], options.call)) as Page<Item>
    yield* page.items
    cursor = page.cursor
  } while (cursor !== '0')
}

function pageOf(itemsOf: (value: AnyReply) => unknown): ReplyKind {
  return {
    convert: (value) => {
      const [cursor, list] = items(value)
      const text = wordOf(cursor)
      if (typeof text !== 'string') throw new RemoteProtocolError('a page of SCAN without a cursor')
      return { cursor: text, items: itemsOf(list as AnyReply) }
    },
  }
}

const SCAN = command({ words: 'SCAN', takes: UNBOUNDED, reply: pageOf(items) })
const HSCAN = command({ words: 'HSCAN', takes: UNBOUNDED, reply: pageOf(pairsOf) })
const SSCAN = command({ words: 'SSCAN', takes: UNBOUNDED, reply: pageOf(items) })
const ZSCAN = command({ words: 'ZSCAN', takes: UNBOUNDED, reply: pageOf(scoredOf) })

/**
 * SCAN and its kin as async iterators.
 *
 * Rules: the next page is asked for when the one before is used up. A cursor is a 64-bit number of the server's own:
 * it is kept as text, and means nothing to another server, so a walk that meets a failover may miss keys or see them
 * again. Redis itself promises to show what was there from beginning to end at least once, and may show things twice.
 */
import type { CallOptions } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import {
  isTextOrBytes,
  type Kind,
  mustBeCount,
  mustBeText,
  mustBeTextOrBytes,
  optionsAfter,
  problemIn,
  wrong,
} from '@iokernel/core/toolkit'
import type { Argument } from '../codec/encode.ts'
import type { AnyReply } from '../codec/resp3.ts'
import { CALL_OPTIONS } from '../options.ts'
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

const SCAN_OPTIONS: Kind<ScanOptions> = {
  title: 'option of a scan',
  checks: { match: mustBeTextOrBytes, count: mustBeCount, call: (value) => problemIn(value, CALL_OPTIONS) },
}

const SCAN_KEYS_OPTIONS: Kind<ScanKeysOptions> = {
  title: 'option of a scan',
  checks: { ...SCAN_OPTIONS.checks, type: mustBeText },
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

export function scanKeys<Text>(ask: Ask, given: readonly unknown[]): AsyncGenerator<Text, void, undefined> {
  const options = optionsAfter(0, given, SCAN_KEYS_OPTIONS) ?? {}
  const more = options.type === undefined ? [] : ['TYPE', options.type]
  return walk<Text>(ask, SCAN, [], options, more)
}

export function scanFields<Text>(ask: Ask, given: readonly unknown[]): AsyncGenerator<[Text, Text], void, undefined> {
  return walkKey<[Text, Text]>(ask, HSCAN, given)
}

export function scanMembers<Text>(ask: Ask, given: readonly unknown[]): AsyncGenerator<Text, void, undefined> {
  return walkKey<Text>(ask, SSCAN, given)
}

export function scanScored<Text>(ask: Ask, given: readonly unknown[]): AsyncGenerator<Scored<Text>, void, undefined> {
  return walkKey<Scored<Text>>(ask, ZSCAN, given)
}

/** Checks what was given at once: the body of a generator would run with its first page. */
function walkKey<Item>(ask: Ask, of: Command, given: readonly unknown[]): AsyncGenerator<Item, void, undefined> {
  const options = optionsAfter(1, given, SCAN_OPTIONS) ?? {}
  const key = given[0]
  if (!isTextOrBytes(key)) throw wrong('a key is a string or a Uint8Array')
  return walk<Item>(ask, of, [key], options, [])
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

/** Streams. XREAD and XREADGROUP with BLOCK wait on a connection of their own; without it they share. */
import type { CallOptions } from '@iokernel/core/plugin'
import type { RedisReply } from '../codec/resp3.ts'
import { ANY_NUMBER } from './command.ts'
import {
  entries,
  fields,
  integer,
  list,
  raw,
  type StreamEntries,
  type StreamEntry,
  status,
  streams,
  word,
} from './replies.ts'
import type { Key, Rest, Some, Table, Value } from './types.ts'

export interface StreamCommands<Text> {
  xack(key: Key, group: Key, ...ids: Some<string>): Promise<number>
  /**
   * `xadd(key, 'MAXLEN', '~', 1000, '*', field, value, ...)`: the id; null with `'NOMKSTREAM'` where there is no
   * stream.
   */
  xadd(key: Key, ...wordsIdAndFields: Rest<Value>): Promise<string | null>
  /** `[next id, entries, deleted ids]`. */
  xautoclaim(
    key: Key,
    group: Key,
    consumer: Key,
    minIdleMilliseconds: number,
    start: string,
    ...words: Rest<Value>
  ): Promise<RedisReply<string | Uint8Array>>
  /** Without `'JUSTID'`. */
  xclaim(
    key: Key,
    group: Key,
    consumer: Key,
    minIdleMilliseconds: number,
    ...idsAndWords: Rest<Value>
  ): Promise<StreamEntry<Text>[]>
  xdel(key: Key, ...ids: Some<string>): Promise<number>
  /** `xgroupCreate(key, group, '$', 'MKSTREAM')`. */
  xgroupCreate(key: Key, group: Key, id: string, ...words: Rest<Value>): Promise<'OK'>
  xgroupCreateconsumer(key: Key, group: Key, consumer: Key, options?: CallOptions): Promise<number>
  xgroupDelconsumer(key: Key, group: Key, consumer: Key, options?: CallOptions): Promise<number>
  xgroupDestroy(key: Key, group: Key, options?: CallOptions): Promise<number>
  xgroupSetid(key: Key, group: Key, id: string, ...words: Rest<Value>): Promise<'OK'>
  xinfoStream(key: Key, ...words: Rest<Value>): Promise<Record<string, RedisReply<string | Uint8Array>>>
  xinfoGroups(key: Key, options?: CallOptions): Promise<RedisReply<string | Uint8Array>>
  xlen(key: Key, options?: CallOptions): Promise<number>
  /** The summary; with more words, the list of what is pending. */
  xpending(key: Key, group: Key, ...words: Rest<Value>): Promise<RedisReply<string | Uint8Array>>
  xrange(key: Key, start: string, end: string, ...count: Rest<Value>): Promise<StreamEntry<Text>[]>
  /** `xread('COUNT', 10, 'BLOCK', 1000, 'STREAMS', key, ..., id, ...)`: null when nothing came. */
  xread(...words: Rest<Value>): Promise<StreamEntries<Text>[] | null>
  /** `xreadgroup('GROUP', group, consumer, 'STREAMS', key, '>')`. */
  xreadgroup(...words: Rest<Value>): Promise<StreamEntries<Text>[] | null>
  xrevrange(key: Key, end: string, start: string, ...count: Rest<Value>): Promise<StreamEntry<Text>[]>
  xtrim(key: Key, ...words: Rest<Value>): Promise<number>
}

export const streamCommands: Table<StreamCommands<string>> = {
  xack: { words: 'XACK', takes: [3, ANY_NUMBER], reply: integer },
  xadd: { words: 'XADD', takes: [4, ANY_NUMBER], reply: word },
  xautoclaim: { words: 'XAUTOCLAIM', takes: [5, 8], reply: raw },
  xclaim: { words: 'XCLAIM', takes: [5, ANY_NUMBER], reply: entries },
  xdel: { words: 'XDEL', takes: [2, ANY_NUMBER], reply: integer },
  xgroupCreate: { words: 'XGROUP CREATE', takes: [3, 6], reply: status },
  xgroupCreateconsumer: { words: 'XGROUP CREATECONSUMER', takes: [3, 3], reply: integer },
  xgroupDelconsumer: { words: 'XGROUP DELCONSUMER', takes: [3, 3], reply: integer },
  xgroupDestroy: { words: 'XGROUP DESTROY', takes: [2, 2], reply: integer },
  xgroupSetid: { words: 'XGROUP SETID', takes: [3, 5], reply: status },
  xinfoStream: {
    words: 'XINFO STREAM',
    takes: [1, 4],
    // The names are the protocol's own, so they are a record in every view.
    reply: { convert: (value) => fields.convert(value, false, []) },
  },
  xinfoGroups: { words: 'XINFO GROUPS', takes: [1, 1], reply: raw },
  xlen: { words: 'XLEN', takes: [1, 1], reply: integer },
  xpending: { words: 'XPENDING', takes: [2, 8], reply: list },
  xrange: { words: 'XRANGE', takes: [3, 5], reply: entries },
  xread: { words: 'XREAD', takes: [3, ANY_NUMBER], reply: streams },
  xreadgroup: { words: 'XREADGROUP', takes: [6, ANY_NUMBER], reply: streams },
  xrevrange: { words: 'XREVRANGE', takes: [3, 5], reply: entries },
  xtrim: { words: 'XTRIM', takes: [3, 6], reply: integer },
}

/** Lists. Those that begin with `b` wait on a connection of their own; their timeout is in seconds, 0 for ever. */
import type { CallOptions } from '@iokernel/core/plugin'
import { ANY_NUMBER } from './command.ts'
import { integer, list, popped, status, text } from './replies.ts'
import type { Key, Rest, Some, Table, Value } from './types.ts'

type Side = 'LEFT' | 'RIGHT'

/** What was taken, and from which key. */
export interface Popped<Text> {
  readonly key: Text
  readonly values: Text[]
}

export interface ListCommands<Text> {
  blmove(
    source: Key,
    destination: Key,
    from: Side,
    to: Side,
    timeout: number,
    options?: CallOptions,
  ): Promise<Text | null>
  /** `blmpop(timeout, keyCount, key, ..., 'LEFT', 'COUNT', 10)`. */
  blmpop(timeout: number, keyCount: number, ...keysAndWords: Rest<Value>): Promise<Popped<Text> | null>
  /** `blpop(key, ..., timeout)`: the key and the element, or null. */
  blpop(...keysAndTimeout: Rest<Value>): Promise<[key: Text, element: Text] | null>
  brpop(...keysAndTimeout: Rest<Value>): Promise<[key: Text, element: Text] | null>
  brpoplpush(source: Key, destination: Key, timeout: number, options?: CallOptions): Promise<Text | null>
  lindex(key: Key, index: number, options?: CallOptions): Promise<Text | null>
  linsert(key: Key, where: 'BEFORE' | 'AFTER', pivot: Value, element: Value, options?: CallOptions): Promise<number>
  llen(key: Key, options?: CallOptions): Promise<number>
  lmove(source: Key, destination: Key, from: Side, to: Side, options?: CallOptions): Promise<Text | null>
  lmpop(keyCount: number, ...keysAndWords: Rest<Value>): Promise<Popped<Text> | null>
  lpop(key: Key, options?: CallOptions): Promise<Text | null>
  lpop(key: Key, count: number, options?: CallOptions): Promise<Text[] | null>
  /** `lpos(key, element, 'RANK', -1, 'MAXLEN', 100)`. With COUNT: `call('LPOS', ...)`. */
  lpos(key: Key, element: Value, ...words: Rest<Value>): Promise<number | null>
  lpush(key: Key, ...elements: Some<Value>): Promise<number>
  lpushx(key: Key, ...elements: Some<Value>): Promise<number>
  lrange(key: Key, start: number, stop: number, options?: CallOptions): Promise<Text[]>
  lrem(key: Key, count: number, element: Value, options?: CallOptions): Promise<number>
  lset(key: Key, index: number, element: Value, options?: CallOptions): Promise<'OK'>
  ltrim(key: Key, start: number, stop: number, options?: CallOptions): Promise<'OK'>
  rpop(key: Key, options?: CallOptions): Promise<Text | null>
  rpop(key: Key, count: number, options?: CallOptions): Promise<Text[] | null>
  rpoplpush(source: Key, destination: Key, options?: CallOptions): Promise<Text | null>
  rpush(key: Key, ...elements: Some<Value>): Promise<number>
  rpushx(key: Key, ...elements: Some<Value>): Promise<number>
}

export const listCommands: Table<ListCommands<string>> = {
  blmove: { words: 'BLMOVE', takes: [5, 5], reply: text },
  blmpop: { words: 'BLMPOP', takes: [4, ANY_NUMBER], reply: popped },
  blpop: { words: 'BLPOP', takes: [2, ANY_NUMBER], reply: list },
  brpop: { words: 'BRPOP', takes: [2, ANY_NUMBER], reply: list },
  brpoplpush: { words: 'BRPOPLPUSH', takes: [3, 3], reply: text },
  lindex: { words: 'LINDEX', takes: [2, 2], reply: text },
  linsert: { words: 'LINSERT', takes: [4, 4], reply: integer },
  llen: { words: 'LLEN', takes: [1, 1], reply: integer },
  lmove: { words: 'LMOVE', takes: [4, 4], reply: text },
  lmpop: { words: 'LMPOP', takes: [3, ANY_NUMBER], reply: popped },
  lpop: { words: 'LPOP', takes: [1, 2], reply: text },
  lpos: { words: 'LPOS', takes: [2, 6], reply: integer },
  lpush: { words: 'LPUSH', takes: [2, ANY_NUMBER], reply: integer },
  lpushx: { words: 'LPUSHX', takes: [2, ANY_NUMBER], reply: integer },
  lrange: { words: 'LRANGE', takes: [3, 3], reply: list },
  lrem: { words: 'LREM', takes: [3, 3], reply: integer },
  lset: { words: 'LSET', takes: [3, 3], reply: status },
  ltrim: { words: 'LTRIM', takes: [3, 3], reply: status },
  rpop: { words: 'RPOP', takes: [1, 2], reply: text },
  rpoplpush: { words: 'RPOPLPUSH', takes: [2, 2], reply: text },
  rpush: { words: 'RPUSH', takes: [2, ANY_NUMBER], reply: integer },
  rpushx: { words: 'RPUSHX', takes: [2, ANY_NUMBER], reply: integer },
}

/** Hashes. */
import type { CallOptions } from '@iokernel/core/plugin'
import { ANY_NUMBER } from './command.ts'
import { type Fields, fields, integer, list, text, word } from './replies.ts'
import type { Integer, Key, Rest, Some, Table, Value } from './types.ts'

export interface HashCommands<Text> {
  hdel(key: Key, ...fields: Some<Key>): Promise<number>
  hexists(key: Key, field: Key, options?: CallOptions): Promise<number>
  hget(key: Key, field: Key, options?: CallOptions): Promise<Text | null>
  hgetall(key: Key, options?: CallOptions): Promise<Fields<Text>>
  hincrby(key: Key, field: Key, increment: Integer, options?: CallOptions): Promise<Integer>
  /** The sum as Redis prints it. */
  hincrbyfloat(key: Key, field: Key, increment: number | string, options?: CallOptions): Promise<string>
  hkeys(key: Key, options?: CallOptions): Promise<Text[]>
  hlen(key: Key, options?: CallOptions): Promise<number>
  hmget(key: Key, ...fields: Some<Key>): Promise<(Text | null)[]>
  /** One field, or null where there is no hash. With a count: `call('HRANDFIELD', ...)`. */
  hrandfield(key: Key, options?: CallOptions): Promise<Text | null>
  /** `hset(key, field, value, field, value, ...)`: how many fields are new. */
  hset(key: Key, field: Key, value: Value, ...more: Rest<Value>): Promise<number>
  hsetnx(key: Key, field: Key, value: Value, options?: CallOptions): Promise<number>
  hstrlen(key: Key, field: Key, options?: CallOptions): Promise<number>
  hvals(key: Key, options?: CallOptions): Promise<Text[]>
}

export const hashCommands: Table<HashCommands<string>> = {
  hdel: { words: 'HDEL', takes: [2, ANY_NUMBER], reply: integer },
  hexists: { words: 'HEXISTS', takes: [2, 2], reply: integer },
  hget: { words: 'HGET', takes: [2, 2], reply: text },
  hgetall: { words: 'HGETALL', takes: [1, 1], reply: fields },
  hincrby: { words: 'HINCRBY', takes: [3, 3], reply: integer },
  hincrbyfloat: { words: 'HINCRBYFLOAT', takes: [3, 3], reply: word },
  hkeys: { words: 'HKEYS', takes: [1, 1], reply: list },
  hlen: { words: 'HLEN', takes: [1, 1], reply: integer },
  hmget: { words: 'HMGET', takes: [2, ANY_NUMBER], reply: list },
  hrandfield: { words: 'HRANDFIELD', takes: [1, 1], reply: text },
  hset: { words: 'HSET', takes: [3, ANY_NUMBER], reply: integer, pairsFrom: 1 },
  hsetnx: { words: 'HSETNX', takes: [3, 3], reply: integer },
  hstrlen: { words: 'HSTRLEN', takes: [2, 2], reply: integer },
  hvals: { words: 'HVALS', takes: [1, 1], reply: list },
}

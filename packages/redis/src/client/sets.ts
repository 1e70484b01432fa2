/** Sets. */
import type { CallOptions } from '@iokernel/core/plugin'
import { ANY_NUMBER } from './command.ts'
import { integer, list, text } from './replies.ts'
import type { Key, Rest, Some, Table, Value } from './types.ts'

export interface SetCommands<Text> {
  sadd(key: Key, ...members: Some<Value>): Promise<number>
  scard(key: Key, options?: CallOptions): Promise<number>
  sdiff(...keys: Some<Key>): Promise<Text[]>
  sdiffstore(destination: Key, ...keys: Some<Key>): Promise<number>
  sinter(...keys: Some<Key>): Promise<Text[]>
  /** `sintercard(keyCount, key, ..., 'LIMIT', 10)`. */
  sintercard(keyCount: number, ...keysAndWords: Rest<Value>): Promise<number>
  sinterstore(destination: Key, ...keys: Some<Key>): Promise<number>
  sismember(key: Key, member: Value, options?: CallOptions): Promise<number>
  smembers(key: Key, options?: CallOptions): Promise<Text[]>
  smismember(key: Key, ...members: Some<Value>): Promise<number[]>
  smove(source: Key, destination: Key, member: Value, options?: CallOptions): Promise<number>
  spop(key: Key, options?: CallOptions): Promise<Text | null>
  spop(key: Key, count: number, options?: CallOptions): Promise<Text[]>
  srandmember(key: Key, options?: CallOptions): Promise<Text | null>
  srandmember(key: Key, count: number, options?: CallOptions): Promise<Text[]>
  srem(key: Key, ...members: Some<Value>): Promise<number>
  sunion(...keys: Some<Key>): Promise<Text[]>
  sunionstore(destination: Key, ...keys: Some<Key>): Promise<number>
}

export const setCommands: Table<SetCommands<string>> = {
  sadd: { words: 'SADD', takes: [2, ANY_NUMBER], reply: integer },
  scard: { words: 'SCARD', takes: [1, 1], reply: integer },
  sdiff: { words: 'SDIFF', takes: [1, ANY_NUMBER], reply: list },
  sdiffstore: { words: 'SDIFFSTORE', takes: [2, ANY_NUMBER], reply: integer },
  sinter: { words: 'SINTER', takes: [1, ANY_NUMBER], reply: list },
  sintercard: { words: 'SINTERCARD', takes: [2, ANY_NUMBER], reply: integer },
  sinterstore: { words: 'SINTERSTORE', takes: [2, ANY_NUMBER], reply: integer },
  sismember: { words: 'SISMEMBER', takes: [2, 2], reply: integer },
  smembers: { words: 'SMEMBERS', takes: [1, 1], reply: list },
  smismember: { words: 'SMISMEMBER', takes: [2, ANY_NUMBER], reply: list },
  smove: { words: 'SMOVE', takes: [3, 3], reply: integer },
  spop: { words: 'SPOP', takes: [1, 2], reply: text },
  srandmember: { words: 'SRANDMEMBER', takes: [1, 2], reply: text },
  srem: { words: 'SREM', takes: [2, ANY_NUMBER], reply: integer },
  sunion: { words: 'SUNION', takes: [1, ANY_NUMBER], reply: list },
  sunionstore: { words: 'SUNIONSTORE', takes: [2, ANY_NUMBER], reply: integer },
}

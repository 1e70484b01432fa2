/** Keys of every type, and when they expire. */
import type { CallOptions } from '@iokernel/core/plugin'
import { ANY_NUMBER } from './command.ts'
import { integer, list, status, text, word } from './replies.ts'
import type { Key, Rest, Some, Table, Value } from './types.ts'

type ExpireCondition = 'NX' | 'XX' | 'GT' | 'LT'

export interface KeyCommands<Text> {
  /** `copy(source, destination, 'DB', 1, 'REPLACE')`. */
  copy(source: Key, destination: Key, ...words: Rest<Value>): Promise<number>
  del(...keys: Some<Key>): Promise<number>
  /** The serialised value: read it in the view of bytes. */
  dump(key: Key, options?: CallOptions): Promise<Text | null>
  exists(...keys: Some<Key>): Promise<number>
  expire(key: Key, seconds: number, ...condition: Rest<ExpireCondition>): Promise<number>
  expireat(key: Key, unixSeconds: number, ...condition: Rest<ExpireCondition>): Promise<number>
  expiretime(key: Key, options?: CallOptions): Promise<number>
  /** Every key that matches: holds the server up while it looks. Prefer `scan`. */
  keys(pattern: Key, options?: CallOptions): Promise<Text[]>
  move(key: Key, database: number, options?: CallOptions): Promise<number>
  objectEncoding(key: Key, options?: CallOptions): Promise<string | null>
  objectFreq(key: Key, options?: CallOptions): Promise<number | null>
  objectIdletime(key: Key, options?: CallOptions): Promise<number | null>
  objectRefcount(key: Key, options?: CallOptions): Promise<number | null>
  persist(key: Key, options?: CallOptions): Promise<number>
  pexpire(key: Key, milliseconds: number, ...condition: Rest<ExpireCondition>): Promise<number>
  pexpireat(key: Key, unixMilliseconds: number, ...condition: Rest<ExpireCondition>): Promise<number>
  pexpiretime(key: Key, options?: CallOptions): Promise<number>
  pttl(key: Key, options?: CallOptions): Promise<number>
  randomkey(options?: CallOptions): Promise<Text | null>
  rename(key: Key, newKey: Key, options?: CallOptions): Promise<'OK'>
  renamenx(key: Key, newKey: Key, options?: CallOptions): Promise<number>
  /** `restore(key, ttlMilliseconds, dump, 'REPLACE')`. */
  restore(key: Key, ttlMilliseconds: number, serialised: Uint8Array, ...words: Rest<Value>): Promise<'OK'>
  touch(...keys: Some<Key>): Promise<number>
  ttl(key: Key, options?: CallOptions): Promise<number>
  type(key: Key, options?: CallOptions): Promise<string>
  unlink(...keys: Some<Key>): Promise<number>
}

export const keyCommands: Table<KeyCommands<string>> = {
  copy: { words: 'COPY', takes: [2, 5], reply: integer },
  del: { words: 'DEL', takes: [1, ANY_NUMBER], reply: integer },
  dump: { words: 'DUMP', takes: [1, 1], reply: text },
  exists: { words: 'EXISTS', takes: [1, ANY_NUMBER], reply: integer },
  expire: { words: 'EXPIRE', takes: [2, 3], reply: integer },
  expireat: { words: 'EXPIREAT', takes: [2, 3], reply: integer },
  expiretime: { words: 'EXPIRETIME', takes: [1, 1], reply: integer },
  keys: { words: 'KEYS', takes: [1, 1], reply: list },
  move: { words: 'MOVE', takes: [2, 2], reply: integer },
  objectEncoding: { words: 'OBJECT ENCODING', takes: [1, 1], reply: word },
  objectFreq: { words: 'OBJECT FREQ', takes: [1, 1], reply: integer },
  objectIdletime: { words: 'OBJECT IDLETIME', takes: [1, 1], reply: integer },
  objectRefcount: { words: 'OBJECT REFCOUNT', takes: [1, 1], reply: integer },
  persist: { words: 'PERSIST', takes: [1, 1], reply: integer },
  pexpire: { words: 'PEXPIRE', takes: [2, 3], reply: integer },
  pexpireat: { words: 'PEXPIREAT', takes: [2, 3], reply: integer },
  pexpiretime: { words: 'PEXPIRETIME', takes: [1, 1], reply: integer },
  pttl: { words: 'PTTL', takes: [1, 1], reply: integer },
  randomkey: { words: 'RANDOMKEY', takes: [0, 0], reply: text },
  rename: { words: 'RENAME', takes: [2, 2], reply: status },
  renamenx: { words: 'RENAMENX', takes: [2, 2], reply: integer },
  restore: { words: 'RESTORE', takes: [3, 8], reply: status },
  touch: { words: 'TOUCH', takes: [1, ANY_NUMBER], reply: integer },
  ttl: { words: 'TTL', takes: [1, 1], reply: integer },
  type: { words: 'TYPE', takes: [1, 1], reply: word },
  unlink: { words: 'UNLINK', takes: [1, ANY_NUMBER], reply: integer },
}

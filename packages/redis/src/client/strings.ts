/** Strings, bitmaps and HyperLogLogs. */
import type { CallOptions } from '@iokernel/core/plugin'
import { ANY_NUMBER } from './command.ts'
import { integer, list, status, text, word } from './replies.ts'
import type { Integer, Key, Rest, Some, Table, Value } from './types.ts'

export interface StringCommands<Text> {
  append(key: Key, value: Value, options?: CallOptions): Promise<number>
  decr(key: Key, options?: CallOptions): Promise<Integer>
  decrby(key: Key, decrement: Integer, options?: CallOptions): Promise<Integer>
  get(key: Key, options?: CallOptions): Promise<Text | null>
  getdel(key: Key, options?: CallOptions): Promise<Text | null>
  /** `getex(key, 'EX', 10)`, `'PX'`, `'EXAT'`, `'PXAT'`, `'PERSIST'`. */
  getex(key: Key, ...expiry: Rest<Value>): Promise<Text | null>
  getrange(key: Key, start: number, end: number, options?: CallOptions): Promise<Text>
  getset(key: Key, value: Value, options?: CallOptions): Promise<Text | null>
  incr(key: Key, options?: CallOptions): Promise<Integer>
  incrby(key: Key, increment: Integer, options?: CallOptions): Promise<Integer>
  /** The sum as Redis prints it: up to 17 significant digits, more than a number may hold. */
  incrbyfloat(key: Key, increment: number | string, options?: CallOptions): Promise<string>
  mget(...keys: Some<Key>): Promise<(Text | null)[]>
  /** `mset(key, value, key, value, ...)`. */
  mset(key: Key, value: Value, ...more: Rest<Value>): Promise<'OK'>
  msetnx(key: Key, value: Value, ...more: Rest<Value>): Promise<number>
  psetex(key: Key, milliseconds: number, value: Value, options?: CallOptions): Promise<'OK'>
  set(key: Key, value: Value, options?: CallOptions): Promise<'OK'>
  /** `set(key, value, 'EX', 10, 'NX')`: null where the condition did not hold, the old value with `'GET'`. */
  set(key: Key, value: Value, ...words: Rest<Value>): Promise<'OK' | Text | null>
  setex(key: Key, seconds: number, value: Value, options?: CallOptions): Promise<'OK'>
  setnx(key: Key, value: Value, options?: CallOptions): Promise<number>
  setrange(key: Key, offset: number, value: Value, options?: CallOptions): Promise<number>
  strlen(key: Key, options?: CallOptions): Promise<number>

  bitcount(key: Key, ...range: Rest<Value>): Promise<number>
  /** `bitfield(key, 'INCRBY', 'u8', 0, 1, 'GET', ...)`: one result each; null where an overflow failed. */
  bitfield(key: Key, ...operations: Rest<Value>): Promise<(Integer | null)[]>
  bitop(operation: 'AND' | 'OR' | 'XOR' | 'NOT', destination: Key, ...keys: Some<Key>): Promise<number>
  bitpos(key: Key, bit: 0 | 1, ...range: Rest<Value>): Promise<number>
  getbit(key: Key, offset: number, options?: CallOptions): Promise<number>
  setbit(key: Key, offset: number, value: 0 | 1, options?: CallOptions): Promise<number>

  pfadd(key: Key, ...elements: Rest<Value>): Promise<number>
  pfcount(...keys: Some<Key>): Promise<number>
  pfmerge(destination: Key, ...sources: Rest<Key>): Promise<'OK'>
}

export const stringCommands: Table<StringCommands<string>> = {
  append: { words: 'APPEND', takes: [2, 2], reply: integer },
  decr: { words: 'DECR', takes: [1, 1], reply: integer },
  decrby: { words: 'DECRBY', takes: [2, 2], reply: integer },
  get: { words: 'GET', takes: [1, 1], reply: text },
  getdel: { words: 'GETDEL', takes: [1, 1], reply: text },
  getex: { words: 'GETEX', takes: [1, ANY_NUMBER], reply: text },
  getrange: { words: 'GETRANGE', takes: [3, 3], reply: text },
  getset: { words: 'GETSET', takes: [2, 2], reply: text },
  incr: { words: 'INCR', takes: [1, 1], reply: integer },
  incrby: { words: 'INCRBY', takes: [2, 2], reply: integer },
  incrbyfloat: { words: 'INCRBYFLOAT', takes: [2, 2], reply: word },
  mget: { words: 'MGET', takes: [1, ANY_NUMBER], reply: list },
  mset: { words: 'MSET', takes: [2, ANY_NUMBER], reply: status, pairsFrom: 0 },
  msetnx: { words: 'MSETNX', takes: [2, ANY_NUMBER], reply: integer, pairsFrom: 0 },
  psetex: { words: 'PSETEX', takes: [3, 3], reply: status },
  set: { words: 'SET', takes: [2, ANY_NUMBER], reply: status },
  setex: { words: 'SETEX', takes: [3, 3], reply: status },
  setnx: { words: 'SETNX', takes: [2, 2], reply: integer },
  setrange: { words: 'SETRANGE', takes: [3, 3], reply: integer },
  strlen: { words: 'STRLEN', takes: [1, 1], reply: integer },

  bitcount: { words: 'BITCOUNT', takes: [1, 4], reply: integer },
  bitfield: { words: 'BITFIELD', takes: [1, ANY_NUMBER], reply: list },
  bitop: { words: 'BITOP', takes: [3, ANY_NUMBER], reply: integer },
  bitpos: { words: 'BITPOS', takes: [2, 5], reply: integer },
  getbit: { words: 'GETBIT', takes: [2, 2], reply: integer },
  setbit: { words: 'SETBIT', takes: [3, 3], reply: integer },

  pfadd: { words: 'PFADD', takes: [1, ANY_NUMBER], reply: integer },
  pfcount: { words: 'PFCOUNT', takes: [1, ANY_NUMBER], reply: integer },
  pfmerge: { words: 'PFMERGE', takes: [1, ANY_NUMBER], reply: status },
}

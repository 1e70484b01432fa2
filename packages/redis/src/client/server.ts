/** Scripts and functions as Redis writes them, publishing, and the server itself. */
import type { CallOptions } from '@iokernel/core/plugin'
import type { RedisReply } from '../codec/resp3.ts'
import { ANY_NUMBER } from './command.ts'
import { integer, list, raw, status, text, time, word, words } from './replies.ts'
import type { Key, Rest, Some, Table, Value } from './types.ts'

type AnyText = string | Uint8Array

export interface ServerCommands<Text> {
  /** `eval(source, keyCount, key, ..., argument, ...)`. Prefer `script(source)`, which sends the source once. */
  eval(source: string, keyCount: number, ...keysAndArguments: Rest<Value>): Promise<RedisReply<Text & AnyText>>
  evalRo(source: string, keyCount: number, ...keysAndArguments: Rest<Value>): Promise<RedisReply<Text & AnyText>>
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: Rest<Value>): Promise<RedisReply<Text & AnyText>>
  evalshaRo(sha1: string, keyCount: number, ...keysAndArguments: Rest<Value>): Promise<RedisReply<Text & AnyText>>
  fcall(name: string, keyCount: number, ...keysAndArguments: Rest<Value>): Promise<RedisReply<Text & AnyText>>
  fcallRo(name: string, keyCount: number, ...keysAndArguments: Rest<Value>): Promise<RedisReply<Text & AnyText>>
  functionDelete(library: string, options?: CallOptions): Promise<'OK'>
  /** `functionLoad('REPLACE', source)`: the library's name. */
  functionLoad(...wordsAndSource: Some<string>): Promise<string>
  scriptExists(...sha1: Some<string>): Promise<number[]>
  scriptFlush(...mode: Rest<'ASYNC' | 'SYNC'>): Promise<'OK'>
  scriptLoad(source: string, options?: CallOptions): Promise<string>

  /** How many received it. */
  publish(channel: Key, message: Value, options?: CallOptions): Promise<number>
  spublish(channel: Key, message: Value, options?: CallOptions): Promise<number>
  pubsubChannels(...pattern: Rest<Key>): Promise<Text[]>
  pubsubNumpat(options?: CallOptions): Promise<number>

  clientId(options?: CallOptions): Promise<number>
  clientInfo(options?: CallOptions): Promise<string>
  clientList(...words: Rest<Value>): Promise<string>
  configGet(...parameters: Some<string>): Promise<Record<string, string>>
  /** `configSet(parameter, value, ...)`. */
  configSet(parameter: string, value: Value, ...more: Rest<Value>): Promise<'OK'>
  dbsize(options?: CallOptions): Promise<number>
  echo(message: Value, options?: CallOptions): Promise<Text>
  flushall(...mode: Rest<'ASYNC' | 'SYNC'>): Promise<'OK'>
  flushdb(...mode: Rest<'ASYNC' | 'SYNC'>): Promise<'OK'>
  info(...sections: Rest<string>): Promise<string>
  lastsave(options?: CallOptions): Promise<number>
  memoryUsage(key: Key, ...words: Rest<Value>): Promise<number | null>
  ping(options?: CallOptions): Promise<string>
  role(options?: CallOptions): Promise<RedisReply<Text & AnyText>>
  /** The server's clock. */
  time(options?: CallOptions): Promise<Date>
}

export const serverCommands: Table<ServerCommands<string>> = {
  eval: { words: 'EVAL', takes: [2, ANY_NUMBER], reply: raw },
  evalRo: { words: 'EVAL_RO', takes: [2, ANY_NUMBER], reply: raw },
  evalsha: { words: 'EVALSHA', takes: [2, ANY_NUMBER], reply: raw },
  evalshaRo: { words: 'EVALSHA_RO', takes: [2, ANY_NUMBER], reply: raw },
  fcall: { words: 'FCALL', takes: [2, ANY_NUMBER], reply: raw },
  fcallRo: { words: 'FCALL_RO', takes: [2, ANY_NUMBER], reply: raw },
  functionDelete: { words: 'FUNCTION DELETE', takes: [1, 1], reply: status },
  functionLoad: { words: 'FUNCTION LOAD', takes: [1, 2], reply: word },
  scriptExists: { words: 'SCRIPT EXISTS', takes: [1, ANY_NUMBER], reply: list },
  scriptFlush: { words: 'SCRIPT FLUSH', takes: [0, 1], reply: status },
  scriptLoad: { words: 'SCRIPT LOAD', takes: [1, 1], reply: word },

  publish: { words: 'PUBLISH', takes: [2, 2], reply: integer },
  spublish: { words: 'SPUBLISH', takes: [2, 2], reply: integer },
  pubsubChannels: { words: 'PUBSUB CHANNELS', takes: [0, 1], reply: list },
  pubsubNumpat: { words: 'PUBSUB NUMPAT', takes: [0, 0], reply: integer },

  clientId: { words: 'CLIENT ID', takes: [0, 0], reply: integer },
  clientInfo: { words: 'CLIENT INFO', takes: [0, 0], reply: word },
  clientList: { words: 'CLIENT LIST', takes: [0, ANY_NUMBER], reply: word },
  configGet: { words: 'CONFIG GET', takes: [1, ANY_NUMBER], reply: words },
  configSet: { words: 'CONFIG SET', takes: [2, ANY_NUMBER], reply: status, pairsFrom: 0 },
  dbsize: { words: 'DBSIZE', takes: [0, 0], reply: integer },
  echo: { words: 'ECHO', takes: [1, 1], reply: text },
  flushall: { words: 'FLUSHALL', takes: [0, 1], reply: status },
  flushdb: { words: 'FLUSHDB', takes: [0, 1], reply: status },
  info: { words: 'INFO', takes: [0, ANY_NUMBER], reply: word },
  lastsave: { words: 'LASTSAVE', takes: [0, 0], reply: integer },
  memoryUsage: { words: 'MEMORY USAGE', takes: [1, 3], reply: integer },
  ping: { words: 'PING', takes: [0, 0], reply: word },
  role: { words: 'ROLE', takes: [0, 0], reply: raw },
  time: { words: 'TIME', takes: [0, 0], reply: time },
}

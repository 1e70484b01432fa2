/** Sorted sets, and the positions that are kept in them. Scores are numbers; infinities may be written as such. */
import type { CallOptions } from '@iokernel/core/plugin'
import { ANY_NUMBER } from './command.ts'
import {
  added,
  double,
  doubles,
  integer,
  keyedScore,
  list,
  poppedScores,
  positions,
  type Scored,
  scored,
  text,
} from './replies.ts'
import type { Key, Rest, Some, Table, Value } from './types.ts'

/** What was taken, and from which key. */
export interface PoppedMembers<Text> {
  readonly key: Text
  readonly members: Scored<Text>[]
}

export interface SortedSetCommands<Text> {
  /** `bzmpop(timeout, keyCount, key, ..., 'MIN')`. */
  bzmpop(timeout: number, keyCount: number, ...keysAndWords: Rest<Value>): Promise<PoppedMembers<Text> | null>
  /** `bzpopmax(key, ..., timeout)`. */
  bzpopmax(...keysAndTimeout: Rest<Value>): Promise<(Scored<Text> & { readonly key: Text }) | null>
  bzpopmin(...keysAndTimeout: Rest<Value>): Promise<(Scored<Text> & { readonly key: Text }) | null>
  /** `zadd(key, 'NX', score, member, score, member, ...)`: how many are new; with `'INCR'` the new score or null. */
  zadd(key: Key, ...wordsAndMembers: Rest<Value>): Promise<number | null>
  zcard(key: Key, options?: CallOptions): Promise<number>
  zcount(key: Key, min: Value, max: Value, options?: CallOptions): Promise<number>
  zdiff(keyCount: number, ...keys: Some<Key>): Promise<Text[]>
  zdiffstore(destination: Key, keyCount: number, ...keys: Some<Key>): Promise<number>
  zincrby(key: Key, increment: number, member: Value, options?: CallOptions): Promise<number>
  /** `zinter(keyCount, key, ..., 'WEIGHTS', 1, 2, 'AGGREGATE', 'MAX')`. */
  zinter(keyCount: number, ...keysAndWords: Rest<Value>): Promise<Text[]>
  zintercard(keyCount: number, ...keysAndWords: Rest<Value>): Promise<number>
  zinterstore(destination: Key, keyCount: number, ...keysAndWords: Rest<Value>): Promise<number>
  zlexcount(key: Key, min: Value, max: Value, options?: CallOptions): Promise<number>
  zmpop(keyCount: number, ...keysAndWords: Rest<Value>): Promise<PoppedMembers<Text> | null>
  zmscore(key: Key, ...members: Some<Value>): Promise<(number | null)[]>
  zpopmax(key: Key, ...count: Rest<number>): Promise<Scored<Text>[]>
  zpopmin(key: Key, ...count: Rest<number>): Promise<Scored<Text>[]>
  zrandmember(key: Key, options?: CallOptions): Promise<Text | null>
  zrandmember(key: Key, count: number, options?: CallOptions): Promise<Text[]>
  /** `zrange(key, start, stop, 'BYSCORE', 'REV', 'LIMIT', 0, 10)`: members only. */
  zrange(key: Key, start: Value, stop: Value, ...words: Rest<Value>): Promise<Text[]>
  /** The same with scores. */
  zrangeWithScores(key: Key, start: Value, stop: Value, ...words: Rest<Value>): Promise<Scored<Text>[]>
  zrangebylex(key: Key, min: Value, max: Value, ...words: Rest<Value>): Promise<Text[]>
  zrangebyscore(key: Key, min: Value, max: Value, ...words: Rest<Value>): Promise<Text[]>
  zrangestore(destination: Key, source: Key, start: Value, stop: Value, ...words: Rest<Value>): Promise<number>
  zrank(key: Key, member: Value, options?: CallOptions): Promise<number | null>
  zrem(key: Key, ...members: Some<Value>): Promise<number>
  zremrangebylex(key: Key, min: Value, max: Value, options?: CallOptions): Promise<number>
  zremrangebyrank(key: Key, start: number, stop: number, options?: CallOptions): Promise<number>
  zremrangebyscore(key: Key, min: Value, max: Value, options?: CallOptions): Promise<number>
  zrevrange(key: Key, start: number, stop: number, options?: CallOptions): Promise<Text[]>
  zrevrangebyscore(key: Key, max: Value, min: Value, ...words: Rest<Value>): Promise<Text[]>
  zrevrank(key: Key, member: Value, options?: CallOptions): Promise<number | null>
  zscore(key: Key, member: Value, options?: CallOptions): Promise<number | null>
  zunion(keyCount: number, ...keysAndWords: Rest<Value>): Promise<Text[]>
  zunionstore(destination: Key, keyCount: number, ...keysAndWords: Rest<Value>): Promise<number>

  /** `geoadd(key, longitude, latitude, member, ...)`. */
  geoadd(key: Key, ...wordsAndMembers: Rest<Value>): Promise<number>
  geodist(key: Key, first: Value, second: Value, ...unit: Rest<'m' | 'km' | 'mi' | 'ft'>): Promise<number | null>
  geohash(key: Key, ...members: Some<Value>): Promise<(Text | null)[]>
  geopos(key: Key, ...members: Some<Value>): Promise<({ longitude: number; latitude: number } | null)[]>
  /** Members only; `'WITHDIST'` and its kin: `call('GEOSEARCH', ...)`. */
  geosearch(key: Key, ...words: Rest<Value>): Promise<Text[]>
}

export const sortedSetCommands: Table<SortedSetCommands<string>> = {
  bzmpop: { words: 'BZMPOP', takes: [4, ANY_NUMBER], reply: poppedScores },
  bzpopmax: { words: 'BZPOPMAX', takes: [2, ANY_NUMBER], reply: keyedScore },
  bzpopmin: { words: 'BZPOPMIN', takes: [2, ANY_NUMBER], reply: keyedScore },
  zadd: { words: 'ZADD', takes: [3, ANY_NUMBER], reply: added },
  zcard: { words: 'ZCARD', takes: [1, 1], reply: integer },
  zcount: { words: 'ZCOUNT', takes: [3, 3], reply: integer },
  zdiff: { words: 'ZDIFF', takes: [2, ANY_NUMBER], reply: list },
  zdiffstore: { words: 'ZDIFFSTORE', takes: [3, ANY_NUMBER], reply: integer },
  zincrby: { words: 'ZINCRBY', takes: [3, 3], reply: double },
  zinter: { words: 'ZINTER', takes: [2, ANY_NUMBER], reply: list },
  zintercard: { words: 'ZINTERCARD', takes: [2, ANY_NUMBER], reply: integer },
  zinterstore: { words: 'ZINTERSTORE', takes: [3, ANY_NUMBER], reply: integer },
  zlexcount: { words: 'ZLEXCOUNT', takes: [3, 3], reply: integer },
  zmpop: { words: 'ZMPOP', takes: [3, ANY_NUMBER], reply: poppedScores },
  zmscore: { words: 'ZMSCORE', takes: [2, ANY_NUMBER], reply: doubles },
  zpopmax: { words: 'ZPOPMAX', takes: [1, 2], reply: scored },
  zpopmin: { words: 'ZPOPMIN', takes: [1, 2], reply: scored },
  zrandmember: { words: 'ZRANDMEMBER', takes: [1, 2], reply: text },
  zrange: { words: 'ZRANGE', takes: [3, 8], reply: list },
  zrangeWithScores: { words: 'ZRANGE', takes: [3, 8], reply: scored, suffix: 'WITHSCORES' },
  zrangebylex: { words: 'ZRANGEBYLEX', takes: [3, 6], reply: list },
  zrangebyscore: { words: 'ZRANGEBYSCORE', takes: [3, 6], reply: list },
  zrangestore: { words: 'ZRANGESTORE', takes: [4, 9], reply: integer },
  zrank: { words: 'ZRANK', takes: [2, 2], reply: integer },
  zrem: { words: 'ZREM', takes: [2, ANY_NUMBER], reply: integer },
  zremrangebylex: { words: 'ZREMRANGEBYLEX', takes: [3, 3], reply: integer },
  zremrangebyrank: { words: 'ZREMRANGEBYRANK', takes: [3, 3], reply: integer },
  zremrangebyscore: { words: 'ZREMRANGEBYSCORE', takes: [3, 3], reply: integer },
  zrevrange: { words: 'ZREVRANGE', takes: [3, 3], reply: list },
  zrevrangebyscore: { words: 'ZREVRANGEBYSCORE', takes: [3, 6], reply: list },
  zrevrank: { words: 'ZREVRANK', takes: [2, 2], reply: integer },
  zscore: { words: 'ZSCORE', takes: [2, 2], reply: double },
  zunion: { words: 'ZUNION', takes: [2, ANY_NUMBER], reply: list },
  zunionstore: { words: 'ZUNIONSTORE', takes: [3, ANY_NUMBER], reply: integer },

  geoadd: { words: 'GEOADD', takes: [4, ANY_NUMBER], reply: integer },
  geodist: { words: 'GEODIST', takes: [3, 4], reply: double },
  geohash: { words: 'GEOHASH', takes: [2, ANY_NUMBER], reply: list },
  geopos: { words: 'GEOPOS', takes: [2, ANY_NUMBER], reply: positions },
  geosearch: { words: 'GEOSEARCH', takes: [5, ANY_NUMBER], reply: list },
}

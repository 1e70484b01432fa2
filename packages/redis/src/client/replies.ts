/**
 * What replies become: the vocabulary of the command tables.
 *
 * Rules:
 * 1. RESP2 and RESP3 give the same result. Where they differ (a map or a flat array, a double or its text, pairs or a
 *    flat list) both forms are read here.
 * 2. In a view of bytes, data is bytes; words of the protocol (OK, a type, a stream's id) stay text.
 * 3. A form that is neither gives `RemoteProtocolError`, not a half-made value.
 * 4. Field names come from data: records have no prototype, so that a field called `__proto__` is a field.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { statusText } from '../codec/reply.ts'
import { type AnyReply, doubleOf } from '../codec/resp3.ts'
import { type ReplyKind, replyDecoders } from './command.ts'

/** A member of a sorted set. */
export interface Scored<Text> {
  readonly member: Text
  readonly score: number
}

/** One entry of a stream. */
export interface StreamEntry<Text> {
  readonly id: string
  /** `null` for an entry that was deleted while it was pending. */
  readonly fields: Fields<Text> | null
}

/** Entries of one stream, as XREAD returns them. */
export interface StreamEntries<Text> {
  readonly stream: Text
  readonly entries: StreamEntry<Text>[]
}

/** Fields and values: a record of text; in a view of bytes, where a name may be no text, a list of pairs. */
export type Fields<Text> = Text extends string ? Record<string, string> : [field: Uint8Array, value: Uint8Array][]

type Items = readonly AnyReply[]

export const raw: ReplyKind = { convert: (value) => value }

/** A bulk string or null. */
export const text: ReplyKind = { decode: replyDecoders.text, convert: (value) => value }

export const integer: ReplyKind = { decode: replyDecoders.integer, convert: (value) => value }

/** `OK`; null or an old value where the command says so. */
export const status: ReplyKind = { decode: replyDecoders.status, convert: (value) => value, element: statusText }

/** A word of the protocol or of an operator: text in every view. */
export const word: ReplyKind = { convert: (value) => wordOf(value) }

/** An array, a set, or null. */
export const list: ReplyKind = { convert: (value) => value }

export const double: ReplyKind = { convert: (value) => doubleValue(value) }

export const doubles: ReplyKind = { convert: (value) => items(value).map(doubleValue) }

/** A map or a flat array of fields and values. */
export const fields: ReplyKind = { convert: (value, asBytes) => fieldsOf(value, asBytes) }

/** Names and values that are text in every view: CONFIG GET. */
export const words: ReplyKind = { convert: (value) => fieldsOf(deepWords(value), false) }

/** Members with their scores. */
export const scored: ReplyKind = { convert: (value) => scoredOf(value) }

/** ZADD: a count; with INCR the new score, or null. */
export const added: ReplyKind = {
  convert: (value) => (typeof value === 'number' ? value : doubleValue(value)),
}

/** The key, the member and its score, or null: BZPOPMIN. */
export const keyedScore: ReplyKind = {
  convert: (value) => {
    if (value === null) return null
    const [key, member, score] = items(value)
    return { key, member, score: doubleValue(score) }
  },
}

/** LMPOP and ZMPOP: the key, and a list. */
export const popped: ReplyKind = {
  convert: (value) => {
    if (value === null) return null
    const [key, values] = items(value)
    return { key, values }
  },
}

export const poppedScores: ReplyKind = {
  convert: (value) => {
    if (value === null) return null
    const [key, members] = items(value)
    return { key, members: scoredOf(members as AnyReply) }
  },
}

/** Entries of one stream. */
export const entries: ReplyKind = { convert: (value, asBytes) => entriesOf(value, asBytes) }

/** XREAD: entries by stream, or null. */
export const streams: ReplyKind = {
  convert: (value, asBytes) => {
    if (value === null) return null
    const pairs = value instanceof Map ? [...value] : items(value).map((pair) => items(pair) as [AnyReply, AnyReply])
    return pairs.map(([stream, list]) => ({ stream, entries: entriesOf(list, asBytes) }))
  },
}

/** Longitude and latitude, or null, for each member. */
export const positions: ReplyKind = {
  convert: (value) =>
    items(value).map((position) => {
      if (position === null) return null
      const [longitude, latitude] = items(position)
      return { longitude: doubleValue(longitude), latitude: doubleValue(latitude) }
    }),
}

/** Seconds and microseconds of the server's clock, as a date with the microseconds dropped. */
export const time: ReplyKind = {
  convert: (value) => {
    const [seconds, micros] = items(value)
    return new Date(Number(wordOf(seconds)) * 1000 + Math.floor(Number(wordOf(micros)) / 1000))
  },
}

export function wordOf(value: AnyReply | undefined): AnyReply {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : (value as AnyReply)
}

export function doubleValue(value: AnyReply | undefined): number | null {
  if (value === null || typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  const plain = wordOf(value)
  if (typeof plain === 'string') return doubleOf(plain)
  throw unexpected('a number')
}

export function items(value: AnyReply | undefined): Items {
  if (Array.isArray(value)) return value
  throw unexpected('an array')
}

export function fieldsOf(value: AnyReply, asBytes: boolean): Record<string, AnyReply> | [AnyReply, AnyReply][] | null {
  if (value === null) return null
  const pairs = pairsOf(value)
  if (asBytes) return pairs
  const record = Object.create(null) as Record<string, AnyReply>
  for (const [name, field] of pairs) record[String(name)] = field
  return record
}

/** A map's entries, or those of a flat array. */
export function pairsOf(value: AnyReply): [AnyReply, AnyReply][] {
  if (value instanceof Map) return [...value]
  const flat = items(value)
  if (flat.length % 2 !== 0) throw unexpected('pairs')
  const pairs: [AnyReply, AnyReply][] = []
  for (let at = 0; at < flat.length; at += 2) pairs.push([flat[at] as AnyReply, flat[at + 1] as AnyReply])
  return pairs
}

/** `[member, score]` pairs in RESP3, flat in RESP2. */
export function scoredOf(value: AnyReply): Scored<AnyReply>[] {
  const list = items(value)
  const pairs = list.every(Array.isArray) ? (list as unknown as [AnyReply, AnyReply][]) : pairsOf(value)
  return pairs.map(([member, score]) => ({ member, score: doubleValue(score) as number }))
}

function entriesOf(value: AnyReply, asBytes: boolean): StreamEntry<string | Uint8Array>[] {
  return items(value).map((entry) => {
    const [id, list] = items(entry)
    const found = fieldsOf(list as AnyReply, asBytes) as Fields<string | Uint8Array> | null
    return { id: wordOf(id) as string, fields: found }
  })
}

function deepWords(value: AnyReply): AnyReply {
  if (Array.isArray(value)) return value.map(deepWords)
  if (value instanceof Map) return new Map([...value].map(([name, field]) => [deepWords(name), deepWords(field)]))
  return wordOf(value)
}

function unexpected(wanted: string): RemoteProtocolError {
  return new RemoteProtocolError(`the server's reply is not ${wanted}, which this command returns`)
}

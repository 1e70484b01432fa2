/**
 * RESP3 as values. Reads RESP2 too, whose types are a subset.
 *
 * Rules:
 * 1. Only bytes that the framer has delimited come here; still, nothing is read past `end`, and bytes that are no
 *    reply give `RemoteProtocolError`, never a wrong value.
 * 2. Nothing it returns refers to the memory it was shown.
 * 3. Integers are exact: a number where it is safe, a bigint beyond. A big number is always a bigint.
 * 4. A set is an array (as RESP2 has it); a map is a `Map`; an attribute is dropped; an error inside an aggregate is
 *    an element.
 *
 * Theory of operation: one cursor for the module. Decoding is synchronous and calls nobody back, so it is never
 * entered twice.
 *
 * Limits: `DEPTH_MAX` levels, the framer's largest; recursion of that depth takes a tenth of the default stack.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { type RedisError, redisError } from './errors.ts'

/** A reply as a value. `Text` is `string`, or `Uint8Array` where bytes were asked for. */
export type RedisReply<Text extends string | Uint8Array = string> =
  | Text
  | number
  | bigint
  | boolean
  | null
  | RedisError
  | RedisReply<Text>[]
  | Map<RedisReply<Text>, RedisReply<Text>>

export type AnyReply = RedisReply<string | Uint8Array>

const DEPTH_MAX = 1024

let cursor = 0

/** Every reply in bytes[start, end). */
export function decodeResp3(bytes: Buffer, start: number, end: number, asBytes: boolean): AnyReply[] {
  const replies: AnyReply[] = []
  cursor = start
  while (cursor < end) replies.push(value(bytes, end, asBytes, 0))
  if (cursor !== end) throw malformed()
  return replies
}

/** The one reply in bytes[start, end). */
export function decodeResp3One(bytes: Buffer, start: number, end: number, asBytes: boolean): AnyReply {
  cursor = start
  const reply = value(bytes, end, asBytes, 0)
  if (cursor !== end) throw malformed()
  return reply
}

/** A string's bytes as the caller wants them; never a view of the source. */
export function textOf(bytes: Buffer, start: number, end: number, asBytes: boolean): string | Uint8Array {
  return asBytes ? copyOf(bytes, start, end) : bytes.toString('utf8', start, end)
}

/** A copy in memory of its own. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

/** The number in bytes[start, end): digits, perhaps a sign. A bigint where a number would not be exact. */
export function integerOf(bytes: Buffer, start: number, end: number): number | bigint {
  if (end - start > SAFE_CHARS_MAX) return exactInteger(bytes.toString('latin1', start, end))
  let at = start
  const negative = bytes[at] === 45
  if (negative) at++
  let total = 0
  for (; at < end; at++) total = total * 10 + (bytes[at] as number) - 48
  // `0 -`, not `-`: there is no negative zero among integers.
  return negative ? 0 - total : total
}

export function exactInteger(digits: string): number | bigint {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : BigInt(digits)
}

export function doubleOf(text: string): number {
  switch (text.toLowerCase()) {
    case 'inf':
    case '+inf':
      return Number.POSITIVE_INFINITY
    case '-inf':
      return Number.NEGATIVE_INFINITY
    case 'nan':
    case '-nan':
      return Number.NaN
    default:
      return Number(text)
  }
}

/** Sign and 14 digits: always safe, and within 2^53 in every step of the sum. */
const SAFE_CHARS_MAX = 15

function value(bytes: Buffer, end: number, asBytes: boolean, depth: number): AnyReply {
  if (cursor >= end || depth > DEPTH_MAX) throw malformed()
  const type = bytes[cursor] as number
  const from = cursor + 1
  const lineEnd = findLineEnd(bytes, from, end)
  cursor = lineEnd + 2
  switch (type) {
    case 36: // $
      return bytes[from] === 45 ? null : bulk(bytes, from, lineEnd, end, asBytes)
    case 43: // +
      return textOf(bytes, from, lineEnd, asBytes)
    case 58: // :
      return integerOf(bytes, from, lineEnd)
    case 45: // -
      return redisError(bytes.toString('utf8', from, lineEnd))
    case 95: // _
      return null
    case 44: // ,
      return doubleOf(bytes.toString('latin1', from, lineEnd))
    case 35: // #
      return bytes[from] === 116
    case 40: // (
      return BigInt(bytes.toString('latin1', from, lineEnd))
    case 33: // !
      return redisError(bulk(bytes, from, lineEnd, end, false) as string)
    case 61: // =
      return verbatim(bytes, from, lineEnd, end, asBytes)
    case 42: // *
      return bytes[from] === 45 ? null : list(bytes, count(bytes, from, lineEnd), end, asBytes, depth)
    case 126: // ~
    case 62: // >
      return list(bytes, count(bytes, from, lineEnd), end, asBytes, depth)
    case 37: // %
      return map(bytes, count(bytes, from, lineEnd), end, asBytes, depth)
    case 124: // |
      map(bytes, count(bytes, from, lineEnd), end, asBytes, depth)
      return value(bytes, end, asBytes, depth + 1)
    default:
      throw malformed()
  }
}

function bulk(bytes: Buffer, from: number, lineEnd: number, end: number, asBytes: boolean): string | Uint8Array {
  const start = cursor
  const stop = start + count(bytes, from, lineEnd)
  if (stop + 2 > end) throw malformed()
  cursor = stop + 2
  return textOf(bytes, start, stop, asBytes)
}

/** `txt:` or `mkd:` in front says how to show it; the text is what comes after. */
function verbatim(bytes: Buffer, from: number, lineEnd: number, end: number, asBytes: boolean): string | Uint8Array {
  const start = cursor
  const stop = start + count(bytes, from, lineEnd)
  if (stop + 2 > end) throw malformed()
  cursor = stop + 2
  const hasFormat = stop - start >= 4 && bytes[start + 3] === 58
  return textOf(bytes, hasFormat ? start + 4 : start, stop, asBytes)
}

function list(bytes: Buffer, length: number, end: number, asBytes: boolean, depth: number): AnyReply[] {
  const items: AnyReply[] = []
  for (let index = 0; index < length; index++) items.push(value(bytes, end, asBytes, depth + 1))
  return items
}

function map(bytes: Buffer, length: number, end: number, asBytes: boolean, depth: number): Map<AnyReply, AnyReply> {
  const entries = new Map<AnyReply, AnyReply>()
  for (let index = 0; index < length; index++) {
    const key = value(bytes, end, asBytes, depth + 1)
    entries.set(key, value(bytes, end, asBytes, depth + 1))
  }
  return entries
}

function count(bytes: Buffer, from: number, lineEnd: number): number {
  if (lineEnd === from) throw malformed()
  let total = 0
  for (let at = from; at < lineEnd; at++) {
    const digit = (bytes[at] as number) - 48
    if (digit < 0 || digit > 9) throw malformed()
    total = total * 10 + digit
  }
  return total
}

/** Where the CR is. */
function findLineEnd(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] !== 13) at++
  if (at + 1 >= end) throw malformed()
  return at
}

function malformed(): RemoteProtocolError {
  return new RemoteProtocolError('a reply that is no RESP3: the framer let through what the decoder cannot read')
}

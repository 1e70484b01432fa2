/**
 * A reply as a value, by the protocol version of the connection it came over.
 *
 * Rules: an error reply is thrown; an error inside an aggregate is an element. The three decoders that calls spend
 * their time in (text, integer, status) take the common form of RESP3 straight from the bytes and leave everything
 * else to the general one.
 */
import type { Cloneable, ReplyBytes } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { RedisError } from './errors.ts'
import { decodeResp2 } from './resp2.ts'
import { type AnyReply, decodeResp3, decodeResp3One, integerOf, textOf } from './resp3.ts'

/** What a handshake finds out about a connection. */
export interface RedisFacts {
  readonly [name: string]: Cloneable
  readonly resp: 2 | 3
  /** Empty where the server does not say. */
  readonly version: string
  readonly mode: 'standalone' | 'cluster' | 'sentinel' | 'unknown'
  readonly role: 'primary' | 'replica' | 'sentinel' | 'unknown'
  /** CLIENT ID; 0 where the server does not say. */
  readonly id: number
}

export function decodeReply(reply: ReplyBytes, facts: Cloneable, asBytes: boolean): AnyReply {
  const value = isResp2(facts)
    ? onlyOne(decodeResp2(reply.bytes, reply.start, reply.end, asBytes))
    : decodeResp3One(reply.bytes, reply.start, reply.end, asBytes)
  if (value instanceof RedisError) throw value
  return value
}

/** The replies of a call that has more than one. Errors are values. */
export function decodeReplies(reply: ReplyBytes, facts: Cloneable, asBytes: boolean): AnyReply[] {
  return isResp2(facts)
    ? decodeResp2(reply.bytes, reply.start, reply.end, asBytes)
    : decodeResp3(reply.bytes, reply.start, reply.end, asBytes)
}

/** A string or null. */
export function decodeText(reply: ReplyBytes, facts: Cloneable, asBytes: boolean): AnyReply {
  const bytes = reply.bytes
  const start = reply.start
  if (bytes[start] !== 36 || bytes[start + 1] === 45 || isResp2(facts)) return decodeReply(reply, facts, asBytes)
  let payload = start + 2
  while (bytes[payload] !== 10) payload++
  // The frame ends where the payload does: its length need not be read.
  return textOf(bytes, payload + 1, reply.end - 2, asBytes)
}

export function decodeInteger(reply: ReplyBytes, facts: Cloneable, asBytes: boolean): AnyReply {
  if (reply.bytes[reply.start] !== 58 || isResp2(facts)) return decodeReply(reply, facts, asBytes)
  return integerOf(reply.bytes, reply.start + 1, reply.end - 2)
}

/** `OK`, without a look at more than its length; anything else (null, an old value) the long way. */
export function decodeStatus(reply: ReplyBytes, facts: Cloneable, asBytes: boolean): AnyReply {
  const { bytes, start } = reply
  const isOk = reply.end - start === 5 && bytes[start] === 43 && bytes[start + 1] === 79 && bytes[start + 2] === 75
  if (isOk && !isResp2(facts)) return 'OK'
  const value = decodeReply(reply, facts, asBytes)
  return bytes[start] === 43 ? statusText(value) : value
}

/** A status is a word of the protocol, not data: text even where bytes were asked for. */
export function statusText(value: AnyReply): AnyReply {
  return value instanceof Uint8Array && value.length === 2 && value[0] === 79 && value[1] === 75 ? 'OK' : value
}

function isResp2(facts: Cloneable): boolean {
  return typeof facts === 'object' && facts !== null && (facts as { readonly resp?: Cloneable }).resp === 2
}

function onlyOne(replies: readonly AnyReply[]): AnyReply {
  if (replies.length !== 1) throw new RemoteProtocolError(`${replies.length} replies where one was asked for`)
  return replies[0] as AnyReply
}

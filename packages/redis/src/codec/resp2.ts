/**
 * RESP2 as values, by redis-parser.
 *
 * Rules: redis-parser waits for more where bytes are missing, recurses without a bound and does not check lengths, so
 * it only ever sees whole replies that the framer has delimited and bounded; one that it does not finish is an error,
 * not a wait. Its results refer to the memory it was shown: everything is copied here.
 *
 * Theory of operation: the parser is asked for buffers and for numbers as strings. Then a string is an integer,
 * exactly, and a buffer is text, whatever it holds; asked for strings, it would give both the same type.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import RedisParser from 'redis-parser'
import { redisError } from './errors.ts'
import { type AnyReply, copyOf, exactInteger } from './resp3.ts'

/** Every reply in bytes[start, end). */
export function decodeResp2(bytes: Buffer, start: number, end: number, asBytes: boolean): AnyReply[] {
  const raw = parse(bytes.subarray(start, end))
  return raw.map((reply) => convert(reply, asBytes))
}

let collected: unknown[] = []
let failure: Error | undefined

const parser = new RedisParser({
  returnBuffers: true,
  stringNumbers: true,
  returnReply: (reply: unknown) => collected.push(reply),
  returnError: (error: Error) => collected.push(error),
  returnFatalError: (error: Error) => {
    failure = error
  },
})

function parse(bytes: Buffer): readonly unknown[] {
  collected = []
  failure = undefined
  try {
    parser.execute(bytes)
  } catch (error) {
    // After a fatal error the parser goes on with a buffer it no longer has.
    failure ??= error as Error
  }
  const replies = collected
  collected = []
  const unfinished = failure !== undefined || (parser as unknown as { readonly buffer: unknown }).buffer !== null
  parser.reset()
  if (unfinished)
    throw new RemoteProtocolError('a reply that is no RESP2: the framer let through what the parser cannot read')
  return replies
}

function convert(reply: unknown, asBytes: boolean): AnyReply {
  if (reply instanceof Uint8Array) {
    return asBytes ? copyOf(reply, 0, reply.length) : (reply as Buffer).toString('utf8', 0, reply.length)
  }
  if (typeof reply === 'string') return exactInteger(reply)
  if (reply === null) return null
  if (Array.isArray(reply)) return reply.map((item) => convert(item, asBytes))
  if (reply instanceof Error) return redisError(reply.message)
  throw new RemoteProtocolError('a reply that is no RESP2')
}

/** What a real server sent, through the framer at every split and through the decoders. */

import { withShared } from '@iokernel/core/testing'
import { describe, expect, it } from 'vitest'
import { CAPTURES, type Capture } from '../fixtures/captures.ts'
import { Reader, splits } from '../fixtures/harness.ts'
import { RedisError } from './codec/errors.ts'
import { decodeReplies } from './codec/reply.ts'
import { decodeResp3 } from './codec/resp3.ts'
import { Framer } from './framer.ts'

const replies = (reader: Reader) => reader.seen.filter(([kind]) => kind !== 'push')

function read({ resp, bytes }: Capture, chunks: readonly Buffer[] = [Buffer.from(bytes, 'latin1')]): Reader {
  const framer = new Framer()
  framer.speak(resp)
  const reader = new Reader(framer)
  for (const chunk of chunks) reader.arrive(chunk)
  return reader
}

describe('captured', () => {
  it.each(CAPTURES)('$name, RESP$resp', (capture) => {
    const whole = read(capture)
    expect(replies(whole)).toHaveLength(capture.replies)
    expect(whole.seen.length - capture.replies).toBe(capture.pushes)
    expect(whole.left).toBe(0)
    for (const chunks of splits(Buffer.from(capture.bytes, 'latin1')))
      expect(read(capture, chunks).seen).toEqual(whole.seen)
    for (const [, reply] of replies(whole)) {
      for (const asBytes of [false, true]) {
        const values = withShared(reply, (frame) => decodeReplies(frame, { resp: capture.resp }, asBytes))
        expect(values).toHaveLength(1)
        // Ours reads RESP2 as well, and must read the same.
        const ours = withShared(reply, ({ bytes, start, end }) => decodeResp3(bytes, start, end, asBytes))
        expect(ours.map(plain)).toEqual(values.map(plain))
      }
    }
  })

  it('a batch is one reply where its request says so', () => {
    for (const capture of CAPTURES.filter(({ commands }) => commands[0] === 'MULTI')) {
      const reader = new Reader(new Framer(), [capture.replies - 1], false)
      reader.arrive(Buffer.from(capture.bytes, 'latin1'))
      expect(replies(reader)).toHaveLength(1)
    }
  })
})

/** Errors compared by what they say. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  return value instanceof RedisError ? ['error', value.code, value.message] : value
}

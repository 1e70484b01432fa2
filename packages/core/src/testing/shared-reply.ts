/**
 * Bytes as the kernel shows them: in shared memory, not at its beginning, and overwritten afterwards. A decoder that
 * keeps a view of them, or counts from zero, fails in its first test.
 */
import type { ReplyBytes } from '../plugin/protocol.ts'

/** Text is latin1: one character is one byte. */
export function withShared<Result>(given: string | Uint8Array, use: (reply: ReplyBytes) => Result): Result {
  const reply = typeof given === 'string' ? Buffer.from(given, 'latin1') : given
  const memory = Buffer.from(new SharedArrayBuffer(reply.length + 2 * MARGIN_BYTES)).fill(POISON)
  memory.set(reply, MARGIN_BYTES)
  try {
    return use({ bytes: memory, start: MARGIN_BYTES, end: MARGIN_BYTES + reply.length })
  } finally {
    memory.fill(POISON)
  }
}

/** Room for a reader that looks a number too far on either side: what it finds there is poison. */
const MARGIN_BYTES = 8
/** No byte of UTF-8, and none that msgpack uses. */
const POISON = 0xc1

/**
 * A look at values before they are decoded: what the library would take, and should not; and what it needs help with.
 *
 * Rules: reads lengths, counts and the bytes of texts; makes nothing. A text that is no UTF-8 is the peer's fault: the
 * library would make up characters for it, and other peers would read other ones.
 *
 * Theory of operation: values are delimited by a count of how many are still to come, so no stack is needed. What
 * comes out is one number: which of the forms that need care are there at all. Most messages have none.
 */
import { isUtf8 } from 'node:buffer'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import {
  containerHeaderLength,
  elementsAt,
  INCOMPLETE,
  isContainer,
  LENGTHS,
  payloadEnd,
  textHeaderLength,
} from '../forms.ts'

/** Bits of what `inspect` returns. */
export const Found = {
  /** Integers of 64 bits: the library rounds them, or makes each a bigint. */
  Integers64: 1,
  /** Bytes: the library gives views of the memory it read. */
  Bytes: 2,
} as const

/** `bytes` is exactly one value. Throws for what is none. */
export function inspect(bytes: Uint8Array): number {
  const end = bytes.length
  let found = 0
  let at = 0
  for (let left = 1; left > 0; left--) {
    if (at >= end) throw cutShort()
    const first = bytes[at] as number
    if (isContainer(first)) {
      const header = containerHeaderLength(first)
      if (at + header > end) throw cutShort()
      left += elementsAt(bytes, at)
      at += header
      continue
    }
    const length = LENGTHS[first] as number
    const next = length > 0 ? at + length : payloadEnd(bytes, at, end)
    if (next === INCOMPLETE || next > end) throw cutShort()
    if (first === 0xcf || first === 0xd3) found |= Found.Integers64
    else if (first >= 0xc4 && first <= 0xc6) found |= Found.Bytes
    else if (first >= 0xa0 && first <= 0xdb && textHeaderLength(first) > 0) {
      checkText(bytes, at + textHeaderLength(first), next)
    }
    at = next
  }
  if (at !== end) throw new RemoteProtocolError('bytes behind a value')
  return found
}

function checkText(bytes: Uint8Array, start: number, end: number): void {
  if (end - start <= LOOP_BYTES_MAX) {
    let at = start
    while (at < end && (bytes[at] as number) < 0x80) at++
    if (at === end) return
  }
  if (!isUtf8(bytes.subarray(start, end))) {
    throw new RemoteProtocolError('a text that is no UTF-8: a codec with rawStrings gives its bytes')
  }
}

/** Up to here a loop over the bytes is cheaper than a view and a call into native code. Not measured. */
const LOOP_BYTES_MAX = 40

function cutShort(): RemoteProtocolError {
  return new RemoteProtocolError('a value that is cut short')
}

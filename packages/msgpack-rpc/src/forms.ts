/**
 * The forms of MessagePack: what the first byte of a value says about where it ends.
 *
 * Rules: nothing is decoded but lengths, counts and the integers of a message's head. Any encoding of a number is as
 * good as another: peers write `cf 0000000000000001` where `01` would do.
 *
 *   00..7f  integer        a0..bf  text, length below       c4 c5 c6  bytes      d4..d8  extension of 1 2 4 8 16
 *   80..8f  map, pairs     c0      nil                      c7 c8 c9  extension  d9 da db  text
 *   90..9f  array, count   c1      nothing: refused         ca cb     float      dc dd     array
 *                          c2 c3   false, true              cc..d3    integer    de df     map
 *   e0..ff  negative integer
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'

/** The header, or what it announces, is not all there. */
export const INCOMPLETE = -1

/** The whole length of values whose first byte says it, and 0 for all others. */
export const LENGTHS: Uint8Array = lengthsByFirstByte()

export function isContainer(first: number): boolean {
  return (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf)
}

export function isArray(first: number): boolean {
  return (first >= 0x90 && first <= 0x9f) || first === 0xdc || first === 0xdd
}

/** The header of an array or a map. */
export function containerHeaderLength(first: number): number {
  if (first <= 0x9f) return 1
  return first === 0xdc || first === 0xde ? 3 : 5
}

/** Elements of the array or map whose header is at `at`, complete; a pair is two. */
export function elementsAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  if (first <= 0x8f) return 2 * (first & 15)
  if (first <= 0x9f) return first & 15
  const count = first === 0xdc || first === 0xde ? u16(bytes, at + 1) : u32(bytes, at + 1)
  return first >= 0xde ? 2 * count : count
}

/**
 * Where the text, bytes or extension at `at` ends, which may be behind `end`; INCOMPLETE while its header is not all
 * there. Only for first bytes of length 0 in `LENGTHS` that are no container.
 */
export function payloadEnd(bytes: Uint8Array, at: number, end: number): number {
  switch (bytes[at]) {
    case 0xc4:
    case 0xd9:
      return at + 2 > end ? INCOMPLETE : at + 2 + (bytes[at + 1] as number)
    case 0xc5:
    case 0xda:
      return at + 3 > end ? INCOMPLETE : at + 3 + u16(bytes, at + 1)
    case 0xc6:
    case 0xdb:
      return at + 5 > end ? INCOMPLETE : at + 5 + u32(bytes, at + 1)
    // An extension has a byte for its type behind the length.
    case 0xc7:
      return at + 2 > end ? INCOMPLETE : at + 3 + (bytes[at + 1] as number)
    case 0xc8:
      return at + 3 > end ? INCOMPLETE : at + 4 + u16(bytes, at + 1)
    case 0xc9:
      return at + 5 > end ? INCOMPLETE : at + 6 + u32(bytes, at + 1)
    default:
      throw new RemoteProtocolError('the byte c1, which begins no value')
  }
}

/** Length of the header of a text or of bytes; 0 for what is neither. */
export function textHeaderLength(first: number): number {
  if (first >= 0xa0 && first <= 0xbf) return 1
  if (first === 0xd9 || first === 0xc4) return 2
  if (first === 0xda || first === 0xc5) return 3
  return first === 0xdb || first === 0xc6 ? 5 : 0
}

/** Length of an integer in any of its forms; 0 for what is none. */
export function integerLength(first: number): number {
  if (first < 0x80 || first >= 0xe0) return 1
  return first >= 0xcc && first <= 0xd3 ? (LENGTHS[first] as number) : 0
}

/** The integer at `at`, complete. Exact up to 2^53, which is all that heads need. */
export function integerAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  switch (first) {
    case 0xcc:
      return bytes[at + 1] as number
    case 0xcd:
      return u16(bytes, at + 1)
    case 0xce:
      return u32(bytes, at + 1)
    case 0xcf:
      return u32(bytes, at + 1) * 2 ** 32 + u32(bytes, at + 5)
    case 0xd0:
      return ((bytes[at + 1] as number) << 24) >> 24
    case 0xd1:
      return (u16(bytes, at + 1) << 16) >> 16
    case 0xd2:
      return u32(bytes, at + 1) | 0
    case 0xd3:
      return (u32(bytes, at + 1) | 0) * 2 ** 32 + u32(bytes, at + 5)
    default:
      return first < 0x80 ? first : first - 256
  }
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0
}

function lengthsByFirstByte(): Uint8Array {
  const lengths = new Uint8Array(256)
  const set = (from: number, to: number, length: number) => lengths.fill(length, from, to + 1)
  set(0x00, 0x7f, 1)
  for (let first = 0xa0; first <= 0xbf; first++) lengths[first] = 1 + (first & 31)
  set(0xe0, 0xff, 1)
  lengths[0xc0] = 1
  set(0xc2, 0xc3, 1)
  // Float 32 and 64; unsigned and signed integers of 1, 2, 4 and 8 bytes; extensions of 1, 2, 4, 8 and 16.
  for (const [index, size] of [4, 8, 1, 2, 4, 8, 1, 2, 4, 8].entries()) lengths[0xca + index] = 1 + size
  for (const [index, size] of [1, 2, 4, 8, 16].entries()) lengths[0xd4 + index] = 2 + size
  return lengths
}

/**
 * Packets and the numbers in them: what both halves need to read and write.
 *
 * Rules: nothing here checks a bound; whoever reads knows where its packet ends. Numbers are little-endian.
 *
 *   0             3      4
 *   | length u24  | seq  | payload …                 a length of FF FF FF: the payload goes on in the next packet,
 *                                                    which is empty where nothing is left
 *
 *   a length-encoded number     00 … FA     itself                  FC  u16      FD  u24      FE  u64
 *                               FB          NULL, in a row
 *
 * Limits: a length-encoded number above 2^53 is read as the nearest number that JavaScript has; use `lenencBigInt` for
 * those that may be so large.
 */
import type { ByteWriter } from '@iokernel/core/plugin'

/** Length and sequence number. */
export const HEADER_BYTES = 4
/** The longest payload of one packet. */
export const PACKET_BYTES_MAX = 0xff_ffff

/** First bytes of a packet, by what it is. Each means this in some places only. */
export const OK = 0x00
export const ERR = 0xff
export const EOF = 0xfe
export const LOCAL_INFILE = 0xfb
/** In a text row. */
export const NULL = 0xfb

/** Reserves a packet's header. Returns where, for `endPacket`. */
export function beginPacket(out: ByteWriter): number {
  return out.reserve(HEADER_BYTES)
}

/**
 * Writes the header of the packet that began at `at` and ends here; what is longer than one packet is cut into several.
 * Returns the sequence number that the next packet has.
 */
export function endPacket(out: ByteWriter, at: number, sequence: number = 0): number {
  const length = out.length - at - HEADER_BYTES
  if (length < PACKET_BYTES_MAX) {
    writeHeader(out.bytes, out.start + at, length, sequence)
    return (sequence + 1) & 255
  }
  const more = Math.floor(length / PACKET_BYTES_MAX)
  out.ensure(more * HEADER_BYTES)
  const body = out.start + at + HEADER_BYTES
  const bytes = out.bytes
  // From the last to the first, since each moves towards the end.
  for (let index = more; index > 0; index--) {
    const from = body + index * PACKET_BYTES_MAX
    const size = Math.min(PACKET_BYTES_MAX, body + length - from)
    bytes.copyWithin(from + index * HEADER_BYTES, from, from + size)
    writeHeader(bytes, from + (index - 1) * HEADER_BYTES, size, (sequence + index) & 255)
  }
  writeHeader(bytes, out.start + at, PACKET_BYTES_MAX, sequence)
  out.position += more * HEADER_BYTES
  return (sequence + more + 1) & 255
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

export function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
}

export function u32(bytes: Uint8Array, at: number): number {
  return u24(bytes, at) + (bytes[at + 3] as number) * 0x100_0000
}

/** How many bytes the length-encoded number at `at` takes, its first byte included; 0 where none begins so (FB, FF). */
export function lenencBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  if (first < 0xfb) return 1
  if (first === 0xfc) return 3
  if (first === 0xfd) return 4
  return first === 0xfe ? 9 : 0
}

/** The length-encoded number at `at`, which must be one. */
export function lenenc(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  if (first < 0xfb) return first
  if (first === 0xfc) return u16(bytes, at + 1)
  if (first === 0xfd) return u24(bytes, at + 1)
  return u32(bytes, at + 1) + u32(bytes, at + 5) * 0x1_0000_0000
}

/** The same, exactly. */
export function lenencBigInt(bytes: Uint8Array, at: number): bigint {
  if (bytes[at] !== 0xfe) return BigInt(lenenc(bytes, at))
  return BigInt(u32(bytes, at + 1)) + (BigInt(u32(bytes, at + 5)) << 32n)
}

export function writeLenenc(out: ByteWriter, value: number): void {
  if (value < 0xfb) out.u8(value)
  else if (value < 0x1_0000) {
    out.u8(0xfc)
    out.u16le(value)
  } else if (value < 0x100_0000) {
    out.u8(0xfd)
    out.u24le(value)
  } else {
    out.u8(0xfe)
    out.i64le(BigInt(value))
  }
}

export function writeHeader(bytes: Uint8Array, at: number, length: number, sequence: number): void {
  bytes[at] = length
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length >>> 16
  bytes[at + 3] = sequence
}

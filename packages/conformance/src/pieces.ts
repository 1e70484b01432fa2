/**
 * Ways to cut bytes into what arrives at once.
 *
 * Limits: a test shows a framer about `SHOWN_BYTES_MAX` bytes in all; where every split would be more than that, the
 * first and the last ones and a seeded sample of the others are taken.
 */
import type { Random } from './random.ts'

/** 2 MB: some 10 ms for a framer that looks at every byte, and as much for the driver. */
const SHOWN_BYTES_MAX = 1 << 21
/** Splits that are always tried at either end, where headers and terminators are. */
const SPLITS_AT_ENDS = 64
/** At either end of what is too long to come byte by byte. */
const SINGLE_BYTES = 2_048
const SINGLE_BYTES_MAX = 1 << 15

/** Positions in (0, length) at which to split in two: all of them, or as many as the budget allows. */
export function splitPoints(length: number, random: Random): readonly number[] {
  const every = Array.from({ length: Math.max(0, length - 1) }, (_, index) => index + 1)
  const count = Math.max(2 * SPLITS_AT_ENDS, Math.floor(SHOWN_BYTES_MAX / Math.max(1, length)))
  if (every.length <= count) return every
  const points = new Set([...every.slice(0, SPLITS_AT_ENDS), ...every.slice(-SPLITS_AT_ENDS)])
  while (points.size < count) points.add(1 + random.below(length - 1))
  return [...points]
}

export function splitAt(bytes: Buffer, point: number): readonly Buffer[] {
  return [bytes.subarray(0, point), bytes.subarray(point)]
}

/** Byte by byte; what is very long, only at its ends. */
export function slowly(bytes: Buffer, random: Random): readonly Buffer[] {
  const { length } = bytes
  if (length <= SINGLE_BYTES_MAX) return Array.from(bytes.keys(), (at) => bytes.subarray(at, at + 1))
  const tail = length - SINGLE_BYTES
  return [
    ...slowly(bytes.subarray(0, SINGLE_BYTES), random),
    ...inPieces(bytes.subarray(SINGLE_BYTES, tail), 4_096, random),
    ...slowly(bytes.subarray(tail), random),
  ]
}

/** Pieces of random length up to `bytesMax`. */
export function inPieces(bytes: Buffer, bytesMax: number, random: Random): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(bytesMax)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

/** The keys of advisory locks: one number of 64 bits, or two of 32, which are two separate spaces. */
import { wrong } from '@iokernel/core/toolkit'

/** A number must be safe; `[class, object]` are two integers of 32 bits. */
export type LockKey = bigint | number | readonly [number, number]

/** The key as values, and the parameters that make the server read them as what they are. */
export function lockValues(key: unknown): { readonly values: readonly unknown[]; readonly types: string } {
  if (typeof key === 'bigint' && BigInt.asIntN(64, key) === key) return { values: [key], types: '$1::int8' }
  if (Number.isSafeInteger(key)) return { values: [key], types: '$1::int8' }
  if (Array.isArray(key) && key.length === 2 && key.every((part) => Number.isInteger(part) && (part | 0) === part)) {
    return { values: key, types: '$1::int4, $2::int4' }
  }
  throw wrong('the key of a lock is a bigint of 64 bits, a safe integer, or two integers of 32 bits')
}

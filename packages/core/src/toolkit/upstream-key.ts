/**
 * Which targets are one upstream: a key of everything that may make two of them differ.
 *
 * Rules: secrets enter as a digest, so that the key may be shown. Two callbacks are two identities, whatever they
 * return; the same one is the same.
 */
import { createHash } from 'node:crypto'

/** `open`: may be read by anybody. `secrets`: passwords, keys, certificates. Plain data and bytes both. */
export function upstreamKey(open: readonly unknown[], secrets: readonly unknown[]): string {
  const digest = createHash('sha256').update(textOf(secrets)).digest('base64')
  return textOf([...open, digest])
}

/** A number for what cannot be written down. */
export function identityOf(callback: object): number {
  const known = identities.get(callback)
  if (known !== undefined) return known
  identities.set(callback, ++identityCount)
  return identityCount
}

const identities = new WeakMap<object, number>()
let identityCount = 0

function textOf(values: readonly unknown[]): string {
  return JSON.stringify(values, (_, value: unknown) => (value instanceof Uint8Array ? [...value] : value))
}

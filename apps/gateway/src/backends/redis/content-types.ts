/**
 * Where a value's content type is kept: under a key of its own beside the value, with the same time to live, written
 * and deleted in the same transaction.
 *
 * Limit: a program that overwrites the value and does not know the gateway leaves the type as it was.
 */
import { RequestError } from '../../http/failures.ts'

/** What a value is when nobody said anything else; it is not stored. */
export const CONTENT_TYPE_DEFAULT = 'application/octet-stream'

export function contentTypeKey(key: Buffer): Buffer {
  return Buffer.concat([PREFIX, key])
}

export function isContentTypeKey(key: Uint8Array): boolean {
  return key.length >= PREFIX.length && PREFIX.equals(key.subarray(0, PREFIX.length))
}

/** Throws for a key that would be taken for the type of another one. */
export function ownKey(key: Buffer): Buffer {
  if (isContentTypeKey(key)) throw new RequestError(400, 'ARGUMENT', `keys that begin with ${PREFIX} are the gateway's`)
  return key
}

/** Throws for what could not be sent back as a header. */
export function checkedContentType(given: string | undefined): string {
  if (given === undefined) return CONTENT_TYPE_DEFAULT
  if (given.length > CONTENT_TYPE_CHARACTERS_MAX || !/^[\x20-\x7e]+$/.test(given)) {
    const most = `at most ${CONTENT_TYPE_CHARACTERS_MAX} characters`
    throw new RequestError(400, 'ARGUMENT', `a content type is visible ASCII, ${most}`)
  }
  return given
}

const PREFIX = Buffer.from('gateway:content-type:')
/** The longest registered type has 73; parameters need some room. */
const CONTENT_TYPE_CHARACTERS_MAX = 256

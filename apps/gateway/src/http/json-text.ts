/** Bytes inside JSON, which knows only text: UTF-8 becomes a string, everything else `{ "base64": "..." }`. */
import { isUtf8 } from 'node:buffer'

export type JsonText = string | { readonly base64: string }

export function jsonText(bytes: Uint8Array): JsonText {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return isUtf8(view) ? view.toString('utf8') : { base64: view.toString('base64') }
}

/** JSON has numbers of any length, its readers have doubles: what they would round is given as a string of digits. */
export function jsonInteger(value: number | bigint): number | string {
  const isSafe = typeof value === 'number' || (value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)
  return isSafe ? Number(value) : String(value)
}

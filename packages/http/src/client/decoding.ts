/**
 * Content codings of a body, taken off as it streams: gzip, x-gzip, deflate (with and without its zlib head), br.
 *
 * Rules: nothing is decoded that nobody has asked for, so what a small body swells to waits for its reader (a few
 * buffers of 16 KB), and who reads sets a bound. A body that ends inside its coding is an error. A body of no bytes has
 * no coding, whatever its head says. Codings that are not known are left as they are, as the platform does.
 *
 * Limits: `CODINGS_MAX` codings above each other.
 */
import { pipeline, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { RemoteProtocolError } from '@iokernel/core/plugin'

/** A sender has a reason for one; each of more multiplies the work that a byte can make. undici's number. */
const CODINGS_MAX = 5

/** The codings that a value of Content-Encoding names, last applied first. Empty where one of them is not known. */
export function codingsOf(contentEncoding: string | undefined): readonly string[] {
  if (contentEncoding === undefined) return []
  const names = contentEncoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length > CODINGS_MAX) throw new RemoteProtocolError(`a body has more than ${CODINGS_MAX} content codings`)
  return names.every((name) => KNOWN.has(name)) ? names.reverse() : []
}

export function decoded(source: AsyncIterable<Uint8Array>, codings: readonly string[]): AsyncIterable<Uint8Array> {
  return codings.reduce<AsyncIterable<Uint8Array>>((inner, coding) => decodedOnce(inner, coding), source)
}

async function* decodedOnce(source: AsyncIterable<Uint8Array>, coding: string): AsyncGenerator<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]()
  let first = await pieces.next()
  while (first.done !== true && first.value.length === 0) first = await pieces.next()
  if (first.done === true) return
  const decoder = decoderFor(coding, first.value)
  // Its errors are the decoder's, whom the loop reads.
  pipeline(beginningWith(first.value, pieces), decoder, () => undefined)
  yield* decoder as AsyncIterable<Uint8Array>
}

async function* beginningWith(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

function decoderFor(coding: string, first: Uint8Array): Transform {
  if (coding === 'br') return createBrotliDecompress()
  if (coding !== 'deflate') return createGunzip()
  // RFC 9110 means zlib's form; some servers send the bare one. The low half of zlib's first byte is 8.
  return ((first[0] as number) & 0x0f) === ZLIB_METHOD ? createInflate() : createInflateRaw()
}

const ZLIB_METHOD = 8
const KNOWN: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br'])

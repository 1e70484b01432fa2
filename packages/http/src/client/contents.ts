/**
 * What callers give as a body, as bytes that are there or as pieces that come.
 *
 * Rules: what is small and known is whole, and goes out with its head. Everything else is read a piece at a time, as
 * fast as the server takes it. A source that is not read to its end is told so. Nothing is read before it is needed.
 */
import { wrong } from '@iokernel/core/toolkit'

/** Text or bytes, at once or in pieces: an array of them, a generator, a `Readable`, a `ReadableStream`. */
export type BodyGiven =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | URLSearchParams
  | FormData
  | ReadableStream<unknown>
  | AsyncIterable<string | Uint8Array>
  | Iterable<string | Uint8Array>
  | null

export interface Contents {
  /** All of it, where it is small. */
  readonly whole: string | Uint8Array | undefined
  /** How long it is, where that is known. */
  readonly bytes: number | undefined
  /** What it says of itself. */
  readonly contentType: string | undefined
  /** Its pieces, once. */
  pieces(): AsyncIterator<unknown> | Iterator<unknown>
}

/**
 * What goes out with its head. Beyond it a server that refuses by the head alone would have been sent all of it, and
 * one request would fill a quarter of the ring that the whole thread shares.
 */
const WHOLE_BYTES_MAX = 256 * 1024
/** One write: large enough that a call's cost disappears, small enough that a refusal is noticed in time. */
export const PIECE_BYTES: number = 64 * 1024

export function contentsOf({ body, json }: { readonly body?: BodyGiven; readonly json?: unknown }): Contents {
  if (json !== undefined) {
    const text: string | undefined = JSON.stringify(json)
    if (text === undefined) throw wrong('json is something that JSON.stringify() makes text of')
    return ofText(text, 'application/json')
  }
  if (typeof body === 'string') return ofText(body, undefined)
  if (body instanceof Uint8Array) return ofBytes(body)
  if (ArrayBuffer.isView(body)) return ofBytes(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
  if (body instanceof ArrayBuffer) return ofBytes(new Uint8Array(body))
  if (body instanceof URLSearchParams) {
    return ofText(body.toString(), 'application/x-www-form-urlencoded;charset=UTF-8')
  }
  if (body instanceof Blob) {
    const type = body.type === '' ? undefined : body.type
    return { whole: undefined, bytes: body.size, contentType: type, pieces: () => iteratorOf(body.stream()) }
  }
  if (body instanceof FormData) {
    // The platform knows how forms are written; its own boundary is in the type.
    const written = new Response(body)
    const contentType = written.headers.get('content-type') ?? undefined
    return { whole: undefined, bytes: undefined, contentType, pieces: () => iteratorOf(written.body) }
  }
  if (!isIterable(body)) {
    throw wrong('a body is text, bytes, a Blob, URLSearchParams, FormData, or anything iterable of text and bytes')
  }
  return { whole: undefined, bytes: undefined, contentType: undefined, pieces: () => iteratorOf(body) }
}

/** One piece of a source. */
export function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece)
  if (piece instanceof Uint8Array) return piece
  throw wrong('the source of a body gave something that is neither text nor bytes')
}

/** Ends a source that nobody reads any more. Nobody waits for it: it may be waiting itself. */
export function endSource(pieces: AsyncIterator<unknown> | Iterator<unknown>): void {
  Promise.resolve()
    .then(() => pieces.return?.())
    .catch(() => undefined)
}

function ofText(text: string, contentType: string | undefined): Contents {
  // A character has at most three bytes; counting them is for those that might not fit.
  if (text.length * 3 > WHOLE_BYTES_MAX) {
    const bytes = Buffer.from(text)
    return { ...ofBytes(bytes), contentType }
  }
  return { whole: text, bytes: undefined, contentType, pieces: () => [text][Symbol.iterator]() }
}

function ofBytes(bytes: Uint8Array): Contents {
  return {
    whole: bytes.length <= WHOLE_BYTES_MAX ? bytes : undefined,
    bytes: bytes.length,
    contentType: undefined,
    pieces: () => [bytes][Symbol.iterator](),
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  const given = value as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined
  return typeof given?.[Symbol.asyncIterator] === 'function' || typeof given?.[Symbol.iterator] === 'function'
}

function iteratorOf(source: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  const given = source as Partial<AsyncIterable<unknown> & Iterable<unknown>>
  const asynchronous = given[Symbol.asyncIterator]?.()
  return asynchronous ?? (given[Symbol.iterator]?.() as Iterator<unknown>)
}

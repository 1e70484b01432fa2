/**
 * What can be asked of a server, as the kernel's operations.
 *
 * Rules:
 * 1. A method's meaning decides whether a request may be sent again when its connection is lost (RFC 9110, section
 *    9.2.2); callers may say otherwise for one call.
 * 2. What may be of any size comes back as a stream where it does not come in one piece. Behind others on a pipelined
 *    connection that cannot be: such replies are whole.
 * 3. Every payload is finished bytes; the hint says what the reply's bytes do not.
 */
import type { ByteWriter, Operation } from '@iokernel/core/plugin'
import type { RequestHead } from '../codec/encode.ts'
import {
  writeBodiless,
  writeChunk,
  writeLastChunk,
  writeUploadHead,
  writeWithBytes,
  writeWithText,
} from '../codec/encode.ts'
import { RequestHint } from '../codec/request.ts'
import { type HttpResponse, type ReplyRequest, streamedResponse, wholeResponse } from './response.ts'

/** One request, ready to be written. */
export interface HttpCall extends RequestHead, ReplyRequest {
  /** Bits of `RequestHint`. */
  readonly hint: number
  /** Whether the absence of a body is said (POST and the like). */
  readonly saysNone: boolean
  readonly body: string | Uint8Array | undefined
  /** Of a body that follows; `undefined` where it goes out in chunks. */
  readonly uploadBytes: number | undefined
}

export type HttpOperation = Operation<HttpCall, HttpResponse>

/** The operations of one method. */
export interface MethodOperations {
  readonly alone: HttpOperation
  /** For connections that several requests share; undefined where the method is not safe. */
  readonly behind: HttpOperation | undefined
}

/** RFC 9110, section 9.2.1: asks for nothing to change. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])
/** Section 9.2.2: twice is the same as once. */
const IDEMPOTENT: ReadonlySet<string> = new Set([...SAFE, 'PUT', 'DELETE'])
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH'] as const

const byMethod: ReadonlyMap<string, MethodOperations> = new Map(METHODS.map((name) => [name, operationsOf(name)]))
/** Methods of other specifications: how many there are is up to callers, and names of operations are few. */
const others = operationsOf('OTHER')

export function operationsFor(method: string): MethodOperations {
  return byMethod.get(method) ?? others
}

/** Knows the method, whatever its letters are. */
export function isKnown(method: string): boolean {
  return byMethod.has(method.toUpperCase())
}

function operationsOf(name: string): MethodOperations {
  const alone: HttpOperation = {
    name,
    access: SAFE.has(name) ? 'read' : 'write',
    on: 'lane',
    idempotent: IDEMPOTENT.has(name),
    encode: encodeCall,
    decode: wholeResponse,
    open: streamedResponse,
  }
  const { open: _, ...plain } = alone
  return { alone, behind: SAFE.has(name) ? { ...plain, fingerprint } : undefined }
}

function encodeCall(out: ByteWriter, call: HttpCall): number {
  const { body } = call
  if (body === undefined) writeBodiless(out, call, call.saysNone)
  else if (typeof body === 'string') writeWithText(out, call, body)
  else writeWithBytes(out, call, body)
  return call.hint
}

/** Of the method and the path without its query: what is behind one route takes about as long. Never 0. */
function fingerprint({ start, path }: HttpCall): number {
  let hash = 0x811c9dc5 ^ start.charCodeAt(0)
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index)
    if (code === QUESTION_MARK) break
    hash = Math.imul(hash ^ code, 0x01000193)
  }
  return (hash >>> 0) | 1
}

const QUESTION_MARK = 0x3f

/** A head whose body follows; the reply is read as a stream, and may come before the body has ended. */
export const UPLOAD: Operation<HttpCall, never> = {
  name: 'UPLOAD',
  access: 'write',
  on: 'session',
  idempotent: false,
  encode(out, call) {
    writeUploadHead(out, call, call.uploadBytes)
    return call.hint | RequestHint.Upload
  },
  decode: neverDecoded,
}

/** A head that asks for the connection itself: Upgrade, CONNECT. */
export const TAKE_OVER: Operation<HttpCall, never> = {
  ...UPLOAD,
  name: 'TAKE OVER',
  encode(out, call) {
    writeBodiless(out, call, false)
    return call.hint
  },
}

function neverDecoded(): never {
  throw new Error('a stream is read in pieces')
}

export const UPLOAD_CHUNK: Operation<Uint8Array, void> = silent('UPLOAD CHUNK', RequestHint.UploadPart, writeChunk)
export const UPLOAD_BYTES: Operation<Uint8Array, void> = silent('UPLOAD BYTES', RequestHint.UploadPart, (out, data) =>
  out.copy(data),
)
/** With the lines of the trailers, each with its end. */
export const UPLOAD_LAST_CHUNK: Operation<string, void> = silent(
  'UPLOAD LAST CHUNK',
  RequestHint.UploadEnd,
  writeLastChunk,
)
/** The last of a body whose length was given. */
export const UPLOAD_LAST_BYTES: Operation<Uint8Array, void> = silent(
  'UPLOAD LAST BYTES',
  RequestHint.UploadEnd,
  (out, data) => out.copy(data),
)

function silent<Args>(name: string, hint: number, write: (out: ByteWriter, args: Args) => void): Operation<Args, void> {
  return {
    name,
    access: 'write',
    on: 'lane',
    idempotent: false,
    answer: 'written',
    encode(out, args) {
      write(out, args)
      return hint
    },
    decode: () => undefined,
  }
}

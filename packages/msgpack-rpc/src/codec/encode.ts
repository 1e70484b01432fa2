/**
 * Messages as bytes: heads that are made once for each method, and answers.
 *
 * Rules: the shortest encoding, but for the id of a call (request.ts). An error that is to be answered is never nil,
 * because nil says that there is none.
 */
import { type ByteWriter, LocalError } from '@iokernel/core/plugin'
import type { ValueCodec } from './values.ts'

/** `[0, id, method, ...`, the id still zero. */
export function callHead(method: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x94, 0x00, 0xce, 0, 0, 0, 0), textBytes(method)])
}

/** `[2, method, ...`. */
export function notificationHead(method: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x93, 0x02), textBytes(method)])
}

/** A whole call with the id 0, for scripts. */
export function callBytes(codec: ValueCodec, method: string, params: readonly unknown[]): Uint8Array {
  return Buffer.concat([callHead(method), codec.encode(params)])
}

/** `[1, id, nil, value]`. Throws what the codec throws. */
export function resultBytes(codec: ValueCodec, id: number, value: unknown): Uint8Array {
  return Buffer.concat([responseHead(id), NIL, codec.encode(value)])
}

/** `[1, id, error, nil]`. Throws what the codec throws, and where it makes nil of an error. */
export function errorBytes(codec: ValueCodec, id: number, error: unknown): Uint8Array {
  const bytes = codec.encode(error)
  if (bytes[0] === NIL[0]) throw new LocalError('ARGUMENT', 'an error cannot be nil, which says that there is none')
  return Buffer.concat([responseHead(id), bytes, NIL])
}

/** `[1, id, text, nil]`, without a codec: for the I/O half. */
export function writeRefusal(out: ByteWriter, id: number, text: string): void {
  out.copy(responseHead(id))
  out.copy(textBytes(text))
  out.u8(0xc0)
}

const NIL = Uint8Array.of(0xc0)

function responseHead(id: number): Uint8Array {
  if (id < 0x80) return Uint8Array.of(0x94, 0x01, id)
  if (id < 0x100) return Uint8Array.of(0x94, 0x01, 0xcc, id)
  if (id < 0x1_0000) return Uint8Array.of(0x94, 0x01, 0xcd, id >>> 8, id & 255)
  return Uint8Array.of(0x94, 0x01, 0xce, id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255)
}

/** A text of at most 64 KB. */
function textBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  const { length } = bytes
  if (length < 32) return Buffer.concat([Uint8Array.of(0xa0 | length), bytes])
  if (length < 0x100) return Buffer.concat([Uint8Array.of(0xd9, length), bytes])
  return Buffer.concat([Uint8Array.of(0xda, length >>> 8, length & 255), bytes])
}

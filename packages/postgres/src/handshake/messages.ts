/**
 * Messages that only the beginning of a connection knows, written and read.
 *
 * Rules: what is read is checked to its end; what does not fit is a `RemoteProtocolError`. Nothing here knows an order.
 */
import type { Script } from '@iokernel/core/plugin'
import { ByteWriter, frame, RemoteProtocolError } from '@iokernel/core/plugin'
import { refusal } from './refusal.ts'

export type ProtocolVersion = '3.0' | '3.2'

/** The number after which the server's process is asked to stop what it does, as BackendKeyData gave it. */
export interface BackendKey {
  readonly processId: number
  /** 4 bytes in version 3.0, up to 256 in 3.2. */
  readonly key: Uint8Array
}

/** The type bytes of what a server says here. */
export const AUTHENTICATION = 82
export const KEY_DATA = 75
export const NEGOTIATE_VERSION = 118
export const READY = 90
const ERROR = 69

/** The next message of the server's, whole. An ErrorResponse is thrown. */
export function* serverMessage(step: string): Script<Buffer> {
  const bytes = yield* frame()
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (message[0] === ERROR) throw refusal(message, step)
  return message
}

export function startupMessage(version: ProtocolVersion, parameters: ReadonlyMap<string, string>): Uint8Array {
  const out = new ByteWriter(256)
  const length = out.reserve(4)
  out.u16be(3)
  out.u16be(version === '3.2' ? 2 : 0)
  for (const [name, value] of parameters) {
    writeText(out, name)
    writeText(out, value)
  }
  out.u8(0)
  out.patchU32be(length, out.length)
  return out.written()
}

export function cancelRequest({ processId, key }: BackendKey): Uint8Array {
  const out = new ByteWriter(32)
  out.u32be(12 + key.length)
  out.u16be(1234)
  out.u16be(5678)
  out.u32be(processId >>> 0)
  out.copy(key)
  return out.written()
}

/** PasswordMessage, SASLInitialResponse, SASLResponse: all have one type. */
export function passwordMessage(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(256)
  out.u8(112)
  const length = out.reserve(4)
  write(out)
  out.patchU32be(length, out.length - 1)
  return out.written()
}

export function writeText(out: ByteWriter, text: string): void {
  out.utf8(text)
  out.u8(0)
}

/** What an Authentication message asks for. */
export function authenticationCode(message: Buffer): number {
  if (message[0] !== AUTHENTICATION || message.length < BODY + 4) {
    throw new RemoteProtocolError('the startup was answered by something else than a demand for authentication')
  }
  return message.readUInt32BE(BODY)
}

/** The bytes of an Authentication message behind its code. */
export function authenticationData(message: Buffer): Buffer {
  return message.subarray(BODY + 4)
}

/**
 * NegotiateProtocolVersion: the newest version the server speaks, and the options (`_pq_.`) that it does not know, of
 * which none was sent.
 */
export function negotiatedVersion(message: Buffer, asked: ProtocolVersion): ProtocolVersion {
  if (message.length < BODY + 8) throw new RemoteProtocolError('a NegotiateProtocolVersion that is cut short')
  // Some servers say the minor version alone.
  const version = message.readUInt32BE(BODY) & 0xffff
  const major = message.readUInt32BE(BODY) >>> 16
  if ((major !== 3 && major !== 0) || message.readUInt32BE(BODY + 4) !== 0) {
    throw new RemoteProtocolError('a NegotiateProtocolVersion about what was never asked')
  }
  if (asked === '3.2' && version === 2) return '3.2'
  // 3.1 was never spoken: the number is taken by an accident of poolers.
  if (version === 0) return '3.0'
  throw new RemoteProtocolError(`the server wants to speak protocol 3.${version}, which was not asked for`)
}

export function keyData(message: Buffer): BackendKey {
  const length = message.length - BODY - 4
  if (length < KEY_BYTES_MIN || length > KEY_BYTES_MAX) {
    throw new RemoteProtocolError('a BackendKeyData whose key has neither 4 nor up to 256 bytes')
  }
  return { processId: message.readInt32BE(BODY), key: Uint8Array.from(message.subarray(BODY + 4)) }
}

/** Type byte and length. */
const BODY = 5
const KEY_BYTES_MIN = 4
const KEY_BYTES_MAX = 256

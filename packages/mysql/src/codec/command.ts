/**
 * Commands as packets, and what is checked of those that come finished.
 *
 * Rules: every command begins with sequence number 0; its answer goes on counting where it ends. What is longer than
 * 16 MB is cut into packets here.
 */
import type { ByteWriter } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { beginPacket, endPacket, HEADER_BYTES, PACKET_BYTES_MAX, u24, writeHeader } from './packet.ts'

/** Command bytes. */
export const Command = {
  Quit: 0x01,
  InitDb: 0x02,
  Query: 0x03,
  Ping: 0x0e,
  StatementPrepare: 0x16,
  StatementExecute: 0x17,
  StatementClose: 0x19,
  SetOption: 0x1b,
  ResetConnection: 0x1f,
} as const

/** Returns the sequence number that the reply begins with. */
export function writePrepare(out: ByteWriter, text: Uint8Array): number {
  const at = beginPacket(out)
  out.u8(Command.StatementPrepare)
  out.copy(text)
  return endPacket(out, at)
}

export function writeCommand(out: ByteWriter, ...bytes: readonly number[]): void {
  const at = beginPacket(out)
  for (const byte of bytes) out.u8(byte)
  endPacket(out, at)
}

export function writeClose(out: ByteWriter, id: number): void {
  const at = beginPacket(out)
  out.u8(Command.StatementClose)
  out.u32le(id)
  endPacket(out, at)
}

/** The path of every call: room is made once. Returns the sequence number that the reply begins with. */
export function writeExecute(out: ByteWriter, id: number, payload: Uint8Array, valuesAt: number): number {
  const length = EXECUTE_BYTES + payload.length - valuesAt
  out.ensure(HEADER_BYTES + length)
  const header = out.length
  const bytes = out.bytes
  let at = out.position
  writeHeader(bytes, at, length, 0)
  bytes[at + 4] = Command.StatementExecute
  bytes[at + 5] = id
  bytes[at + 6] = id >>> 8
  bytes[at + 7] = id >>> 16
  bytes[at + 8] = id >>> 24
  bytes[at + 9] = 0
  bytes[at + 10] = 1
  bytes[at + 11] = 0
  bytes[at + 12] = 0
  bytes[at + 13] = 0
  at += HEADER_BYTES + EXECUTE_BYTES
  if (payload.length - valuesAt > LOOP_BYTES_MAX) {
    bytes.set(payload.subarray(valuesAt), at)
    at += payload.length - valuesAt
  } else for (let index = valuesAt; index < payload.length; index++) bytes[at++] = payload[index] as number
  out.position = at
  return length < PACKET_BYTES_MAX ? 1 : endPacket(out, header)
}

/** Packets of one COM_QUERY lie end to end, and nothing behind them. */
export function checkQuery(payload: Uint8Array): void {
  let at = 0
  for (let sequence = 0; ; sequence = (sequence + 1) & 255) {
    const length = at + HEADER_BYTES <= payload.length ? u24(payload, at) : -1
    if (length < 0 || payload[at + 3] !== sequence) break
    at += HEADER_BYTES + length
    if (length === PACKET_BYTES_MAX) continue
    if (at === payload.length && payload.length > HEADER_BYTES && payload[HEADER_BYTES] === Command.Query) return
    break
  }
  throw new LocalError('PLUGIN', 'a request that is not the packets of one COM_QUERY')
}

/** How many packets a checked request has, which is the number that its reply begins with. */
export function packetsIn(payload: Uint8Array): number {
  return payload.length < PACKET_BYTES_MAX
    ? 1
    : (Math.floor(payload.length / (HEADER_BYTES + PACKET_BYTES_MAX)) + 1) & 255
}

/** Command, number, flags (no cursor), iteration count. */
const EXECUTE_BYTES = 10
/** Below this, a loop over the bytes beats the call into native code (as in core's ByteWriter). */
const LOOP_BYTES_MAX = 128

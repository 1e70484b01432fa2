/**
 * What an OK packet says of the session: its status, and what has changed in it.
 *
 * Theory of operation (documentation, "OK_Packet"):
 *
 *   | header, 4 bytes | 00 or FE | rows, lenenc | last id, lenenc | status u16 | warnings u16 |
 *   [| message, lenenc text | changes, lenenc text ]         where status has SESSION_STATE_CHANGED
 *
 *   changes: pieces of | kind u8 | lenenc text |
 *     0 a system variable, by name and value     1 the database      2 something else (a user variable, a temporary
 *     3 GTIDs                                    4, 5 the transaction    table, a statement prepared in SQL)
 *
 * An EOF packet of old has the warnings before the status, and is told by its length of 5.
 *
 * Rules: GTIDs and the state of a transaction are no change: the first follow every write, the second is in the status.
 * What is cut off (a packet that is passed on in parts) counts as a change.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { HEADER_BYTES, lenenc, lenencBytes, u16, u24 } from './codec/packet.ts'

/** Status of the OK or EOF packet in bytes[at, stop), header included. */
export function okStatus(bytes: Buffer, at: number, stop: number): number {
  const length = u24(bytes, at)
  const body = at + HEADER_BYTES
  if (length === EOF_BYTES && bytes[body] === 0xfe) return u16(bytes, body + 3)
  const place = statusAt(bytes, at)
  if (place < 0 || place + 2 > Math.min(stop, body + length)) throw cutShort()
  return u16(bytes, place)
}

/** Whether the OK packet in bytes[at, stop), whose status says that something has changed, says what matters. */
export function changesSession(bytes: Buffer, at: number, stop: number): boolean {
  const end = at + HEADER_BYTES + u24(bytes, at)
  // EOF packets of old have the flag, and no room to say more.
  if (end - at === HEADER_BYTES + EOF_BYTES) return true
  // A large packet that is not in yet: what it says cannot be looked at.
  if (end > stop) return true
  const message = statusAt(bytes, at) + 4
  const changes = textEnd(bytes, message, end)
  // Flagged, and nothing said: a server that was not asked to track.
  if (changes === end) return true
  const last = textEnd(bytes, changes, end)
  let kindAt = changes + lenencBytes(bytes, changes)
  while (kindAt < last) {
    const kind = bytes[kindAt] as number
    if (!QUIET.has(kind)) return true
    kindAt = textEnd(bytes, kindAt + 1, last)
  }
  return false
}

const EOF_BYTES = 5
/** GTIDs, characteristics of a transaction, state of a transaction. */
const QUIET: ReadonlySet<number> = new Set([3, 4, 5])

/** Where the status is; -1 where a number before it is none. */
function statusAt(bytes: Buffer, at: number): number {
  const rowsAt = at + HEADER_BYTES + 1
  const rows = lenencBytes(bytes, rowsAt)
  const id = lenencBytes(bytes, rowsAt + rows)
  return rows === 0 || id === 0 ? -1 : rowsAt + rows + id
}

/** Behind the length-encoded text at `at`. */
function textEnd(bytes: Buffer, at: number, end: number): number {
  const size = at < end ? lenencBytes(bytes, at) : 0
  const stop = size === 0 || at + size > end ? -1 : at + size + lenenc(bytes, at)
  if (stop < 0 || stop > end) throw cutShort()
  return stop
}

function cutShort(): RemoteProtocolError {
  return new RemoteProtocolError('an OK packet that is shorter than it says')
}

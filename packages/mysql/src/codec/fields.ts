/**
 * Column definitions: what the server says of each column before the rows.
 *
 * Rules: read once for a statement and the bytes it was answered with. Lengths are checked against the end of the
 * packet. Names are data, whatever they are called.
 *
 *   | catalog | schema | table | original table | name | original name |   texts, length-encoded
 *   | extended metadata |                                                 MariaDB, where it was agreed on
 *   | 0C | collation u16 | length u32 | type u8 | flags u16 | decimals u8 | 00 00 |
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { lenenc, lenencBytes, u16, u32 } from './packet.ts'
import { type TypeName, typeName } from './types.ts'

export interface Field {
  readonly name: string
  /** Of the column: `BIGINT`, `VARCHAR`, `JSON`. */
  readonly type: TypeName
  /** The alias that the statement gives the table; empty where the column is none of a table's. */
  readonly table: string
  readonly schema: string
  /** In the table, whatever the statement calls it. */
  readonly originalName: string
  readonly originalTable: string
  /** The server's number for the type. */
  readonly typeId: number
  /** Bits: 1 NOT NULL, 2 primary key, 32 unsigned, 512 auto_increment, … */
  readonly flags: number
  readonly collation: number
  /** The most bytes that a value may have, or digits. */
  readonly length: number
  /** Digits behind the point; 31 or 39 where that is not fixed. */
  readonly decimals: number
}

/** The definition whose payload is bytes[start, end). */
export function fieldIn(bytes: Buffer, start: number, end: number, hasExtendedMetadata: boolean): Field {
  const texts: string[] = []
  let at = start
  for (let index = 0; index < TEXTS; index++) {
    const next = textEnd(bytes, at, end)
    texts.push(bytes.toString('utf8', at + lenencBytes(bytes, at), next))
    at = next
  }
  let format = ''
  if (hasExtendedMetadata) {
    const next = textEnd(bytes, at, end)
    format = formatIn(bytes, at + lenencBytes(bytes, at), next)
    at = next
  }
  if (end - at < FIXED_BYTES) throw broken()
  const [, schema, table, originalTable, name, originalName] = texts as [string, string, string, string, string, string]
  const typeId = bytes[at + 7] as number
  const flags = u16(bytes, at + 8)
  const collation = u16(bytes, at + 1)
  return {
    name,
    type: typeName(typeId, collation, flags, format),
    table,
    schema,
    originalName,
    originalTable,
    typeId,
    flags,
    collation,
    length: u32(bytes, at + 3),
    decimals: bytes[at + 10] as number,
  }
}

/** Behind the text at `at`. */
function textEnd(bytes: Buffer, at: number, end: number): number {
  const size = at < end ? lenencBytes(bytes, at) : 0
  if (size === 0 || at + size > end) throw broken()
  const next = at + size + lenenc(bytes, at)
  if (next > end) throw broken()
  return next
}

/** Pieces of a kind, a length and a text: the format if there is one (`json`), the type otherwise (`uuid`). */
function formatIn(bytes: Buffer, start: number, end: number): string {
  let type = ''
  let at = start
  while (at + 2 <= end) {
    const next = at + 2 + (bytes[at + 1] as number)
    if (next > end) throw broken()
    const text = bytes.toString('latin1', at + 2, next)
    if (bytes[at] === FORMAT) return text
    type = text
    at = next
  }
  return type
}

function broken(): RemoteProtocolError {
  return new RemoteProtocolError('a column definition breaks off')
}

const TEXTS = 6
/** The length 0C, and as many bytes but the two that are always zero and may be left out. */
const FIXED_BYTES = 11
const FORMAT = 1

/**
 * Requests as bytes: the execution of a prepared statement, and statements as text.
 *
 * Rules:
 * 1. A statement's bytes are made once; per call only its values are written, in one pass.
 * 2. Text of up to 40 characters is tried as ASCII in the loop that copies it; only when that fails is its length
 *    measured.
 * 3. There are as many values as placeholders: with one more or less the server would read one value for another.
 *
 * The layout is that of `request.ts`. Behind the statement, where it has placeholders:
 *
 *   | a bit for each NULL | 1 | for each its type, 80 for unsigned | values …
 *
 * Limits: 65 535 values (they are counted in 16 bits), and `requestBytesMax` for the whole.
 */
import type { ByteWriter } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { escapeId, escape as escapeValue } from 'sql-escaper'
import { beginPacket, endPacket, writeLenenc } from './packet.ts'
import type { Statement } from './statement.ts'
import { Type } from './types.ts'
import { escapable, isFiniteNumber, Json, refuse, wallOf } from './values.ts'

/** Below this, a loop over the characters beats the call into native code (as in core's ByteWriter). */
const LOOP_CHARS_MAX = 40
/** COM_QUERY. */
const QUERY = 3
/** The server counts placeholders in an unsigned number of 16 bits. */
export const VALUES_MAX = 0xffff

/** `[u32 hash][u32 n][u16 count][statement][values]`: what `submit` makes PREPARE and EXECUTE of. */
export function writePrepared(out: ByteWriter, statement: Statement, values: readonly unknown[]): void {
  const count = values.length
  checkPrepared(statement, count)
  out.u32le(statement.hash)
  out.u32le(statement.bytes.length)
  out.u16le(count)
  out.copy(statement.bytes)
  if (count === 0) return
  const nullBytes = (count + 7) >> 3
  const at = out.reserve(nullBytes + 1 + 2 * count)
  out.bytes.fill(0, out.start + at, out.position)
  out.patchU8(at + nullBytes, 1)
  const types = at + nullBytes + 1
  const { zone } = statement.app
  for (let index = 0; index < count; index++) {
    const value = values[index]
    if (value === null) {
      const nulls = out.start + at + (index >> 3)
      out.bytes[nulls] = (out.bytes[nulls] as number) | (1 << (index & 7))
      out.patchU8(types + 2 * index, Type.Null)
      continue
    }
    const type = typeof value === 'string' ? writeText(out, value) : writeValue(out, value, zone)
    out.patchU8(types + 2 * index, type & 0xff)
    if (type > 0xff) out.patchU8(types + 2 * index + 1, UNSIGNED_BYTE)
  }
}

/** COM_QUERY: the text as it is, or with values in the places of its question marks. */
export function writeQuery(out: ByteWriter, statement: Statement, values: readonly unknown[]): void {
  const at = beginPacket(out)
  out.u8(QUERY)
  const { placeholders = NO_PLACEHOLDERS } = statement.analysis
  if (values.length === 0 && placeholders.length === 0) out.copy(statement.bytes)
  else out.utf8(interpolated(statement, values))
  endPacket(out, at)
}

/** `?` is a value, `??` a name. Where they stand is known from the text's tokens: not in literals, not in comments. */
function interpolated(statement: Statement, values: readonly unknown[]): string {
  const { text, app } = statement
  const places = placesFor(statement, values.length)
  let whole = ''
  let from = 0
  for (const [index, at] of places.entries()) {
    const isName = text[at + 1] === '?'
    whole += text.slice(from, at)
    whole += isName ? nameText(values[index]) : escapeValue(escapable(values[index], app.zone), true)
    from = at + (isName ? 2 : 1)
  }
  return whole + text.slice(from)
}

function nameText(value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw new LocalError('ARGUMENT', 'a name (??) is a string that is not empty and has no NUL')
  }
  return escapeId(value)
}

/** Where the placeholders stand, of which there are as many as values. */
function placesFor({ analysis }: Statement, count: number): readonly number[] {
  const { placeholders } = analysis
  if (placeholders === undefined) {
    throw new LocalError(
      'ARGUMENT',
      'whether a ? of the statement is a placeholder depends on the version of the server: no placeholders in comments',
    )
  }
  if (placeholders.length === count) return placeholders
  throw new LocalError(
    'ARGUMENT',
    `the statement has ${placeholders.length} placeholders, and ${count} values were given`,
  )
}

function checkPrepared(statement: Statement, count: number): void {
  if (count > VALUES_MAX) throw new LocalError('ARGUMENT', `a statement takes at most ${VALUES_MAX} values`)
  const places = placesFor(statement, count)
  if (places.some((at) => statement.text[at + 1] === '?')) {
    throw new LocalError('ARGUMENT', '?? is for simple(), which writes names into the text; or use sql.identifier()')
  }
}

/** Returns the type that was written, with `UNSIGNED` where it is. */
function writeValue(out: ByteWriter, value: unknown, zone: Statement['app']['zone']): number {
  switch (typeof value) {
    case 'number':
      return writeNumber(out, value)
    case 'bigint':
      return writeBigint(out, value)
    case 'boolean':
      out.u8(value ? 1 : 0)
      return Type.Tiny
    case 'object':
      break
    default:
      return refuse(value)
  }
  if (value instanceof Uint8Array) {
    writeLenenc(out, value.length)
    out.copy(value)
    return Type.Blob
  }
  if (value instanceof Date) return writeDate(out, value, zone)
  return value instanceof Json ? writeText(out, value.text) : refuse(value)
}

function writeNumber(out: ByteWriter, value: number): number {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    if (!isFiniteNumber(value)) return refuse(value)
    out.f64le(value)
    return Type.Double
  }
  out.ensure(8)
  out.bytes.writeInt32LE(value | 0, out.position)
  out.bytes.writeInt32LE(Math.floor(value / 0x1_0000_0000), out.position + 4)
  out.position += 8
  return Type.LongLong
}

function writeBigint(out: ByteWriter, value: bigint): number {
  if (BigInt.asIntN(64, value) === value) {
    out.i64le(value)
    return Type.LongLong
  }
  if (BigInt.asUintN(64, value) === value) {
    out.i64le(BigInt.asIntN(64, value))
    return Type.LongLong | UNSIGNED
  }
  writeText(out, value.toString())
  return Type.NewDecimal
}

function writeDate(out: ByteWriter, date: Date, zone: Statement['app']['zone']): number {
  const { year, month, day, hour, minute, second, micros } = wallOf(date, zone)
  out.u8(micros === 0 ? 7 : 11)
  out.u16le(year)
  out.u8(month)
  out.u8(day)
  out.u8(hour)
  out.u8(minute)
  out.u8(second)
  if (micros !== 0) out.u32le(micros)
  return Type.DateTime
}

function writeText(out: ByteWriter, text: string): number {
  const length = text.length
  if (length <= LOOP_CHARS_MAX) {
    out.ensure(length + 1)
    const bytes = out.bytes
    let at = out.position + 1
    let index = 0
    for (; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > 127) break
      bytes[at++] = code
    }
    if (index === length) {
      bytes[out.position] = length
      out.position = at
      return Type.VarString
    }
  }
  const byteLength = Buffer.byteLength(text)
  writeLenenc(out, byteLength)
  out.utf8(text, byteLength)
  return Type.VarString
}

const NO_PLACEHOLDERS: readonly number[] = []
/** Above every type's number. */
const UNSIGNED = 0x100
/** What stands behind the type on the wire. */
const UNSIGNED_BYTE = 0x80

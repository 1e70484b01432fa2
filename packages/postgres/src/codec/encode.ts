/**
 * Requests as bytes: the envelope of a prepared statement, and messages that go out as they are.
 *
 * Rules:
 * 1. A statement's bytes are made once; per call only its values are written, in one pass.
 * 2. Text of up to 40 characters is tried as ASCII in the loop that copies it; only when that fails is its length
 *    measured.
 * 3. Results are asked for as text: it is what every type has, and what the parsers of `pg-types` read.
 *
 * Limits: 65 535 values (Bind counts them in 16 bits), 2 GiB less than a kilobyte for one (a length is a signed number
 * of 32 bits), and `requestBytesMax` for the whole.
 */
import type { ByteWriter } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'
import { textOf } from './values.ts'

/** Below this, a loop over the characters beats the call into native code (as in core's ByteWriter). */
const LOOP_CHARS_MAX = 40
const LENGTH_BYTES = 4
const NULL_LENGTH = -1
/** Bind says how many there are in an unsigned number of 16 bits. */
export const VALUES_MAX = 0xffff

/** `[u32 hash][u32 n][statement][values]`: what `submit` makes Parse, Bind, Describe, Execute and Sync of. */
export function writePrepared(out: ByteWriter, hash: number, statement: Uint8Array, values: readonly unknown[]): void {
  out.u32be(hash)
  out.u32be(statement.length)
  out.copy(statement)
  writeValues(out, values)
}

/** The same without a name, as messages: for what stands between and knows no prepared statements. */
export function writeUnprepared(out: ByteWriter, statement: Uint8Array, values: readonly unknown[]): void {
  writeParse(out, statement)
  writeBind(out, '', values)
  writeDescribe(out, '')
  writeExecute(out, '', 0)
  writeSync(out)
}

/** What follows the names in a Bind: formats, values, and the format of the results. */
export function writeValues(out: ByteWriter, values: readonly unknown[]): void {
  const count = values.length
  if (count === 0) {
    out.ensure(6)
    out.bytes.fill(0, out.position, out.position + 6)
    out.position += 6
    return
  }
  if (count > VALUES_MAX) {
    throw new LocalError('ARGUMENT', `a statement takes at most ${VALUES_MAX} values: pass arrays, or use copyFrom()`)
  }
  writeFormats(out, values, count)
  out.u16be(count)
  for (let index = 0; index < count; index++) writeValue(out, values[index])
  out.u16be(0)
}

function writeFormats(out: ByteWriter, values: readonly unknown[], count: number): void {
  let binary = 0
  for (let index = 0; index < count; index++) if (values[index] instanceof Uint8Array) binary++
  if (binary === 0) {
    out.u16be(0)
    return
  }
  out.u16be(count)
  for (let index = 0; index < count; index++) out.u16be(values[index] instanceof Uint8Array ? 1 : 0)
}

function writeValue(out: ByteWriter, value: unknown): void {
  if (typeof value === 'string') writeText(out, value)
  else if (value === null) out.u32be(NULL_LENGTH >>> 0)
  else if (value instanceof Uint8Array) {
    out.u32be(value.length)
    out.copy(value)
  } else writeText(out, textOf(value))
}

function writeText(out: ByteWriter, text: string): void {
  const length = text.length
  if (length <= LOOP_CHARS_MAX) {
    out.ensure(length + LENGTH_BYTES)
    const bytes = out.bytes
    let at = out.position + LENGTH_BYTES
    let index = 0
    for (; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > 127) break
      bytes[at++] = code
    }
    if (index === length) {
      const from = out.position
      bytes[from] = 0
      bytes[from + 1] = 0
      bytes[from + 2] = 0
      bytes[from + 3] = length
      out.position = at
      return
    }
  }
  const byteLength = Buffer.byteLength(text)
  out.u32be(byteLength)
  out.utf8(text, byteLength)
}

/** Query: statements as text, one after the other, answered by as many results. */
export function writeQuery(out: ByteWriter, text: string): void {
  const at = begin(out, QUERY)
  out.utf8(text)
  out.u8(0)
  end(out, at)
}

export function writeParse(out: ByteWriter, statement: Uint8Array): void {
  const at = begin(out, PARSE)
  out.u8(0)
  out.copy(statement)
  end(out, at)
}

/** Of the statement without a name. */
export function writeBind(out: ByteWriter, portal: string, values: readonly unknown[]): void {
  const at = begin(out, BIND)
  out.ascii(portal)
  out.u16be(0)
  writeValues(out, values)
  end(out, at)
}

export function writeDescribe(out: ByteWriter, portal: string): void {
  const at = begin(out, DESCRIBE)
  out.u8(PORTAL)
  out.ascii(portal)
  out.u8(0)
  end(out, at)
}

/** `rowsMax`: 0 for all of them. */
export function writeExecute(out: ByteWriter, portal: string, rowsMax: number): void {
  const at = begin(out, EXECUTE)
  out.ascii(portal)
  out.u8(0)
  out.u32be(rowsMax)
  end(out, at)
}

export function writeClose(out: ByteWriter, portal: string): void {
  const at = begin(out, CLOSE)
  out.u8(PORTAL)
  out.ascii(portal)
  out.u8(0)
  end(out, at)
}

export function writeSync(out: ByteWriter): void {
  end(out, begin(out, SYNC))
}

export function writeCopyData(out: ByteWriter, data: Uint8Array): void {
  const at = begin(out, COPY_DATA)
  out.copy(data)
  end(out, at)
}

export function writeCopyDone(out: ByteWriter): void {
  end(out, begin(out, COPY_DONE))
}

/** `reason` reaches the server's log and its error. */
export function writeCopyFail(out: ByteWriter, reason: string): void {
  const at = begin(out, COPY_FAIL)
  out.utf8(reason)
  out.u8(0)
  end(out, at)
}

function begin(out: ByteWriter, type: number): number {
  out.u8(type)
  return out.reserve(LENGTH_BYTES)
}

/** The length of a message counts itself, and not its type. */
function end(out: ByteWriter, at: number): void {
  out.patchU32be(at, out.length - at)
}

const BIND = 66
const CLOSE = 67
const DESCRIBE = 68
const EXECUTE = 69
const PARSE = 80
const QUERY = 81
const SYNC = 83
const COPY_DONE = 99
const COPY_DATA = 100
const COPY_FAIL = 102
/** `P`: what Describe and Close are about. */
const PORTAL = 80

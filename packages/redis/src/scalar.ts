/**
 * Where one RESP value that holds no other value ends.
 *
 * Rules:
 * 1. Free functions over numbers: no state, no allocation, no closure. This is the innermost loop of the framer.
 * 2. Bytes at and after `end` are never looked at: they belong to somebody else, or to an earlier scan.
 * 3. What can already be seen to be wrong is refused at once, not when the line is complete: a server that stops
 *    after `$abc` must give an error, not a wait.
 * 4. Lengths are counted, never searched for: a payload may hold CRLF and whole frames of its own.
 * 5. Messages name the kind of the fault and the byte seen, never a payload.
 *
 * Theory of operation: the first byte tells the class. Lines end at CRLF (LF alone is data, CR alone is an error); a
 * bulk is a length, CRLF, that many bytes, CRLF. The answer is the position after the value, `INCOMPLETE` when its
 * end is not in yet, or `COMPOUND` for what the framer has to walk into.
 *
 * Stricter than the specification where Redis is: no leading `+` in an integer, no streamed `$?` (no server sends
 * them; the C client refuses them too).
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'

export const INCOMPLETE = -1
export const COMPOUND = -2

export const CR = 13
export const LF = 10
export const MINUS = 45
export const STAR = 42
export const PUSH = 62
export const ATTRIBUTE = 124
export const BLOB_ERROR = 33

const DOLLAR = 36
const EQUALS = 61
const MAP = 37
const ZERO = 48
const QUESTION = 63

const CLASS_BULK = 1
const CLASS_TEXT = 2
const CLASS_INTEGER = 3
const CLASS_NULL = 4
const CLASS_DOUBLE = 5
const CLASS_BOOLEAN = 6
const CLASS_BIG = 7
const CLASS_COMPOUND = 8

/** Type byte and ten digits: 9 999 999 999 is beyond every limit that can be set. */
const HEADER_BYTES_MAX = 11
/** Sign and 19 digits: a 64-bit integer. */
const INTEGER_DIGITS_MAX = 19
/** Redis prints doubles with 17 significant digits, sign, point and exponent: 24 bytes. Other servers print zeros. */
const DOUBLE_BYTES_MAX = 512

/**
 * Some 13 600 bits. Reading one digit by digit takes quadratic time, here and in `BigInt()`; at this length it is
 * nothing.
 */
const BIG_NUMBER_BYTES_MAX = 4096

/**
 * The types of each protocol version by their first byte. A RESP2 server that sends a RESP3 type is not to be
 * trusted.
 */
export const TYPES_RESP2: Uint8Array = typeTable(false)
export const TYPES_RESP3: Uint8Array = typeTable(true)

/** The position after the value that begins at `at`. */
export function scalarEnd(
  bytes: Buffer,
  at: number,
  end: number,
  types: Uint8Array,
  lineBytesMax: number,
  frameBytesMax: number,
): number {
  switch (types[bytes[at] as number]) {
    case CLASS_BULK:
      return bulkEnd(bytes, at, end, frameBytesMax)
    case CLASS_TEXT:
      return textEnd(bytes, at, end, lineBytesMax)
    case CLASS_INTEGER:
      return integerEnd(bytes, at, end)
    case CLASS_NULL:
      return lineBreak(bytes, at + 1, end)
    case CLASS_DOUBLE:
      return doubleEnd(bytes, at, end)
    case CLASS_BOOLEAN:
      return booleanEnd(bytes, at, end)
    case CLASS_BIG:
      return bigNumberEnd(bytes, at, end)
    case CLASS_COMPOUND:
      return COMPOUND
    default:
      throw new RemoteProtocolError(`unknown type byte ${hex(bytes[at] as number)} where a reply should begin`)
  }
}

/** True for `$ ! =`: values with a counted payload. */
export function isBulk(type: number): boolean {
  return type === DOLLAR || type === BLOB_ERROR || type === EQUALS
}

/** True for the lines that may be long: `+ -`. */
export function isLongLine(type: number): boolean {
  return type === 43 || type === MINUS
}

/** The position after `<type><digits>CRLF`. `-1` is a length only where RESP2 says null that way. */
export function headerEnd(bytes: Buffer, at: number, end: number): number {
  let position = at + 1
  if (position < end && bytes[position] === MINUS) return nullEnd(bytes, at, end)
  for (; position < end; position++) {
    const digit = (bytes[position] as number) - ZERO
    if (digit < 0 || digit > 9) break
    if (position - at >= HEADER_BYTES_MAX) throw lengthTooLong(bytes, at)
  }
  if (position >= end) return INCOMPLETE
  if (position === at + 1 || bytes[position] !== CR) throw badLength(bytes, at, position)
  return lineBreak(bytes, position, end)
}

/** The number in a header that `headerEnd` found complete; -1 for null. */
export function headerNumber(bytes: Buffer, at: number): number {
  let position = at + 1
  if (bytes[position] === MINUS) return -1
  let value = 0
  for (let byte = bytes[position] as number; byte !== CR; byte = bytes[++position] as number) {
    value = value * 10 + (byte - ZERO)
  }
  return value
}

export function frameTooLong(frameBytesMax: number): RemoteProtocolError {
  return new RemoteProtocolError(`a reply is longer than frameBytesMax (${frameBytesMax} bytes)`)
}

function bulkEnd(bytes: Buffer, at: number, end: number, frameBytesMax: number): number {
  let position = at + 1
  let length = 0
  for (;;) {
    if (position >= end) return INCOMPLETE
    const digit = (bytes[position] as number) - ZERO
    if (digit < 0 || digit > 9) break
    if (position - at >= HEADER_BYTES_MAX) throw lengthTooLong(bytes, at)
    length = length * 10 + digit
    position++
  }
  if (bytes[position] !== CR || position === at + 1) {
    if (bytes[position] === MINUS && position === at + 1) return nullEnd(bytes, at, end)
    throw badLength(bytes, at, position)
  }
  const next = position + 2 + length + 2
  if (next - at > frameBytesMax) throw frameTooLong(frameBytesMax)
  if (position + 1 >= end) return INCOMPLETE
  if (bytes[position + 1] !== LF) throw badLineEnd(bytes, position + 1)
  if (next > end) return INCOMPLETE
  if (bytes[next - 2] !== CR || bytes[next - 1] !== LF) {
    throw new RemoteProtocolError('a bulk string is not followed by CRLF: its length is wrong')
  }
  return next
}

/** `$-1` and `*-1`; every other negative length is an error. */
function nullEnd(bytes: Buffer, at: number, end: number): number {
  const type = bytes[at] as number
  if (type !== DOLLAR && type !== STAR) throw badLength(bytes, at, at + 1)
  if (at + 2 >= end) return INCOMPLETE
  if (bytes[at + 2] !== 49) throw badLength(bytes, at, at + 2)
  return lineBreak(bytes, at + 3, end)
}

function textEnd(bytes: Buffer, at: number, end: number, lineBytesMax: number): number {
  let position = at + 1
  while (position < end && bytes[position] !== CR) position++
  if (position - at > lineBytesMax) throw lineTooLong(lineBytesMax)
  if (position + 1 >= end) return INCOMPLETE
  if (bytes[position + 1] !== LF) throw badLineEnd(bytes, position + 1)
  return position + 2
}

export function lineTooLong(lineBytesMax: number): RemoteProtocolError {
  return new RemoteProtocolError(`a line is longer than lineBytesMax (${lineBytesMax} bytes)`)
}

function integerEnd(bytes: Buffer, at: number, end: number): number {
  let position = at + 1
  if (position < end && bytes[position] === MINUS) position++
  const digits = position
  for (; position < end; position++) {
    const digit = (bytes[position] as number) - ZERO
    if (digit < 0 || digit > 9) break
    if (position - digits >= INTEGER_DIGITS_MAX) throw new RemoteProtocolError('an integer has more than 64 bits')
  }
  if (position >= end) return INCOMPLETE
  if (position === digits || bytes[position] !== CR) {
    throw new RemoteProtocolError(`byte ${hex(bytes[position] as number)} in an integer`)
  }
  if (position - digits === INTEGER_DIGITS_MAX) checkInteger(bytes, digits, bytes[at + 1] === MINUS)
  return lineBreak(bytes, position, end)
}

/** 19 digits may be too many by a little: 9223372036854775807, or 8 at the end where the number is negative. */
function checkInteger(bytes: Buffer, digits: number, negative: boolean): void {
  const limit = negative ? '9223372036854775808' : '9223372036854775807'
  for (let index = 0; index < INTEGER_DIGITS_MAX; index++) {
    const difference = (bytes[digits + index] as number) - limit.charCodeAt(index)
    if (difference < 0) return
    if (difference > 0) throw new RemoteProtocolError('an integer has more than 64 bits')
  }
}

function booleanEnd(bytes: Buffer, at: number, end: number): number {
  if (at + 1 >= end) return INCOMPLETE
  const byte = bytes[at + 1] as number
  if (byte !== 116 && byte !== 102) throw new RemoteProtocolError(`byte ${hex(byte)} where a boolean says t or f`)
  return lineBreak(bytes, at + 2, end)
}

function bigNumberEnd(bytes: Buffer, at: number, end: number): number {
  let position = at + 1
  if (position < end && bytes[position] === MINUS) position++
  const digits = position
  for (; position < end; position++) {
    const digit = (bytes[position] as number) - ZERO
    if (digit < 0 || digit > 9) break
    if (position - at > BIG_NUMBER_BYTES_MAX) throw new RemoteProtocolError('a big number has too many digits')
  }
  if (position >= end) return INCOMPLETE
  if (position === digits || bytes[position] !== CR) {
    throw new RemoteProtocolError(`byte ${hex(bytes[position] as number)} in a big number`)
  }
  return lineBreak(bytes, position, end)
}

function doubleEnd(bytes: Buffer, at: number, end: number): number {
  let position = at + 1
  for (; position < end; position++) {
    const byte = bytes[position] as number
    if (byte === CR) break
    if (!isDoubleByte(byte)) throw new RemoteProtocolError(`byte ${hex(byte)} in a double`)
    if (position - at > DOUBLE_BYTES_MAX) throw new RemoteProtocolError('a double is longer than any double can be')
  }
  if (position >= end) return INCOMPLETE
  if (!isDouble(bytes, at + 1, position)) throw new RemoteProtocolError('a double that is no number, inf or nan')
  return lineBreak(bytes, position, end)
}

/** Digits, sign, point, exponent, and the letters of `inf` and `nan`. */
function isDoubleByte(byte: number): boolean {
  if (byte >= 48 && byte <= 57) return true
  if (byte === 43 || byte === 45 || byte === 46) return true
  const lower = byte | 32
  return lower === 101 || lower === 105 || lower === 110 || lower === 102 || lower === 97
}

function isDouble(bytes: Buffer, from: number, to: number): boolean {
  let at = from
  if (at < to && (bytes[at] === MINUS || bytes[at] === 43)) at++
  if (to - at === 3 && (bytes[at] as number) > 57) {
    const word = bytes.toString('latin1', at, to).toLowerCase()
    return word === 'inf' || word === 'nan'
  }
  const whole = skipDigits(bytes, at, to)
  let digits = whole - at
  at = whole
  if (at < to && bytes[at] === 46) {
    const fraction = skipDigits(bytes, at + 1, to)
    digits += fraction - at - 1
    at = fraction
  }
  if (digits === 0) return false
  if (at < to && ((bytes[at] as number) | 32) === 101) {
    at++
    if (at < to && (bytes[at] === MINUS || bytes[at] === 43)) at++
    const exponent = skipDigits(bytes, at, to)
    if (exponent === at) return false
    at = exponent
  }
  return at === to
}

function skipDigits(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && (bytes[at] as number) >= 48 && (bytes[at] as number) <= 57) at++
  return at
}

/** The position after the CRLF that must be at `at`. */
function lineBreak(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return INCOMPLETE
  if (bytes[at] !== CR) throw badLineEnd(bytes, at)
  if (at + 1 >= end) return INCOMPLETE
  if (bytes[at + 1] !== LF) throw badLineEnd(bytes, at + 1)
  return at + 2
}

function badLineEnd(bytes: Buffer, at: number): RemoteProtocolError {
  return new RemoteProtocolError(`byte ${hex(bytes[at] as number)} where a line should end in CRLF`)
}

function badLength(bytes: Buffer, at: number, wrong: number): RemoteProtocolError {
  const type = String.fromCharCode(bytes[at] as number)
  const byte = bytes[wrong] as number
  if (byte === QUESTION) return new RemoteProtocolError(`a streamed value (${type}?): not part of what Redis speaks`)
  return new RemoteProtocolError(`byte ${hex(byte)} in the length after ${type}`)
}

function lengthTooLong(bytes: Buffer, at: number): RemoteProtocolError {
  return new RemoteProtocolError(`the length after ${String.fromCharCode(bytes[at] as number)} has too many digits`)
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`
}

function typeTable(resp3: boolean): Uint8Array {
  const table = new Uint8Array(256)
  table[DOLLAR] = CLASS_BULK
  table[43] = CLASS_TEXT
  table[MINUS] = CLASS_TEXT
  table[58] = CLASS_INTEGER
  table[STAR] = CLASS_COMPOUND
  if (!resp3) return table
  table[BLOB_ERROR] = CLASS_BULK
  table[EQUALS] = CLASS_BULK
  table[95] = CLASS_NULL
  table[44] = CLASS_DOUBLE
  table[35] = CLASS_BOOLEAN
  table[40] = CLASS_BIG
  table[MAP] = CLASS_COMPOUND
  table[126] = CLASS_COMPOUND
  table[PUSH] = CLASS_COMPOUND
  table[ATTRIBUTE] = CLASS_COMPOUND
  return table
}

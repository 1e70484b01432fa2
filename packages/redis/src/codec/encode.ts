/**
 * Requests as bytes: arrays of bulk strings, the one form that every command has in both protocol versions.
 *
 * Rules:
 * 1. An argument is text, a number, a bigint or bytes. Everything else is refused with `LocalError` `ARGUMENT` while
 *    nothing has left: what was written so far is dropped with the call.
 * 2. Numbers are written as JavaScript prints them; infinities as Redis spells them. NaN is no argument.
 * 3. One pass, no intermediate array or buffer. Text of up to 40 characters is tried as ASCII in the same loop that
 *    copies it; only when that fails is its length measured.
 *
 * Theory of operation: a known command's head (`*3 $3 SET`) is bytes made once; only arguments are encoded per call.
 * The writers below go to `out.bytes` directly after one `ensure`, because a call per byte is what an encoder's time
 * goes to.
 */
import type { ByteWriter } from '@iokernel/core/plugin'
import { LocalError } from '@iokernel/core/plugin'

/** What a command may be given. */
export type Argument = string | number | bigint | Uint8Array

const STAR = 42
const DOLLAR = 36
const CR = 13
const LF = 10
const ZERO = 48
/** `ByteWriter.asciiOnly` has the same break-even: above it, native code wins. */
const LOOP_CHARS_MAX = 40
/** `$`, up to 10 digits, CRLF, and CRLF after the payload. */
const BULK_OVERHEAD_BYTES = 15

/** One argument as a bulk string. */
export function writeArgument(out: ByteWriter, value: Argument): void {
  if (typeof value === 'string') writeText(out, value)
  else if (typeof value === 'number') writeNumber(out, value)
  else if (value instanceof Uint8Array) writeBytes(out, value)
  else if (typeof value === 'bigint') writeText(out, value.toString())
  else throw badArgument(value)
}

export function writeText(out: ByteWriter, text: string): void {
  const length = text.length
  if (length > LOOP_CHARS_MAX) return writeLongText(out, text)
  out.ensure(length + BULK_OVERHEAD_BYTES)
  const bytes = out.bytes
  let at = out.position
  bytes[at++] = DOLLAR
  if (length > 9) bytes[at++] = ZERO + ((length / 10) | 0)
  bytes[at++] = ZERO + (length % 10)
  bytes[at++] = CR
  bytes[at++] = LF
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code > 127) return writeLongText(out, text)
    bytes[at++] = code
  }
  bytes[at++] = CR
  bytes[at++] = LF
  out.position = at
}

export function writeBytes(out: ByteWriter, value: Uint8Array): void {
  writeBulkHeader(out, value.length)
  out.copy(value)
  writeLineBreak(out)
}

/** `text` holds one byte in each character. */
export function writeLatin1(out: ByteWriter, text: string): void {
  writeBulkHeader(out, text.length)
  out.ensure(text.length)
  out.bytes.write(text, out.position, text.length, 'latin1')
  out.position += text.length
  writeLineBreak(out)
}

/** `*<count>`. */
export function writeArrayHeader(out: ByteWriter, count: number): void {
  writeHeader(out, STAR, count)
}

/** A whole command of texts; for what is not on the hot path. */
export function writeCommand(out: ByteWriter, words: readonly Argument[]): void {
  writeArrayHeader(out, words.length)
  for (const word of words) writeArgument(out, word)
}

/** A command's words as bulk strings, made once. */
export function wordBytes(words: readonly string[]): Uint8Array {
  return latin1Bytes(words.map((word) => `$${word.length}\r\n${word}\r\n`).join(''))
}

/** The same with the array header in front, for a command of `extra` more arguments. */
export function headBytes(words: readonly string[], extra: number): Uint8Array {
  return latin1Bytes(`*${words.length + extra}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)
}

export function badArgument(value: unknown): LocalError {
  const what = value === null ? 'null' : Array.isArray(value) ? 'an array' : describe(value)
  return new LocalError(
    'ARGUMENT',
    `an argument is ${what}: a command takes strings, numbers, bigints and Uint8Array. Convert it; spread lists`,
  )
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'undefined'
    case 'number':
      return 'not a number (NaN)'
    case 'object':
      return 'an object'
    default:
      return `a ${typeof value}`
  }
}

function writeNumber(out: ByteWriter, value: number): void {
  if (Number.isFinite(value)) writeText(out, String(value))
  else if (value === Number.POSITIVE_INFINITY) writeText(out, 'inf')
  else if (value === Number.NEGATIVE_INFINITY) writeText(out, '-inf')
  else throw badArgument(value)
}

function writeLongText(out: ByteWriter, text: string): void {
  const byteLength = Buffer.byteLength(text)
  writeBulkHeader(out, byteLength)
  out.ensure(byteLength + 2)
  const at = out.position
  // Where every character takes one byte, the cheaper copy does.
  if (byteLength === text.length) out.bytes.write(text, at, byteLength, 'latin1')
  else out.bytes.write(text, at, byteLength, 'utf8')
  out.position = at + byteLength
  writeLineBreak(out)
}

function writeBulkHeader(out: ByteWriter, length: number): void {
  writeHeader(out, DOLLAR, length)
}

function writeHeader(out: ByteWriter, type: number, value: number): void {
  out.ensure(BULK_OVERHEAD_BYTES)
  const bytes = out.bytes
  let at = out.position
  bytes[at++] = type
  let digits = 1
  for (let bound = 10; bound <= value; bound *= 10) digits++
  let rest = value
  for (let index = digits - 1; index >= 0; index--) {
    const next = Math.floor(rest / 10)
    bytes[at + index] = ZERO + (rest - next * 10)
    rest = next
  }
  at += digits
  bytes[at++] = CR
  bytes[at++] = LF
  out.position = at
}

function writeLineBreak(out: ByteWriter): void {
  out.ensure(2)
  const at = out.position
  out.bytes[at] = CR
  out.bytes[at + 1] = LF
  out.position = at + 2
}

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

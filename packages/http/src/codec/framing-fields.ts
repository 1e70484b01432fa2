/**
 * The values of the fields that say where a message ends and whether another may follow.
 *
 * Rules:
 * 1. Content-Length is digits and nothing else. A list is refused even where its members agree (as Node does): nobody
 *    who means well sends one.
 * 2. Transfer-Encoding of a request is `chunked` and nothing else. Of a response it may be a list of codings, of which
 *    `chunked` is the last or none.
 * 3. Connection is a list of options, of which three matter here; what cannot be read as an option is none.
 */
import { CHARACTERS, COMMA, Is, QUOTE, SEMICOLON, SPACE, TAB } from './characters.ts'
import { fault } from './fault.ts'

/** Bits of what Transfer-Encoding says. */
export const Coding = {
  None: 0,
  /** The last coding is `chunked`. */
  Chunked: 1,
  /** There is another one, which is not taken off here. */
  Other: 2,
} as const

/** Options of the Connection field. */
export const Connection = { Close: 1, KeepAlive: 2, Upgrade: 4 } as const

/** The value of a Content-Length field. */
export function lengthIn(bytes: Buffer, start: number, end: number): number {
  const from = skipSpace(bytes, start, end)
  const to = trimSpace(bytes, from, end)
  if (to === from) throw fault('an empty Content-Length')
  let length = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number
    if (((CHARACTERS[byte] as number) & Is.Digit) === 0) throw fault('a Content-Length that is no number')
    length = length * 10 + (byte - ZERO)
  }
  // Sixteen digits: leading zeros included, which nobody needs more of.
  if (to - from > LENGTH_DIGITS_MAX || length > Number.MAX_SAFE_INTEGER)
    throw fault('a Content-Length past 2^53 - 1', 413)
  return length
}

/** One Transfer-Encoding field; `before` is what those before it came to. */
export function codingsIn(bytes: Buffer, from: number, to: number, before: number, isRequest: boolean): number {
  let coding = before
  let at = from
  for (;;) {
    at = skipSpace(bytes, at, to)
    const name = at
    while (at < to && ((CHARACTERS[bytes[at] as number] as number) & Is.Token) !== 0) at++
    if (at === name) throw fault('a Transfer-Encoding that is no list of codings')
    const isChunked = isWord(bytes, name, at, 'chunked')
    if (isRequest && (!isChunked || coding !== Coding.None)) {
      throw fault('a Transfer-Encoding other than chunked in a request', 501)
    }
    if ((coding & Coding.Chunked) !== 0) throw fault('a coding behind chunked, or chunked twice')
    at = skipSpace(bytes, at, to)
    if (bytes[at] === SEMICOLON && at < to) {
      if (isChunked) throw fault('chunked with a parameter')
      while (at < to && bytes[at] !== COMMA)
        if (bytes[at++] === QUOTE) throw fault('a Transfer-Encoding with a quoted text')
    }
    coding |= isChunked ? Coding.Chunked : Coding.Other
    if (at === to) return coding
    if (bytes[at] !== COMMA) throw fault('a Transfer-Encoding that is no list of codings')
    at++
  }
}

/** One Connection field. */
export function connectionIn(bytes: Buffer, from: number, to: number): number {
  let options = 0
  let at = from
  while (at < to) {
    at = skipSpace(bytes, at, to)
    const start = at
    while (at < to && bytes[at] !== COMMA) at++
    const end = trimSpace(bytes, start, at)
    if (isWord(bytes, start, end, 'close')) options |= Connection.Close
    else if (isWord(bytes, start, end, 'keep-alive')) options |= Connection.KeepAlive
    else if (isWord(bytes, start, end, 'upgrade')) options |= Connection.Upgrade
    at++
  }
  return options
}

/** The value of a Host field. May be empty: a target without an authority has an empty Host. */
export function isHost(bytes: Buffer, start: number, end: number): boolean {
  const from = skipSpace(bytes, start, end)
  const to = trimSpace(bytes, from, end)
  for (let at = from; at < to; at++) if (((CHARACTERS[bytes[at] as number] as number) & Is.Host) === 0) return false
  return true
}

const ZERO = 48
const LENGTH_DIGITS_MAX = 16

/** `word` is in lower case; letters and hyphens. */
function isWord(bytes: Buffer, from: number, to: number, word: string): boolean {
  if (to - from !== word.length) return false
  for (let index = 0; index < word.length; index++) {
    const byte = bytes[from + index] as number
    if (
      byte !== word.charCodeAt(index) &&
      (byte < LETTER_A || byte > LETTER_Z || byte + 32 !== word.charCodeAt(index))
    ) {
      return false
    }
  }
  return true
}

const LETTER_A = 65
const LETTER_Z = 90

function skipSpace(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && (bytes[at] === SPACE || bytes[at] === TAB)) at++
  return at
}

function trimSpace(bytes: Buffer, from: number, to: number): number {
  let at = to
  while (at > from && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--
  return at
}

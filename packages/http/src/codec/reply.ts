/**
 * Heads of replies: status, reason, where fields begin and end, where the body begins.
 *
 *   HTTP/1.1 200 OK CRLF   name: value CRLF …   CRLF   body
 *   0        9   13
 *
 * Rules: the framer has judged these bytes on the other thread (versions, tokens, bounds, the end of the body), so
 * nothing is judged here again. Interim heads (1xx) may stand before the final one; a 101 is final.
 *
 * Theory of operation: the whole of a small reply is made one latin1 text at once, which is the cheapest copy there is,
 * and everything else is a position in it that is looked for when somebody asks.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'

/** Of a status line: `HTTP/1.x ` comes before it. */
const STATUS_AT = 9
/** Where the reason begins, after the status and a space. */
const REASON_AT = 13

export function statusAt(bytes: Buffer, at: number): number {
  const hundreds = bytes[at + STATUS_AT] as number
  const tens = bytes[at + STATUS_AT + 1] as number
  const ones = bytes[at + STATUS_AT + 2] as number
  return hundreds * 100 + tens * 10 + ones - ZEROES
}

/** A status that other heads follow. */
export function isInterim(status: number): boolean {
  return status < 200 && status !== 101
}

/** Where the head ends that begins at `start`: behind its empty line. -1 where it is not all there. */
export function headEnd(bytes: Buffer, start: number, end: number): number {
  const at = bytes.indexOf(EMPTY_LINE, start)
  return at < 0 || at + EMPTY_LINE.length > end ? -1 : at + EMPTY_LINE.length
}

/** The reason of the head that `text` begins with. Often empty. */
export function reasonIn(text: string): string {
  return text.slice(REASON_AT, text.indexOf('\r\n'))
}

/** Where the first field of the head begins that `text` begins with. */
export function fieldsIn(text: string): number {
  return text.indexOf('\r\n') + 2
}

/**
 * Where the body begins behind the head that `text` begins with; the complement of it where a Transfer-Encoding is
 * named, so that the usual reply takes one number and one walk.
 */
export function bodyIn(text: string): number {
  let hasCoding = false
  for (let at = fieldsIn(text); ; ) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) throw new RemoteProtocolError('a reply ends inside its head')
    if (end === at) return hasCoding ? ~(at + 2) : at + 2
    if (isTransferEncoding(text, at)) hasCoding = true
    at = end + 2
  }
}

/** Whether the last of the codings named is `chunked`; what is coded otherwise lasts until the connection ends. */
export function isChunked(codings: readonly string[]): boolean {
  const last = codings.join(',').split(',').at(-1) as string
  return last.trim().toLowerCase() === 'chunked'
}

function isTransferEncoding(text: string, at: number): boolean {
  if ((text.charCodeAt(at) | 0x20) !== SMALL_T || text.charCodeAt(at + TRANSFER_ENCODING.length) !== COLON) return false
  return text.slice(at, at + TRANSFER_ENCODING.length).toLowerCase() === TRANSFER_ENCODING
}

const TRANSFER_ENCODING = 'transfer-encoding'
const COLON = 0x3a
const SMALL_T = 0x74
const ZEROES = 0x30 * 111
const EMPTY_LINE = Buffer.from('\r\n\r\n')

/**
 * The first line of a message (RFC 9112, sections 3 and 4).
 *
 *   HTTP/1.1 200 OK          version, one space, three digits; a space and the reason, which may be empty
 *   GET /path?query HTTP/1.1 method, one space, target, one space, version
 *
 * Rules: the version is HTTP/1.0 or HTTP/1.1, in capitals. The status is 100 to 999. The target has the form that its
 * method allows: a path, a whole URL, `*` for OPTIONS, `host:port` for CONNECT.
 */
import { CHARACTERS, Is, SPACE } from './characters.ts'
import { fault, strayByte } from './fault.ts'

/** Where the three digits begin in a status line. */
export const STATUS_AT = 9

/** Checks as much of a status line as is in bytes[start, end); `whole`: it ends there. */
export function statusLine(bytes: Buffer, start: number, end: number, whole: boolean): void {
  const length = end - start
  const known = Math.min(length, PATTERN.length)
  for (let index = 0; index < known; index++) {
    const byte = bytes[start + index] as number
    const wanted = PATTERN.charCodeAt(index)
    if (wanted === NUMBER_SIGN ? ((CHARACTERS[byte] as number) & Is.Digit) === 0 : byte !== wanted) {
      if (index === VERSION_DIGIT && byte === ZERO) continue
      throw fault('the peer answers with something else than HTTP/1.1')
    }
    if (index === STATUS_AT && byte === ZERO) throw fault('a status below 100')
  }
  if (length > PATTERN.length && bytes[start + PATTERN.length] !== SPACE)
    throw fault('a status of more than three digits')
  if (whole && length < PATTERN.length) throw fault('a status line without a status')
}

/** Checks the request line in bytes[start, end), which does not hold its CR LF. Returns where its method ends. */
export function requestLine(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && ((CHARACTERS[bytes[at] as number] as number) & Is.Token) !== 0) at++
  if (at === start || bytes[at] !== SPACE) throw strayByte(bytes[at] as number, 'in a method')
  const methodEnd = at
  const target = ++at
  while (at < end && ((CHARACTERS[bytes[at] as number] as number) & Is.Target) !== 0) at++
  if (at === end) throw fault('a request line without a version')
  if (at === target || bytes[at] !== SPACE) throw strayByte(bytes[at] as number, 'in a request target')
  checkVersion(bytes.toString('latin1', at + 1, end))
  if (!isTargetOf(bytes.toString('latin1', start, methodEnd), bytes, target, at)) {
    throw fault('a request target that its method does not allow')
  }
  return methodEnd
}

function checkVersion(text: string): void {
  if (text === 'HTTP/1.1' || text === 'HTTP/1.0') return
  if (OTHER_VERSION.test(text)) throw fault('a request of another version than HTTP/1.0 and HTTP/1.1', 505)
  throw fault('a request line without a version')
}

function isTargetOf(method: string, bytes: Buffer, from: number, to: number): boolean {
  const first = bytes[from]
  if (method === 'CONNECT') {
    for (let at = from; at < to; at++) if (((CHARACTERS[bytes[at] as number] as number) & Is.Host) === 0) return false
    return true
  }
  if (first === SLASH) return true
  if (first === STAR) return method === 'OPTIONS' && to - from === 1
  return isWholeUrl(bytes, from, to)
}

/** `http://` or `https://`, and a host; its own characters end it. */
function isWholeUrl(bytes: Buffer, from: number, to: number): boolean {
  const scheme = SCHEME.exec(bytes.toString('latin1', from, Math.min(to, from + SCHEME_CHARS_MAX)))
  if (scheme === null) return false
  const host = from + scheme[0].length
  let at = host
  while (at < to && ((CHARACTERS[bytes[at] as number] as number) & Is.Host) !== 0) at++
  return at > host && (at === to || bytes[at] === SLASH || bytes[at] === QUESTION_MARK)
}

/** `#`: a digit. */
const PATTERN = 'HTTP/1.1 ###'
const OTHER_VERSION = /^HTTP\/\d\.\d$/
const VERSION_DIGIT = 7
const NUMBER_SIGN = 35
const ZERO = 48
const SLASH = 47
const STAR = 42
const QUESTION_MARK = 63
const SCHEME = /^https?:\/\//i
const SCHEME_CHARS_MAX = 'https://'.length

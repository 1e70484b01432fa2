/**
 * Short texts and numbers out of bytes, without a call into native code.
 *
 * Rules: exactly what `toString('utf8')` and `parseInt` would give, or `undefined` where the bytes are not of the
 * simple form: then the caller takes the long way.
 *
 * Measured on Node 20 (x64, one core, bytes in shared memory): `toString` of 8 characters 78 ns, `fromCharCode` with
 * eight arguments 30 ns; of 16 characters 86 and 40 ns. Beyond 16 a text costs more to look at than to copy.
 */

const fromCharCode = String.fromCharCode
/** Where the loop stops paying: see above. */
const SHORT_BYTES_MAX = 16

/** bytes[start, end) as text. */
export function textIn(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length > SHORT_BYTES_MAX) return bytes.toString('utf8', start, end)
  let all = 0
  for (let at = start; at < end; at++) all |= bytes[at] as number
  return all > 127 ? bytes.toString('utf8', start, end) : shortText(bytes, start, length)
}

/** A decimal number of up to 15 digits, perhaps with a minus; NaN for anything else. */
export function integerIn(bytes: Buffer, start: number, end: number): number {
  let at = start
  const negative = bytes[at] === MINUS
  if (negative) at++
  if (at === end || end - at > SAFE_DIGITS) return Number.NaN
  let value = 0
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return negative ? -value : value
}

/** Characters of ASCII, at most 16. One call with all of them is what makes it quick, so each length has its own. */
function shortText(b: Buffer, s: number, length: number): string {
  if (length < 8) return tinyText(b, s, length)
  const first = fromCharCode(
    b[s] as number,
    b[s + 1] as number,
    b[s + 2] as number,
    b[s + 3] as number,
    b[s + 4] as number,
    b[s + 5] as number,
    b[s + 6] as number,
    b[s + 7] as number,
  )
  return length === 8 ? first : length === 16 ? first + eightOf(b, s + 8) : first + tinyText(b, s + 8, length - 8)
}

function eightOf(b: Buffer, s: number): string {
  return fromCharCode(
    b[s] as number,
    b[s + 1] as number,
    b[s + 2] as number,
    b[s + 3] as number,
    b[s + 4] as number,
    b[s + 5] as number,
    b[s + 6] as number,
    b[s + 7] as number,
  )
}

function tinyText(b: Buffer, s: number, length: number): string {
  const c0 = b[s] as number
  const c1 = b[s + 1] as number
  const c2 = b[s + 2] as number
  const c3 = b[s + 3] as number
  const c4 = b[s + 4] as number
  const c5 = b[s + 5] as number
  const c6 = b[s + 6] as number
  switch (length) {
    case 0:
      return ''
    case 1:
      return fromCharCode(c0)
    case 2:
      return fromCharCode(c0, c1)
    case 3:
      return fromCharCode(c0, c1, c2)
    case 4:
      return fromCharCode(c0, c1, c2, c3)
    case 5:
      return fromCharCode(c0, c1, c2, c3, c4)
    case 6:
      return fromCharCode(c0, c1, c2, c3, c4, c5)
    default:
      return fromCharCode(c0, c1, c2, c3, c4, c5, c6)
  }
}

const MINUS = 45
const ZERO = 48
/** Nothing of 15 digits leaves the integers that a number holds exactly. */
const SAFE_DIGITS = 15

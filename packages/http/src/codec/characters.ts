/**
 * Which bytes may stand where in a head (RFC 9110, section 5.6.2; RFC 9112, sections 2 to 5). One table, a bit each,
 * for the framers and for the handshake.
 */

/** Bits of `CHARACTERS`. */
export const Is = {
  /** Method, field name, coding, option: a token. */
  Token: 1,
  /** Field value, reason phrase: tab, space, visible ASCII, and the bytes from 0x80 up. No other control character. */
  Value: 2,
  /** Request target: visible ASCII without `#`, which never leaves the client. */
  Target: 4,
  /** Host and port. No comma, which may be what is left of two of them. */
  Host: 8,
  Digit: 16,
} as const

export const TAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
export const QUOTE = 34
export const COMMA = 44
export const COLON = 58
export const SEMICOLON = 59
export const EQUALS = 61
export const BACKSLASH = 92

export const CHARACTERS: Uint8Array = table()

function table(): Uint8Array {
  const bits = new Uint8Array(256)
  const mark = (bit: number, characters: string): void => {
    for (const character of characters) bits[character.charCodeAt(0)] = (bits[character.charCodeAt(0)] as number) | bit
  }
  const digits = '0123456789'
  const lower = 'abcdefghijklmnopqrstuvwxyz'
  const letters = lower + lower.toUpperCase()
  mark(Is.Digit, digits)
  mark(Is.Token, `${digits}${letters}!#$%&'*+-.^_\`|~`)
  mark(Is.Host, `${digits}${letters}-._~%!$&'()*+;=:[]`)
  for (let code = 0x21; code < 0x7f; code++) mark(Is.Target, code === 0x23 ? '' : String.fromCharCode(code))
  for (let code = 0; code < 256; code++) {
    if (code === TAB || (code >= SPACE && code !== 0x7f)) bits[code] = (bits[code] as number) | Is.Value
  }
  return bits
}

/** The two that nearly every byte of a head is asked for, each by itself: 1 where it may stand there. */
export const IN_TOKEN: Uint8Array = CHARACTERS.map((bits) => (bits & Is.Token ? 1 : 0))
export const IN_VALUE: Uint8Array = CHARACTERS.map((bits) => (bits & Is.Value ? 1 : 0))

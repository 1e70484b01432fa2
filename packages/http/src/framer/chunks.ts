/**
 * Finds the end of a chunked body (RFC 9112, section 7.1), trailers included.
 *
 * Rules:
 * 1. Every byte is looked at once and none is held: the state is all that is kept where the bytes end.
 * 2. As strict as heads are. A size is hex digits and nothing else; lines end in CR LF; the data of a chunk is followed
 *    by CR LF and by nothing else. What others let pass here is how requests are smuggled.
 * 3. Trailers are checked by their characters and counted. One that would say where a message ends, or whether
 *    another follows, is refused: no sender may send it (RFC 9110, section 6.5.1), and somebody else may believe it.
 *
 * Theory of operation:
 *
 *   1a;name=value\r\n   26 bytes of data\r\n   0\r\n   Name: value\r\n   \r\n
 *   Size  Extension     Data                  Size     Trailer…          LastLF
 *
 * Limits: a size of 16 digits and 2^53 - 1; `chunkExtensionBytesMax` for all extensions of a body together;
 * `headBytesMax` and `fieldsMax` for the trailers.
 */
import { BACKSLASH, CHARACTERS, COLON, CR, EQUALS, Is, LF, QUOTE, SEMICOLON } from '../codec/characters.ts'
import { fault, strayByte } from '../codec/fault.ts'
import type { FramerLimits } from '../limits.ts'

const SIZE = 0
const EXTENSION_NAME = 1
const EXTENSION_VALUE = 2
const EXTENSION_QUOTED = 3
const EXTENSION_ESCAPED = 4
/** Behind the closing quote. */
const EXTENSION_END = 5
const SIZE_LF = 6
const DATA = 7
const DATA_CR = 8
const DATA_LF = 9
const TRAILER = 10
const TRAILER_NAME = 11
const TRAILER_VALUE = 12
const TRAILER_LF = 13
const LAST_LF = 14
const DONE = 15

export class Chunks {
  readonly #limits: FramerLimits
  #state = SIZE
  /** Of the size under way. */
  #digits = 0
  /** The size under way; then what is left of the data. */
  #left = 0
  /** Characters of the name or value of an extension. */
  #characters = 0
  #extensionBytes = 0
  #trailerBytes = 0
  #trailers = 0
  /** Of the trailer under way: characters of its name, and which of `REFUSED` it may still become, a bit each. */
  #nameLength = 0
  #candidates = 0

  constructor(limits: FramerLimits) {
    this.#limits = limits
  }

  /** A new body. */
  begin(): void {
    this.#state = SIZE
    this.#digits = 0
    this.#left = 0
    this.#characters = 0
    this.#extensionBytes = 0
    this.#trailerBytes = 0
    this.#trailers = 0
  }

  get isDone(): boolean {
    return this.#state === DONE
  }

  /** Returns where the body ends, or `end`. */
  scan(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#state !== DONE) {
      if (this.#state === DATA) {
        const taken = Math.min(this.#left, end - at)
        this.#left -= taken
        at += taken
        if (this.#left === 0) this.#state = DATA_CR
        continue
      }
      const byte = bytes[at++] as number
      if (this.#state < DATA) this.#size(byte)
      else if (this.#state < TRAILER) this.#dataEnd(byte)
      else this.#trailer(byte)
    }
    return at
  }

  #size(byte: number): void {
    if (this.#state === SIZE) {
      const digit = HEX[byte] as number
      if (digit !== NO_DIGIT) {
        if (++this.#digits > SIZE_DIGITS_MAX) throw fault('a chunk size of more than 16 digits', 413)
        this.#left = this.#left * 16 + digit
        if (this.#left > Number.MAX_SAFE_INTEGER) throw fault('a chunk size past 2^53 - 1', 413)
        return
      }
      if (this.#digits === 0) throw strayByte(byte, 'where a chunk size should be')
    }
    if (this.#state === SIZE_LF) {
      if (byte !== LF) throw strayByte(CR, 'behind a chunk size')
      this.#state = this.#left === 0 ? TRAILER : DATA
      this.#digits = 0
      return
    }
    if (this.#state !== SIZE && ++this.#extensionBytes > this.#limits.chunkExtensionBytesMax) {
      const { chunkExtensionBytesMax } = this.#limits
      throw fault(`chunk extensions of more than chunkExtensionBytesMax (${chunkExtensionBytesMax} bytes)`, 413)
    }
    this.#extension(byte)
  }

  /** `;name`, `;name=value`, `;name="quoted"`; and the end of the size's line. */
  #extension(byte: number): void {
    const state = this.#state
    const bits = CHARACTERS[byte] as number
    if (state === EXTENSION_QUOTED) {
      if (byte === QUOTE) this.#state = EXTENSION_END
      else if (byte === BACKSLASH) this.#state = EXTENSION_ESCAPED
      else if ((bits & Is.Value) === 0) throw strayByte(byte, 'in a chunk extension')
      return
    }
    if (state === EXTENSION_ESCAPED) {
      if ((bits & Is.Value) === 0) throw strayByte(byte, 'in a chunk extension')
      this.#state = EXTENSION_QUOTED
      return
    }
    const inWord = state === EXTENSION_NAME || state === EXTENSION_VALUE
    if (inWord && (bits & Is.Token) !== 0) {
      this.#characters++
      return
    }
    if (state === EXTENSION_VALUE && this.#characters === 0 && byte === QUOTE) {
      this.#state = EXTENSION_QUOTED
      return
    }
    if (inWord && this.#characters === 0) throw strayByte(byte, 'in a chunk extension')
    if (byte === CR) this.#state = SIZE_LF
    else if (byte === SEMICOLON) this.#state = EXTENSION_NAME
    else if (byte === EQUALS && state === EXTENSION_NAME) this.#state = EXTENSION_VALUE
    else throw strayByte(byte, state === SIZE ? 'in a chunk size' : 'in a chunk extension')
    this.#characters = 0
  }

  #dataEnd(byte: number): void {
    const wanted = this.#state === DATA_CR ? CR : LF
    if (byte !== wanted) throw fault('a chunk is longer than its size')
    this.#state = this.#state === DATA_CR ? DATA_LF : SIZE
  }

  #trailer(byte: number): void {
    const { headBytesMax, fieldsMax } = this.#limits
    if (++this.#trailerBytes > headBytesMax) {
      throw fault(`trailers are longer than headBytesMax (${headBytesMax} bytes)`, 431)
    }
    const bits = CHARACTERS[byte] as number
    switch (this.#state) {
      case TRAILER:
        if (byte === CR) {
          this.#state = LAST_LF
          return
        }
        if ((bits & Is.Token) === 0) throw strayByte(byte, 'where a trailer should begin')
        if (++this.#trailers > fieldsMax) throw fault(`more trailers than fieldsMax (${fieldsMax})`, 431)
        this.#state = TRAILER_NAME
        this.#nameLength = 0
        this.#candidates = REFUSED_ALL
        return this.#trailerName(byte)
      case TRAILER_NAME:
        if (byte !== COLON) {
          if ((bits & Is.Token) === 0) throw strayByte(byte, 'in the name of a trailer')
          return this.#trailerName(byte)
        }
        if (
          REFUSED.some((name, index) => (this.#candidates & (1 << index)) !== 0 && name.length === this.#nameLength)
        ) {
          throw fault('a trailer that would have to be in the head')
        }
        this.#state = TRAILER_VALUE
        return
      case TRAILER_VALUE:
        if (byte === CR) this.#state = TRAILER_LF
        else if ((bits & Is.Value) === 0) throw strayByte(byte, 'in a trailer')
        return
      default:
        if (byte !== LF) throw strayByte(CR, 'in the trailers')
        this.#state = this.#state === LAST_LF ? DONE : TRAILER
    }
  }

  #trailerName(byte: number): void {
    const at = this.#nameLength++
    if (this.#candidates === 0) return
    for (const [index, name] of REFUSED.entries()) {
      // Lower case; no token has a byte that this would make a letter or hyphen of.
      if ((byte | 32) !== name.charCodeAt(at)) this.#candidates &= ~(1 << index)
    }
  }
}

const REFUSED = ['content-length', 'transfer-encoding', 'connection', 'host'] as const
const REFUSED_ALL = (1 << REFUSED.length) - 1
const SIZE_DIGITS_MAX = 16
const NO_DIGIT = 255
const HEX: Uint8Array = hexDigits()

function hexDigits(): Uint8Array {
  const table = new Uint8Array(256).fill(NO_DIGIT)
  for (let digit = 0; digit < 16; digit++) {
    const character = digit.toString(16)
    table[character.charCodeAt(0)] = digit
    table[character.toUpperCase().charCodeAt(0)] = digit
  }
  return table
}

/**
 * Takes the chunk framing off a body (RFC 9112, section 7.1), piece by piece or at once.
 *
 *   size [;extensions] CRLF   data CRLF   …   0 [;extensions] CRLF   [name: value CRLF …]   CRLF
 *
 * Rules: data is given as views of the pieces; nothing of it is copied. Extensions are skipped. The framer has judged
 * the same bytes on the other thread, so what does not fit here is a disagreement of the two, and is an error.
 *
 * Limits: a size of 16 hexadecimal digits and less than 2^53; trailers of `TRAILER_BYTES_MAX`.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { HttpFields, NO_FIELDS } from './fields.ts'

const CR = 0x0d
const LF = 0x0a

/** What the framer may let pass at the most (`HEAD_BYTES_MAX_LARGEST`). */
const TRAILER_BYTES_MAX = 1 << 20
const SIZE_DIGITS_MAX = 16

type Phase = 'size' | 'extension' | 'size-end' | 'data' | 'data-end' | 'trailer' | 'done'

export class ChunkedDecoder {
  #phase: Phase = 'size'
  #sizeBytes = 0
  #digits = 0
  /** Of the chunk under way. */
  #leftBytes = 0
  #trailer = ''
  #trailers: HttpFields = NO_FIELDS

  /** True once the last chunk and the trailers are in. */
  get isDone(): boolean {
    return this.#phase === 'done'
  }

  /** Empty before the end, and where there are none. */
  get trailers(): HttpFields {
    return this.#trailers
  }

  /** Adds the data of one more piece to `into`. */
  take(piece: Buffer, into: Buffer[]): void {
    let at = 0
    while (at < piece.length) {
      switch (this.#phase) {
        case 'data': {
          const end = Math.min(piece.length, at + this.#leftBytes)
          into.push(piece.subarray(at, end))
          this.#leftBytes -= end - at
          at = end
          if (this.#leftBytes === 0) this.#phase = 'data-end'
          break
        }
        case 'trailer':
          at = this.#takeTrailer(piece, at)
          break
        case 'done':
          throw wrong('goes on after its end')
        default:
          this.#takeByte(piece[at++] as number)
      }
    }
  }

  #takeByte(byte: number): void {
    if (this.#phase === 'size') this.#takeSize(byte)
    else if (this.#phase === 'extension') {
      if (byte === CR) this.#phase = 'size-end'
    } else if (this.#phase === 'size-end') {
      if (byte !== LF) throw wrong('has a size that does not end in CRLF')
      this.#leftBytes = this.#sizeBytes
      this.#phase = this.#sizeBytes === 0 ? 'trailer' : 'data'
      this.#sizeBytes = 0
      this.#digits = 0
    } else this.#takeDataEnd(byte)
  }

  #takeSize(byte: number): void {
    const digit = digitOf(byte)
    if (digit >= 0) {
      this.#sizeBytes = this.#sizeBytes * 16 + digit
      if (++this.#digits > SIZE_DIGITS_MAX || this.#sizeBytes > Number.MAX_SAFE_INTEGER) {
        throw wrong('has a size beyond all bounds')
      }
      return
    }
    if (this.#digits === 0) throw wrong('has a chunk without a size')
    this.#phase = byte === CR ? 'size-end' : 'extension'
  }

  #takeDataEnd(byte: number): void {
    // The two bytes after the data; `#digits` counts them.
    if (byte !== (this.#digits === 0 ? CR : LF)) throw wrong('has data that does not end in CRLF')
    if (this.#digits === 0) {
      this.#digits = 1
      return
    }
    this.#digits = 0
    this.#phase = 'size'
  }

  #takeTrailer(piece: Buffer, from: number): number {
    if (this.#trailer.length > TRAILER_BYTES_MAX) throw wrong('has trailers beyond all bounds')
    // Trailers are short and rare: text is good enough. The end is an empty line, the first or after the last.
    for (let at = from; at < piece.length; at++) {
      if (piece[at] !== LF) continue
      this.#trailer += piece.toString('latin1', from, at + 1)
      if (this.#trailer === '\r\n' || this.#trailer.endsWith('\r\n\r\n')) {
        this.#trailers = new HttpFields(this.#trailer, 0, this.#trailer.length - 2)
        this.#phase = 'done'
      }
      return at + 1
    }
    this.#trailer += piece.toString('latin1', from)
    return piece.length
  }
}

export interface Unchunked {
  readonly body: Buffer
  readonly trailers: HttpFields
}

/** A whole body. */
export function unchunk(bytes: Buffer): Unchunked {
  const decoder = new ChunkedDecoder()
  const pieces: Buffer[] = []
  decoder.take(bytes, pieces)
  if (!decoder.isDone) throw wrong('has no end')
  return { body: pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces), trailers: decoder.trailers }
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function wrong(what: string): RemoteProtocolError {
  return new RemoteProtocolError(`a chunked body ${what}`)
}

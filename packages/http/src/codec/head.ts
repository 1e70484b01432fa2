/**
 * Scans one head: start line, fields, empty line. The framers delimit by it, and the decoder reads by it: both see the
 * same, which is the whole defence against smuggling.
 *
 * Rules:
 * 1. One pass, byte by byte, nothing copied. Where the bytes end inside a head it goes on from there later, so that a
 *    head that comes byte by byte costs no more than one that comes whole. Offsets are relative to the head's start.
 * 2. Strict, as no server of today needs otherwise: lines end in CR LF and nothing else; no white space before a colon,
 *    none before the first field, no folded lines; no control character but the tab; a name is a token.
 * 3. What says where the message ends (Content-Length, Transfer-Encoding) is read by the letter: digits alone, once;
 *    codings from a closed grammar. Nothing is repaired.
 *
 * Theory of operation:
 *
 *   HTTP/1.1 200 OK\r\n   Content-Length: 5\r\n   ...   \r\n
 *   |                 |   |             |  |  |         |   |
 *   0        fieldsStart  #line    #colon  value        |   length
 *                                                  an empty line
 *
 * Limits: `headBytesMax`, `fieldsMax`. The one thing that is taken although the grammar has it otherwise: a status line
 * that ends behind its code, without the space (many servers).
 */
import { COLON, CR, IN_TOKEN, IN_VALUE, LF, SPACE, TAB } from './characters.ts'
import { fault, strayByte } from './fault.ts'
import { Coding, Connection, codingsIn, connectionIn, isHost, lengthIn } from './framing-fields.ts'
import { requestLine, STATUS_AT, statusLine } from './start-line.ts'

export interface HeadLimits {
  readonly headBytesMax: number
  readonly fieldsMax: number
}

export class Head {
  readonly #limits: HeadLimits
  readonly #isRequest: boolean
  /** Bytes of the whole head, empty line included. Like everything below: once `scan` has returned true. */
  length = 0
  /** Where the first field begins. */
  fieldsStart = 0
  fields = 0
  /** Of HTTP/1.x: 0 or 1. */
  minor = 0
  /** Of a response. */
  status = 0
  /** Of a request: where its method ends. */
  methodEnd = 0
  /** Content-Length; -1 where there is none. */
  contentLength = -1
  /** Transfer-Encoding, all fields of the name taken together: bits of `Coding`. */
  coding: number = Coding.None
  /** Options of Connection: bits of `Connection`. */
  connection = 0
  #hosts = 0
  /** How far it has looked. */
  #position = 0
  /** Where the line under way begins; 0 is the start line. */
  #line = 0
  /** Where the name of the field under way ends; 0 before that is known. */
  #colon = 0

  constructor(kind: 'request' | 'response', limits: HeadLimits) {
    this.#isRequest = kind === 'request'
    this.#limits = limits
  }

  /** Forgets the last head. */
  begin(): void {
    this.length = 0
    this.fieldsStart = 0
    this.fields = 0
    this.contentLength = -1
    this.coding = Coding.None
    this.connection = 0
    this.#hosts = 0
    this.#position = 0
    this.#line = 0
    this.#colon = 0
  }

  /** True when the head that begins at `start` is complete. False: call it again with the same bytes and more. */
  scan(bytes: Buffer, start: number, end: number): boolean {
    const limit = Math.min(end, start + this.#limits.headBytesMax)
    let at = start + this.#position
    const token = IN_TOKEN
    const value = IN_VALUE
    if (this.fieldsStart === 0) {
      at = this.#startLine(bytes, start, at, limit)
      if (at < 0) return this.#pause(start, ~at, end)
    }
    for (;;) {
      if (this.#colon === 0) {
        while (at < limit && token[bytes[at] as number] === 1) at++
        if (at === limit) return this.#pause(start, at, end)
        if (bytes[at] !== COLON || at - start === this.#line) {
          if (bytes[at] !== CR || at - start !== this.#line) throw this.#badName(bytes[at] as number, at - start)
          if (at + 1 === limit) return this.#pause(start, at, end)
          if (bytes[at + 1] !== LF) throw strayByte(CR, 'in a head')
          this.length = at + 2 - start
          this.#complete()
          return true
        }
        this.#colon = at - start
        at++
      }
      while (at < limit && value[bytes[at] as number] === 1) at++
      if (at >= limit - 1) {
        if (at < limit && bytes[at] !== CR) throw strayByte(bytes[at] as number, 'in a field')
        return this.#pause(start, at, end)
      }
      if (bytes[at] !== CR || bytes[at + 1] !== LF) throw strayByte(bytes[at] as number, 'in a field')
      this.#field(bytes, start, at)
      at += 2
      this.#line = at - start
      this.#colon = 0
    }
  }

  /** Returns where the first field begins, or, inverted, how far it has looked. */
  #startLine(bytes: Buffer, start: number, from: number, limit: number): number {
    let at = from
    while (at < limit && IN_VALUE[bytes[at] as number] === 1) at++
    // What will never be a start line is known by its first bytes: nobody waits for the rest of it.
    if (!this.#isRequest) statusLine(bytes, start, at, at < limit)
    if (at < limit && bytes[at] !== CR) throw strayByte(bytes[at] as number, 'in a start line')
    if (at >= limit - 1) return ~at
    if (bytes[at + 1] !== LF) throw strayByte(CR, 'in a start line')
    if (this.#isRequest) {
      this.methodEnd = requestLine(bytes, start, at) - start
      this.minor = (bytes[at - 1] as number) - ZERO
    } else {
      this.minor = (bytes[start + MINOR_AT] as number) - ZERO
      this.status =
        ((bytes[start + STATUS_AT] as number) - ZERO) * 100 +
        ((bytes[start + STATUS_AT + 1] as number) - ZERO) * 10 +
        ((bytes[start + STATUS_AT + 2] as number) - ZERO)
    }
    at += 2
    this.fieldsStart = at - start
    this.#line = this.fieldsStart
    return at
  }

  /** The bytes end at `end` and the head does not. */
  #pause(start: number, at: number, end: number): false {
    this.#position = at - start
    const { headBytesMax } = this.#limits
    if (end - start >= headBytesMax) throw fault(`a head is longer than headBytesMax (${headBytesMax} bytes)`, 431)
    return false
  }

  #field(bytes: Buffer, start: number, valueEnd: number): void {
    if (++this.fields > this.#limits.fieldsMax) {
      throw fault(`a head has more fields than fieldsMax (${this.#limits.fieldsMax})`, 431)
    }
    const name = start + this.#line
    // Lower case of the first letter; only four names matter here, and each has a length of its own.
    const letter = (bytes[name] as number) | 32
    switch (this.#colon - this.#line) {
      case 4:
        if (letter === LETTER_H && isName(bytes, name, 'host')) this.#host(bytes, start, valueEnd)
        return
      case 10:
        if (letter === LETTER_C && isName(bytes, name, 'connection')) {
          this.connection |= connectionIn(bytes, start + this.#colon + 1, valueEnd)
        }
        return
      case 14:
        if (letter === LETTER_C && isName(bytes, name, 'content-length')) {
          if (this.contentLength !== -1) throw fault('Content-Length more than once')
          this.contentLength = lengthIn(bytes, start + this.#colon + 1, valueEnd)
        }
        return
      case 17:
        if (letter === LETTER_T && isName(bytes, name, 'transfer-encoding')) {
          const from = start + this.#colon + 1
          this.coding = codingsIn(bytes, from, valueEnd, this.coding, this.#isRequest)
        }
    }
  }

  #host(bytes: Buffer, start: number, valueEnd: number): void {
    if (!this.#isRequest) return
    if (++this.#hosts > 1) throw fault('Host more than once')
    if (!isHost(bytes, start + this.#colon + 1, valueEnd)) throw fault('a Host that is none')
  }

  /** What only the whole head shows. */
  #complete(): void {
    if (!this.#isRequest) return
    if (this.minor > 0 && this.#hosts === 0) throw fault('a request without Host')
    if (this.coding === Coding.None) return
    if (this.contentLength !== -1) throw fault('Content-Length and Transfer-Encoding in one request')
    if (this.minor === 0) throw fault('Transfer-Encoding in a request of HTTP/1.0')
  }

  #badName(byte: number, at: number): Error {
    if (byte === COLON) return fault('a field without a name')
    if (at === this.#line && (byte === SPACE || byte === TAB)) {
      const first = this.#line === this.fieldsStart
      return fault(first ? 'white space before the first field' : 'a folded line')
    }
    return strayByte(byte, 'in the name of a field')
  }

  /** The connection goes on after this message, as far as its sender is concerned. */
  get isPersistent(): boolean {
    if ((this.connection & Connection.Close) !== 0) return false
    return this.minor > 0 || (this.connection & Connection.KeepAlive) !== 0
  }
}

/** In `HTTP/1.1 200 OK`. */
const MINOR_AT = 7
const ZERO = 48
const LETTER_C = 99
const LETTER_H = 104
const LETTER_T = 116

/** `name` is in lower case, and as long. A token has no byte that `| 32` would make a letter or a hyphen of. */
function isName(bytes: Buffer, at: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    if (((bytes[at + index] as number) | 32) !== name.charCodeAt(index)) return false
  }
  return true
}

/**
 * The head of a message: everything before its values.
 *
 *   request       [ 0, id, method, params ]       id: 0 .. 2^32 - 1, in any encoding of an integer
 *   response      [ 1, id, error, result ]        method: text, or bytes that are taken for text
 *   notification  [ 2, method, params ]           params: an array
 *                 '--- head ---'                  of a response, `error` and `result` are the body
 *
 * Rules: the array's header may be any of the three. Another type, another number of elements, an id out of its range
 * and a method that is no text are the peer's fault: without a length in front there is no next message to go on
 * with. One object is read into again and again; what it says holds until the next `read`.
 *
 * Limits: `METHOD_BYTES_MAX`. A head that is not all there is read again from its beginning: at most 23 bytes are
 * looked at, a name's own bytes never.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import {
  containerHeaderLength,
  elementsAt,
  integerAt,
  integerLength,
  isArray,
  payloadEnd,
  textHeaderLength,
} from './forms.ts'
import { METHOD_BYTES_MAX } from './limits.ts'

export const MessageType = { Request: 0, Response: 1, Notification: 2 } as const

export class MessageHead {
  type = 0
  /** Of requests and responses. */
  id = 0
  /** Where the name of the method lies; of requests and notifications. */
  methodStart = 0
  methodEnd = 0
  /** Where the body begins: params, or error and result. */
  bodyStart = 0
  /** A response whose error is not nil. */
  isError = false

  /** Values that lie behind the head. */
  get bodyCount(): number {
    return this.type === MessageType.Response ? 2 : 1
  }

  /** False while the head, with the first byte of the body, is not all there. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (start >= end) return false
    const first = bytes[start] as number
    if (!isArray(first)) throw new RemoteProtocolError('a message is an array, and this begins with something else')
    const typeAt = start + containerHeaderLength(first)
    if (typeAt > end) return false
    const count = elementsAt(bytes, start)
    if (count !== 3 && count !== 4) throw wrongCount(count)
    const idAt = this.#integerEnd(bytes, typeAt, end, 'type')
    if (idAt < 0) return false
    this.type = integerAt(bytes, typeAt)
    if (this.type < MessageType.Request || this.type > MessageType.Notification) {
      throw new RemoteProtocolError(`a message of type ${this.type}: there are 0, 1 and 2`)
    }
    if (count !== (this.type === MessageType.Notification ? 3 : 4)) throw wrongCount(count)
    if (this.type === MessageType.Notification) return this.#readMethod(bytes, idAt, end)
    const next = this.#integerEnd(bytes, idAt, end, 'id')
    if (next < 0) return false
    this.id = integerAt(bytes, idAt)
    if (this.id < 0 || this.id > 0xffff_ffff) throw new RemoteProtocolError('an id outside of 32 bits')
    if (this.type === MessageType.Request) return this.#readMethod(bytes, next, end)
    if (next >= end) return false
    this.isError = bytes[next] !== NIL
    this.bodyStart = next
    return true
  }

  #readMethod(bytes: Uint8Array, at: number, end: number): boolean {
    if (at >= end) return false
    const first = bytes[at] as number
    const headerLength = textHeaderLength(first)
    if (headerLength === 0) throw new RemoteProtocolError('a method that is no text')
    if (at + headerLength > end) return false
    this.methodStart = at + headerLength
    this.methodEnd = headerLength === 1 ? at + 1 + (first & 31) : payloadEnd(bytes, at, end)
    if (this.methodEnd - this.methodStart > METHOD_BYTES_MAX) {
      throw new RemoteProtocolError(`a method of more than ${METHOD_BYTES_MAX} bytes`)
    }
    if (this.methodEnd >= end) return false
    if (!isArray(bytes[this.methodEnd] as number)) throw new RemoteProtocolError('params that are no array')
    this.bodyStart = this.methodEnd
    return true
  }

  /** Where the integer at `at` ends; -1 while it is not all there. */
  #integerEnd(bytes: Uint8Array, at: number, end: number, what: string): number {
    if (at >= end) return -1
    const length = integerLength(bytes[at] as number)
    if (length === 0) throw new RemoteProtocolError(`the ${what} of a message is no integer`)
    return at + length > end ? -1 : at + length
  }
}

const NIL = 0xc0

function wrongCount(count: number): RemoteProtocolError {
  return new RemoteProtocolError(`a message of ${count} elements: a notification has 3, others have 4`)
}

/**
 * Errors for bytes that HTTP does not allow.
 *
 * Rules: the message says what is wrong and holds nothing of what the peer sent but single characters, by their code.
 * `status` is what a server answers to a request with this fault; a client has no use for it.
 */
import { RemoteProtocolError } from '@iokernel/core/plugin'

export function fault(what: string, status: number = 400): RemoteProtocolError {
  return new RemoteProtocolError(what, { fields: { status } })
}

/** A byte where none of its kind may be. */
export function strayByte(byte: number, where: string): RemoteProtocolError {
  const name = NAMES[byte] ?? `0x${byte.toString(16).padStart(2, '0')}`
  return fault(`${name} ${where}`)
}

const NAMES: { readonly [code: number]: string | undefined } = {
  0: 'NUL',
  9: 'a tab',
  10: 'a line feed by itself',
  13: 'a carriage return by itself',
  32: 'a space',
}

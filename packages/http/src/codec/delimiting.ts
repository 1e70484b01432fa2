/**
 * Where a response ends (RFC 9112, section 6.3, in its order).
 *
 * Rules: status and request come first, whatever the head says of a body; Transfer-Encoding comes before
 * Content-Length. Framer and decoder ask here, and nowhere else.
 */
import { fault } from './fault.ts'
import { Coding, Connection } from './framing-fields.ts'
import type { Head } from './head.ts'
import { RequestHint } from './request.ts'

export const Delimited = {
  /** By its head: there is no body. */
  ByHead: 0,
  /** By Content-Length. */
  ByLength: 1,
  /** By the last chunk, and the trailers behind it. */
  ByChunks: 2,
  /** By the end of the connection. */
  ByClose: 3,
  /** HTTP is over on this connection: everything behind the head is the tunnel's. */
  Tunnel: 4,
  /** An interim head: the response is still to come. */
  Interim: 5,
} as const

/** `hint` is that of the request. Throws where the peer changes the protocol unasked. */
export function delimitingOf(head: Head, hint: number): number {
  const { status } = head
  if (status < 200) {
    if (status !== SWITCHING_PROTOCOLS) return Delimited.Interim
    if ((hint & RequestHint.Upgrade) === 0)
      throw fault('the peer changes the protocol, and nobody has asked it to (101)')
    if ((head.connection & Connection.Upgrade) === 0)
      throw fault('a change of the protocol (101) without Connection: upgrade')
    return Delimited.Tunnel
  }
  if ((hint & RequestHint.Connect) !== 0 && status < 300) return Delimited.Tunnel
  if ((hint & RequestHint.Head) !== 0 || status === NO_CONTENT || status === NOT_MODIFIED) return Delimited.ByHead
  if (head.coding !== Coding.None) {
    return (head.coding & Coding.Chunked) !== 0 ? Delimited.ByChunks : Delimited.ByClose
  }
  return head.contentLength === -1 ? Delimited.ByClose : Delimited.ByLength
}

const SWITCHING_PROTOCOLS = 101
const NO_CONTENT = 204
const NOT_MODIFIED = 304

/**
 * Reads a request's body whole, up to a limit.
 *
 * Rules: a body that announces too much is refused before it is read. What is too much is read on and dropped, within
 * `requestTimeoutMs`: a client that is cut off in mid-sentence would not read why.
 */
import type { IncomingMessage } from 'node:http'
import { RequestError } from './failures.ts'

export function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(incoming.headers['content-length'] ?? 0)
    const pieces: Buffer[] = []
    let size = 0
    const onData = (piece: Buffer): void => {
      size += piece.length
      if (size > bytesMax) refuse()
      else pieces.push(piece)
    }
    const refuse = (): void => {
      incoming.off('data', onData)
      incoming.resume()
      reject(new RequestError(413, 'BODY_TOO_LARGE', `a body has at most ${bytesMax} bytes`))
    }
    if (announced > bytesMax) return refuse()
    incoming.on('data', onData)
    incoming.once('end', () => resolve(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size)))
    // The client left in the middle; nobody waits for the answer.
    incoming.once('error', reject)
  })
}

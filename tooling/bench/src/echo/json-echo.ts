/** Echoes over HTTP/1.1: the body of a request is the body of its reply. Connections are kept. */
import { createServer } from 'node:http'
import type { Server } from 'node:net'

export function jsonEcho(): Server {
  return createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const body = Buffer.concat(pieces)
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
    })
  })
}

/** Longer than any run: Node's own five seconds would close connections while the others have their turns. */
const KEEP_ALIVE_TIMEOUT_MS = 3_600_000

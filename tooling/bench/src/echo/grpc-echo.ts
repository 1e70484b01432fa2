/**
 * Echoes in gRPC: the message of a unary call comes back as it came, over Node's own HTTP/2. Request and reply are the
 * same message, so their bytes are the same, prefix and all.
 */
import { createServer } from 'node:http2'
import type { Server } from 'node:net'

export function grpcEcho(): Server {
  const server = createServer()
  server.on('stream', (stream) => {
    const pieces: Buffer[] = []
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('end', () => {
      stream.respond(HEAD, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.concat(pieces))
    })
    stream.on('error', () => stream.close())
  })
  server.on('sessionError', () => {})
  return server
}

const HEAD = { ':status': 200, 'content-type': 'application/grpc+proto' }

/** The process of one echo server. It says its port to its parent and ends with it. */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { EchoKind, EchoListening } from './echo.ts'
import { grpcEcho } from './grpc-echo.ts'
import { jsonEcho } from './json-echo.ts'
import { msgpackEcho } from './msgpack-echo.ts'

const SERVERS: Readonly<Record<EchoKind, () => Server>> = {
  'msgpack-rpc': msgpackEcho,
  grpc: grpcEcho,
  json: jsonEcho,
}

process.on('disconnect', () => process.exit())

const server = SERVERS[process.argv[2] as EchoKind]()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const listening: EchoListening = { port: (server.address() as AddressInfo).port }
process.send?.(listening)

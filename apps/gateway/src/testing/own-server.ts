/** A service in the test's own hands, in its process: it may be stopped and brought back on the same port. */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach } from 'vitest'
import type { Backend } from '../backends/backend.ts'

export interface OwnServer {
  readonly backend: Backend
  readonly port: number
  /** Ends every connection, and listens no more. */
  stop(): Promise<void>
  /** A new server, which knows nothing of what the old one knew. */
  back(): Promise<void>
}

const running: OwnServer[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((own) => own.stop()))
})

/** `backend` over `makeServer()`; `scheme` is that of its URL. */
export async function ownServer(backend: Backend, scheme: string, makeServer: () => Server): Promise<OwnServer> {
  const sockets = new Set<Socket>()
  let server: Server
  let port = 0
  const back = async (): Promise<void> => {
    server = makeServer()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await back()
  const startServer = async (): ReturnType<Backend['startServer']> => ({
    url: `${scheme}://127.0.0.1:${port}`,
    version: 'test',
    source: 'gateway',
    stop,
  })
  const own = { backend: { ...backend, startServer }, port, stop, back }
  running.push(own)
  return own
}

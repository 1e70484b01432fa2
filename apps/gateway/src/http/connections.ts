/**
 * The clients' connections, and what is being answered on each.
 *
 * Node closes those that wait for their next request, but not those that have not sent their first one, which
 * browsers and connection pools open ahead of time; a stopping server would wait for them in vain.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export class Connections {
  /** Answers owed on each open connection. */
  readonly #owed = new Map<Socket, number>()
  #isClosing = false

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#owed.set(socket, 0)
      socket.once('close', () => this.#owed.delete(socket))
    })
  }

  began(socket: Socket): void {
    const owed = this.#owed.get(socket)
    if (owed !== undefined) this.#owed.set(socket, owed + 1)
  }

  ended(socket: Socket): void {
    const owed = this.#owed.get(socket)
    if (owed === undefined) return
    this.#owed.set(socket, owed - 1)
    if (this.#isClosing && owed === 1) socket.destroySoon()
  }

  /** Closes every connection as soon as nothing is owed on it. */
  closeWhenIdle(): void {
    this.#isClosing = true
    for (const [socket, owed] of this.#owed) if (owed === 0) socket.destroySoon()
  }
}

/**
 * A peer that does what the test says: a TCP server on loopback that hands each line to a function.
 *
 * Rules: it counts connections, can stop listening, cut, half-close, fall silent and answer in any order. Tests wait
 * for what it has seen (`seen`), never for time.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

export type LineHandler = (line: string, socket: Socket) => void

export class ScriptedPeer {
  readonly #server: Server
  readonly sockets: Set<Socket> = new Set()
  /** Every line, in the order of arrival over all connections. */
  readonly lines: string[] = []
  /** Connections accepted so far. */
  accepted = 0
  port = 0
  #handler: LineHandler
  #waiting: { test: () => boolean; resolve: () => void }[] = []

  private constructor(handler: LineHandler) {
    this.#handler = handler
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async listen(handler: LineHandler, options: { host?: string; port?: number } = {}): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer(handler)
    await peer.open(options.port ?? 0, options.host)
    return peer
  }

  /** Answers every line with `echo LINE`, and handshakes, probes, resets and subscriptions as the protocol wants. */
  static echo(line: string, socket: Socket): void {
    if (line.startsWith('hello')) socket.write('welcome\n')
    else if (line === 'ping') socket.write('pong\n')
    else if (line === 'reset') socket.write('ok\n')
    else if (line.startsWith('sub ')) socket.write(`!+${line.slice(4)}\n`)
    else if (line.startsWith('unsub ')) socket.write(`!-${line.slice(6)}\n`)
    else socket.write(`echo ${line}\n`)
  }

  get at(): string {
    return `127.0.0.1:${this.port}`
  }

  handle(handler: LineHandler): void {
    this.#handler = handler
  }

  async open(port: number = this.port, host: string = '127.0.0.1'): Promise<void> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    const address = this.#server.address()
    this.port = typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Resolves when `test` holds; looked at after each line and each connection. */
  async seen(test: () => boolean): Promise<void> {
    if (test()) return
    await new Promise<void>((resolve) => {
      this.#waiting.push({ test, resolve })
    })
  }

  seenLine(line: string): Promise<void> {
    return this.seen(() => this.lines.includes(line))
  }

  cutAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  broadcast(text: string): void {
    for (const socket of this.sockets) socket.write(text)
  }

  /** No new connections; those there are go on. */
  async stopListening(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      // `close` waits for connections; the port is free at once.
      resolve()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutAll()
    await this.stopListening()
  }

  #accept(socket: Socket): void {
    this.accepted++
    this.sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.sockets.delete(socket)
      this.#look()
    })
    // Pieces of the line under way: joining them at each arrival would make long lines quadratic.
    let pieces: string[] = []
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const parts = text.split('\n')
      for (let index = 0; index < parts.length; index++) {
        pieces.push(parts[index] as string)
        if (index === parts.length - 1) break
        const line = pieces.join('')
        pieces = []
        this.lines.push(line)
        this.#handler(line, socket)
      }
      this.#look()
    })
    this.#look()
  }

  #look(): void {
    const still = this.#waiting.filter(({ test }) => !test())
    const done = this.#waiting.filter((each) => !still.includes(each))
    this.#waiting = still
    for (const { resolve } of done) resolve()
  }
}

/**
 * Servers of the `lines` protocol that answer in order, as real ones do: while the oldest line of a connection is held
 * back, so is what stands behind it.
 */
import type { FakePeer } from './fake-network.ts'

export class OrderlyPeers {
  /** Every line that was worked off, in order, over all connections. */
  readonly executed: string[] = []
  /** Connections in the order they were made, and what came on each after its handshake. */
  readonly lines: string[][] = []
  readonly #held = new Set<string>()
  readonly #queues: { readonly peer: FakePeer; readonly waiting: string[] }[] = []
  readonly #answer: (text: string) => string

  constructor(answer: (text: string) => string = (text) => text) {
    this.#answer = answer
  }

  /** Lines that are not answered until they are released. */
  hold(...texts: readonly string[]): this {
    for (const text of texts) this.#held.add(text)
    return this
  }

  release(...texts: readonly string[]): void {
    for (const text of texts) this.#held.delete(text)
    for (const { peer, waiting } of this.#queues) this.#work(peer, waiting)
  }

  /** For `FakeNetwork.listen`. */
  get listener(): (peer: FakePeer) => void {
    return (peer) => {
      const waiting: string[] = []
      const lines: string[] = []
      this.#queues.push({ peer, waiting })
      this.lines.push(lines)
      let rest = ''
      peer.onData = (bytes) => {
        const texts = (rest + bytes.toString()).split('\n')
        rest = texts.pop() as string
        for (const text of texts) if (!text.startsWith('hello ')) lines.push(text)
        waiting.push(...texts)
        this.#work(peer, waiting)
      }
    }
  }

  #work(peer: FakePeer, waiting: string[]): void {
    while (waiting.length > 0 && !this.#held.has(waiting[0] as string)) {
      const text = waiting.shift() as string
      if (text.startsWith('hello ')) peer.send('welcome\n')
      else if (text === 'reset') peer.send('ok\n')
      else if (text === 'audit') peer.send('clean\n')
      else if (text === 'ping') peer.send('pong\n')
      else {
        this.executed.push(text)
        peer.send(`${this.#answer(text)}\n`)
      }
    }
  }
}

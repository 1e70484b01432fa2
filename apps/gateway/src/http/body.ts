/**
 * A request's body: read whole up to a limit, or passed on piece by piece.
 *
 * Rules: a body that announces too much is refused before it is read. What is too much, or is not wanted any more, is
 * read on and dropped, within `requestTimeoutMs`: a client that is cut off in mid-sentence would not read why.
 */
import type { IncomingMessage } from 'node:http'
import { RequestError } from './failures.ts'

export function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
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
      reject(tooLarge(bytesMax))
    }
    if (announcedBytes(incoming) > bytesMax) return refuse()
    incoming.on('data', onData)
    incoming.once('end', () => resolve(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size)))
    // The client left in the middle; nobody waits for the answer.
    incoming.once('error', reject)
  })
}

/**
 * The pieces in their order, none before it is asked for: who reads slowly slows the client down. For one reader.
 *
 * Node's own iterator of a request ends the connection when it is left early.
 */
export class BodyPieces implements AsyncIterableIterator<Buffer> {
  readonly #incoming: IncomingMessage
  readonly #bytesMax: number
  #queue: Buffer[] = []
  #size = 0
  #isEnded = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(incoming: IncomingMessage, bytesMax: number) {
    this.#incoming = incoming
    this.#bytesMax = bytesMax
    incoming.on('data', this.#onData)
    incoming.pause()
    incoming.once('end', () => this.#end())
    incoming.once('error', (error) => this.#end(error))
    // A client that leaves does not always make an error.
    incoming.once('close', () => this.#end(new RequestError(400, 'BODY_CUT', 'the body was cut off')))
    if (announcedBytes(incoming) > bytesMax) this.#refuse()
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    while (this.#queue.length === 0) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isEnded) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#incoming.resume()
      })
    }
    return { done: false, value: this.#queue.shift() as Buffer }
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.drop()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Reads no further; the rest is taken off the connection and forgotten. Idempotent. */
  drop(): void {
    this.#queue = []
    this.#incoming.off('data', this.#onData)
    this.#incoming.resume()
    this.#end()
  }

  readonly #onData = (piece: Buffer): void => {
    this.#size += piece.length
    if (this.#size > this.#bytesMax) return this.#refuse()
    this.#queue.push(piece)
    this.#incoming.pause()
    this.#wake?.()
  }

  #refuse(): void {
    this.#end(tooLarge(this.#bytesMax))
    this.drop()
  }

  /** The first end counts. */
  #end(failure?: Error): void {
    if (!this.#isEnded) this.#failure = failure
    this.#isEnded = true
    this.#wake?.()
  }
}

function announcedBytes(incoming: IncomingMessage): number {
  return Number(incoming.headers['content-length'] ?? 0)
}

function tooLarge(bytesMax: number): RequestError {
  return new RequestError(413, 'BODY_TOO_LARGE', `a body has at most ${bytesMax} bytes`)
}

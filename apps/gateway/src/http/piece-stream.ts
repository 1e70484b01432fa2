/**
 * A long body out of pieces that arrive: rows, a file. Never gathered.
 *
 * Rules:
 * 1. The first piece is there before the answer begins, so that what fails at once has a status. What fails later can
 *    only break the connection off, which a client sees as a body that was cut.
 * 2. The next piece is asked for when the client has room for it.
 * 3. The source is closed and its seat given back however it ends, also when the client leaves before the body begins.
 */
import { once } from 'node:events'
import type { Answer } from './answer.ts'

export interface PieceSource {
  /** Closed by `left`, whatever it waits for. */
  readonly pieces: AsyncIterator<Uint8Array, unknown>
  readonly seat: Disposable
  /** Fires when the client is gone. */
  readonly left: AbortSignal
}

export async function pieceStream(source: PieceSource, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const { pieces, seat, left } = source
  const close = (): void => {
    seat[Symbol.dispose]()
    // Its failure, if any, has been told, or nobody is left to be told.
    Promise.resolve(pieces.return?.()).catch(() => undefined)
  }
  left.addEventListener('abort', close, { once: true })
  let piece: IteratorResult<Uint8Array, unknown>
  try {
    left.throwIfAborted()
    piece = await pieces.next()
  } catch (error) {
    close()
    throw error
  }
  return {
    status: 200,
    headers,
    body: async (response) => {
      try {
        for (; piece.done !== true && !left.aborted; piece = await pieces.next()) {
          const hasRoom = response.write(piece.value)
          if (!hasRoom && !left.aborted) await once(response, 'drain', { signal: left })
        }
      } catch (error) {
        if (!left.aborted) throw error
      } finally {
        close()
      }
    },
  }
}

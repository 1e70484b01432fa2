/** Rows out of DataRow messages, as they arrive. */
import type { ReplyPiece } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import type { RowParser } from '@iokernel/sql'
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import type { Execution } from './operations.ts'

export class MessageRows implements RowParser {
  readonly #pieces = new Pieces()
  readonly #reply: Reply

  constructor({ statement, asArrays }: Execution) {
    this.#reply = new Reply(statement, asArrays)
  }

  take(piece: ReplyPiece): readonly unknown[] {
    const bytes = this.#pieces.take(piece.bytes)
    if (bytes !== undefined) this.#reply.read(bytes, 0, bytes.length)
    return this.#reply.takeRows()
  }

  end(): void {
    if (this.#pieces.isOpen) throw new RemoteProtocolError('a stream ends inside a message')
    checked(this.#reply)
  }
}

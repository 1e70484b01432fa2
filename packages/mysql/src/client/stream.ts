/**
 * Rows out of packets, as they arrive.
 *
 * Rules: of several results (CALL) the rows follow one another.
 */
import type { ReplyPiece } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import type { RowParser } from '@iokernel/sql'
import type { MysqlFacts } from '../codec/facts.ts'
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import type { Execution } from './operations.ts'

export class PacketRows implements RowParser {
  readonly #pieces = new Pieces()
  readonly #reply: Reply

  constructor({ statement, asArrays, prepared }: Execution) {
    this.#reply = new Reply(statement, asArrays, prepared)
  }

  take(piece: ReplyPiece): readonly unknown[] {
    const bytes = this.#pieces.take(piece.bytes)
    if (bytes !== undefined) this.#reply.read(bytes, 0, bytes.length, piece.facts as MysqlFacts)
    return this.#reply.takeRows()
  }

  end(): void {
    if (this.#pieces.isOpen) throw new RemoteProtocolError('a stream ends inside a packet')
    checked(this.#reply)
  }
}

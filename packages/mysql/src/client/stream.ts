/**
 * A result read row by row, as it arrives: what goes out, and how packets become rows.
 *
 * Rules: of several results (CALL) the rows follow one another.
 */
import type { Link, ReplyPiece } from '@iokernel/core/plugin'
import { RemoteProtocolError } from '@iokernel/core/plugin'
import {
  checkedStreamOptions,
  checkedText,
  checkedValues,
  type RowParser,
  type RowStream,
  readRows,
} from '@iokernel/sql'
import type { MysqlFacts } from '../codec/facts.ts'
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import type { Statement } from '../codec/statement.ts'
import { type Execution, isPrepared, STREAM_READ, STREAM_WRITE } from './operations.ts'

export interface StreamRequest {
  /** Whether statements are prepared where the options do not say so. */
  readonly prepared: boolean
  readonly text: unknown
  readonly values: unknown
  readonly options: unknown
  /** Told what ended it. */
  readonly failed?: (error: unknown) => void
}

/** `judge` makes a statement of a text, or throws where it must not run. */
export function streamRows<Row>(
  link: Link,
  judge: (text: string) => Statement,
  { prepared: isPreparing, text, values: given, options, failed }: StreamRequest,
): RowStream<Row> {
  const { asArrays, prepared, call } = checkedStreamOptions(options)
  const statement = judge(checkedText(text))
  const values = checkedValues(given, '?')
  const execution: Execution = {
    statement,
    values,
    asArrays,
    prepared: isPreparing && prepared && isPrepared(statement, values),
  }
  const operation = statement.analysis.kind === 'read' ? STREAM_READ : STREAM_WRITE
  return readRows<Row>(() => link.stream(operation, execution, call), new PacketRows(execution), failed)
}

class PacketRows implements RowParser {
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

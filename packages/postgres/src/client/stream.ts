/** A result read row by row, as it arrives: what goes out, and how DataRow messages become rows. */
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
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import type { Statement } from '../codec/statement.ts'
import { type Execution, STREAM_READ, STREAM_WRITE } from './operations.ts'

export interface StreamRequest {
  readonly text: unknown
  readonly values: unknown
  readonly options: unknown
}

/** `judge` makes a statement of a text, or throws where it must not run. */
export function streamRows<Row>(
  link: Link,
  judge: (text: string) => Statement,
  { text, values, options }: StreamRequest,
): RowStream<Row> {
  const { asArrays, prepared, call } = checkedStreamOptions(options)
  const statement = judge(checkedText(text))
  const execution: Execution = { statement, values: checkedValues(values, '$1'), asArrays, prepared }
  const operation = statement.analysis.kind === 'read' ? STREAM_READ : STREAM_WRITE
  return readRows<Row>(() => link.stream(operation, execution, call), new MessageRows(execution))
}

class MessageRows implements RowParser {
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

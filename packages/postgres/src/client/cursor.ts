/**
 * A result read in batches inside a transaction, while other statements of it run in between.
 *
 * Rules: a portal of the extended protocol, so nothing is declared and any statement that returns rows will do. The
 * next batch is asked for when the one before has been taken. Leaving the loop early closes the portal.
 *
 * Limits: it lives as long as its transaction, or its savepoint.
 */
import type { ByteWriter, CallOptions, Operation, ReplyBytes } from '@iokernel/core/plugin'
import { checkOptions, type Kind, mustBeCount, mustBeDuration, mustBeSignal } from '@iokernel/core/toolkit'
import { mustBeShape, type RowOptions } from '@iokernel/sql'
import { writeBind, writeClose, writeDescribe, writeExecute, writeParse, writeSync } from '../codec/encode.ts'
import { checked, onlyResult, Reply } from '../codec/reply.ts'
import { RequestKind } from '../codec/request.ts'
import type { RowReader, Rows } from '../codec/rows.ts'
import type { Statement } from '../codec/statement.ts'

/** `deadlineMs` and `signal` are for each batch. */
export interface CursorOptions extends RowOptions, Pick<CallOptions, 'deadlineMs' | 'signal'> {
  /** Rows of one batch. Default 1000: some 100 KB of ordinary rows, and a thousandth of the round trips. */
  readonly batchRows?: number
}

const CURSOR_OPTIONS: Kind<CursorOptions> = {
  title: 'option of a cursor',
  checks: {
    batchRows: mustBeCount,
    rows: mustBeShape,
    deadlineMs: mustBeDuration,
    signal: mustBeSignal,
  },
}

const BATCH_ROWS = 1000
/** Execute has a signed number of 32 bits for it. */
const BATCH_ROWS_MAX = 0x7fffffff

/** How a cursor's requests go out. */
export type Ask = <Args, Reply>(
  operation: Operation<Args, Reply>,
  args: Args,
  options: CallOptions | undefined,
) => Promise<Reply>

export interface CursorRequest {
  readonly statement: Statement
  readonly values: readonly unknown[]
  /** Unique within its transaction. */
  readonly portal: string
  readonly options: unknown
}

export function readCursor<Row>(
  ask: Ask,
  { statement, values, portal, options }: CursorRequest,
): AsyncGenerator<Rows<Row>, void, undefined> {
  let given: CursorOptions = {}
  if (options !== undefined) {
    checkOptions(options, CURSOR_OPTIONS)
    given = options
  }
  const { batchRows = BATCH_ROWS, rows, ...call } = given
  return walk<Row>(ask, call, {
    statement,
    values,
    portal,
    asArrays: rows === 'arrays',
    rowsMax: Math.min(batchRows, BATCH_ROWS_MAX),
    reader: undefined,
  })
}

async function* walk<Row>(ask: Ask, options: CallOptions, opening: Batch): AsyncGenerator<Rows<Row>, void, undefined> {
  let batch = await ask(CURSOR_OPEN, opening, options)
  try {
    while (batch.suspended) {
      yield batch.rows as Rows<Row>
      batch = await ask(CURSOR_NEXT, { ...opening, reader: batch.reader }, options)
    }
  } finally {
    // Also after its last row: until then the server keeps it. Nobody waits for that, and its failure means nothing.
    const closed = ask(CURSOR_CLOSE, opening, options).catch(() => undefined)
    if (batch.suspended) await closed
  }
  if (batch.rows.length > 0) yield batch.rows as Rows<Row>
}

interface Batch {
  readonly statement: Statement
  readonly values: readonly unknown[]
  readonly portal: string
  readonly asArrays: boolean
  readonly rowsMax: number
  /** Of the first batch, whose reply describes the rows. */
  readonly reader: RowReader | undefined
}

interface BatchReply {
  readonly rows: Rows<unknown>
  readonly suspended: boolean
  readonly reader: RowReader | undefined
}

const onSession = { access: 'write', on: 'lane', idempotent: false } as const

const CURSOR_OPEN: Operation<Batch, BatchReply> = {
  ...onSession,
  name: 'CURSOR OPEN',
  encode(out: ByteWriter, { statement, values, portal, rowsMax }: Batch): number {
    writeParse(out, statement.bytes)
    writeBind(out, portal, values)
    writeDescribe(out, portal)
    writeExecute(out, portal, rowsMax)
    writeSync(out)
    return RequestKind.Plain
  },
  decode: decodeBatch,
}

const CURSOR_NEXT: Operation<Batch, BatchReply> = {
  ...onSession,
  name: 'CURSOR NEXT',
  encode(out: ByteWriter, { portal, rowsMax }: Batch): number {
    writeExecute(out, portal, rowsMax)
    writeSync(out)
    return RequestKind.Plain
  },
  decode: decodeBatch,
}

const CURSOR_CLOSE: Operation<Batch, void> = {
  ...onSession,
  name: 'CURSOR CLOSE',
  encode(out: ByteWriter, { portal }: Batch): number {
    writeClose(out, portal)
    writeSync(out)
    return RequestKind.Plain
  },
  decode({ bytes, start, end }: ReplyBytes, { statement, asArrays }: Batch): void {
    const reply = new Reply(statement, asArrays)
    reply.read(bytes, start, end)
    checked(reply)
  },
}

function decodeBatch({ bytes, start, end }: ReplyBytes, { statement, asArrays, reader }: Batch): BatchReply {
  const reply = new Reply(statement, asArrays, reader)
  reply.read(bytes, start, end)
  const rows = onlyResult(checked(reply).results)
  return { rows, suspended: reply.suspended, reader: reader ?? statement.lastReader }
}

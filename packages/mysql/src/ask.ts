/**
 * A command of our own, in a script: what is asked of a server when nobody else uses the connection.
 *
 * Rules: the answer is read to its end, whatever it is. An error is a value; whoever asks decides what it means. One
 * after which the server goes is thrown. Rows are text.
 */
import { ByteWriter, frame, RemoteProtocolError, type Script, send } from '@iokernel/core/plugin'
import { Command, writeCommand } from './codec/command.ts'
import { errorNumber, farewell, isError, isFarewell } from './codec/errors.ts'
import { Status } from './codec/facts.ts'
import { beginPacket, EOF, endPacket, HEADER_BYTES, lenenc, lenencBytes, NULL, OK } from './codec/packet.ts'
import { okStatus } from './session-state.ts'

export interface Answer {
  /** Of all results, one after another. */
  readonly rows: readonly (readonly (string | undefined)[])[]
  /** How many results there were, with rows or without. */
  readonly results: number
  /** Number of the error; 0 where there is none. */
  readonly failed: number
  /** Of the last OK or EOF: bits of `Status`. */
  readonly status: number
}

/** Where EOF is an EOF, one stands behind the definitions as well. */
export interface Dialect {
  readonly deprecateEof: boolean
}

/** A command without arguments, as a packet. */
export function commandPacket(...bytes: readonly number[]): Uint8Array {
  const out = new ByteWriter(8)
  writeCommand(out, ...bytes)
  return out.written()
}

/** A COM_QUERY, or a command with a text. */
export function queryPacket(text: string, command: number = Command.Query): Uint8Array {
  const out = new ByteWriter(text.length + 16)
  const at = beginPacket(out)
  out.u8(command)
  out.utf8(text)
  endPacket(out, at)
  return out.written()
}

/** Sends one command and reads its answer. */
export function* ask(packet: Uint8Array, dialect: Dialect): Script<Answer> {
  yield* send(packet)
  return yield* answer(dialect)
}

/** The same, for a command that has nothing to answer but OK and ERR. */
export function* tell(packet: Uint8Array, dialect: Dialect): Script<Answer> {
  yield* send(packet)
  return yield* acknowledgement(dialect)
}

/** Reads OK or ERR. */
export function* acknowledgement(dialect: Dialect): Script<Answer> {
  const answered = yield* answer(dialect)
  if (answered.results > 0) throw new RemoteProtocolError('a command was answered by a result, and asks for nothing')
  return answered
}

/** Reads the answer to one command. */
export function* answer({ deprecateEof }: Dialect): Script<Answer> {
  const rows: (readonly (string | undefined)[])[] = []
  let results = 0
  for (;;) {
    const first = yield* packet()
    if (isError(first, 0, first.length)) return { rows, results, failed: failureIn(first), status: 0 }
    const kind = first[HEADER_BYTES]
    let status: number
    if (kind === OK || kind === EOF) status = okStatus(first, 0, first.length)
    else {
      const columns = countIn(first)
      results++
      for (let left = deprecateEof ? columns : columns + 1; left > 0; left--) yield* packet()
      let row = yield* packet()
      while (row[HEADER_BYTES] !== EOF) {
        if (isError(row, 0, row.length)) return { rows, results, failed: failureIn(row), status: 0 }
        rows.push(rowIn(row, columns))
        if (rows.length > ROWS_MAX) throw new RemoteProtocolError('a question of ours was answered by too many rows')
        row = yield* packet()
      }
      status = okStatus(row, 0, row.length)
    }
    if ((status & Status.MoreResults) === 0) return { rows, results, failed: 0, status }
  }
}

/** What is asked here has a row or two, or one for each variable that a session has. */
const ROWS_MAX = 1000

function* packet(): Script<Buffer> {
  const bytes = yield* frame()
  if (bytes.length <= HEADER_BYTES) throw new RemoteProtocolError('an empty packet where none may be')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function failureIn(error: Buffer): number {
  const failed = errorNumber(error, 0, error.length)
  if (isFarewell(failed)) throw farewell(failed)
  return failed
}

function countIn(first: Buffer): number {
  const size = lenencBytes(first, HEADER_BYTES)
  if (size === 0 || size > 3 || first.length !== HEADER_BYTES + size) {
    throw new RemoteProtocolError('an answer that begins with none of OK, ERR and a number of columns')
  }
  return lenenc(first, HEADER_BYTES)
}

function rowIn(row: Buffer, columns: number): readonly (string | undefined)[] {
  const values: (string | undefined)[] = []
  let at = HEADER_BYTES
  for (let left = columns; left > 0; left--) {
    if (row[at] === NULL) {
      values.push(undefined)
      at++
      continue
    }
    const size = at < row.length ? lenencBytes(row, at) : 0
    const start = at + size
    const end = size === 0 || start > row.length ? -1 : start + lenenc(row, at)
    if (end < 0 || end > row.length) throw new RemoteProtocolError('a row that is shorter than it says')
    values.push(row.toString('utf8', start, end))
    at = end
  }
  return values
}

/**
 * What can be asked of a server, as the kernel's operations.
 *
 * Rules:
 * 1. How a statement is sent follows from its analysis: what is proven to read shares lanes and may be sent again; what
 *    writes has a lane to itself while it runs. What nobody can judge has a connection that nobody has used since its
 *    last reset, and is reset again: it may ask for what others have left (LAST_INSERT_ID() in a stored function), and
 *    leave something itself.
 * 2. On a session everything is a call of the one caller's: nothing is sent again, nothing is reset in between.
 * 3. Prepared: what has placeholders, and what every server prepares (queries and changes of data). Everything else
 *    goes as text.
 */
import type { ByteWriter, Cloneable, Operation, ReplyBytes } from '@iokernel/core/plugin'
import type { Execution as ExecutionOf } from '@iokernel/sql'
import { writePrepared, writeQuery } from '../codec/encode.ts'
import type { MysqlFacts } from '../codec/facts.ts'
import { checked, Reply, refuseOpenTransaction } from '../codec/reply.ts'
import { RequestFlag, RequestKind } from '../codec/request.ts'
import { Rows } from '../codec/result.ts'
import type { Statement } from '../codec/statement.ts'

/** One execution of a statement. */
export type Execution = ExecutionOf<Statement>

type Query = Operation<Execution, Rows<unknown>>

const onLane = {
  on: 'lane',
  encode: encodeExecution,
  fingerprint: ({ statement }: Execution): number => statement.hash,
  decode: decodeOnLane,
} as const

/** Proven to change nothing. */
export const QUERY_READ: Query = { ...onLane, name: 'QUERY READ', access: 'read', idempotent: true }
/** Leaves the connection as it was. */
export const QUERY_WRITE: Query = { ...onLane, name: 'QUERY WRITE', access: 'write', idempotent: false }
/** Nobody knows. */
export const QUERY_TAINT: Query = { ...QUERY_WRITE, name: 'QUERY TAINT', on: 'session' }

/** On a session. */
export const QUERY_SESSION: Query = {
  name: 'QUERY SESSION',
  access: 'write',
  on: 'lane',
  idempotent: false,
  encode: encodeExecution,
  decode: (reply, execution, facts) => Rows.first(resultsIn(reply, execution, facts)),
}

/** Whether a statement is worth preparing, or cannot do without. */
export function isPrepared(statement: Statement, values: readonly unknown[]): boolean {
  return statement.analysis.isPreparable || (values.length > 0 && statement.analysis.statements === 1)
}

function encodeExecution(out: ByteWriter, { statement, values, prepared }: Execution): number {
  if (!prepared) return encodeText(out, statement, values)
  writePrepared(out, statement, values)
  return RequestKind.Prepared | escapedFlag(statement, 0)
}

function encodeText(out: ByteWriter, statement: Statement, values: readonly unknown[]): number {
  writeQuery(out, statement, values)
  const kind = statement.analysis.statements > 1 ? RequestKind.Multi : RequestKind.Text
  return kind | escapedFlag(statement, values.length)
}

/** A connection that reads backslashes otherwise must not run it. */
function escapedFlag({ analysis }: Statement, valuesWritten: number): number {
  return analysis.needsBackslashes || valuesWritten > 0 ? RequestFlag.Escaped : 0
}

function read(
  { bytes, start, end }: ReplyBytes,
  { statement, asArrays, prepared }: Execution,
  facts: Cloneable,
): Reply {
  const reply = new Reply(statement, asArrays, prepared)
  reply.read(bytes, start, end, facts as MysqlFacts)
  return checked(reply)
}

function resultsIn(reply: ReplyBytes, execution: Execution, facts: Cloneable): Rows<unknown>[] {
  return read(reply, execution, facts).results
}

function resultsOnLane(bytes: ReplyBytes, execution: Execution, facts: Cloneable): Rows<unknown>[] {
  const reply = read(bytes, execution, facts)
  refuseOpenTransaction(reply)
  return reply.results
}

function decodeOnLane(bytes: ReplyBytes, execution: Execution, facts: Cloneable): Rows<unknown> {
  return Rows.first(resultsOnLane(bytes, execution, facts))
}

type Simple = Operation<Execution, Rows<unknown>[]>

const simpleOnLane = {
  on: 'lane',
  encode: encodeSimple,
  fingerprint: ({ statement }: Execution): number => statement.hash,
  decode: resultsOnLane,
} as const

export const SIMPLE_READ: Simple = { ...simpleOnLane, name: 'SIMPLE READ', access: 'read', idempotent: true }
export const SIMPLE_WRITE: Simple = { ...simpleOnLane, name: 'SIMPLE WRITE', access: 'write', idempotent: false }
export const SIMPLE_TAINT: Simple = { ...SIMPLE_WRITE, name: 'SIMPLE TAINT', on: 'session' }

export const SIMPLE_SESSION: Simple = {
  name: 'SIMPLE SESSION',
  access: 'write',
  on: 'lane',
  idempotent: false,
  encode: encodeSimple,
  decode: resultsIn,
}

function encodeSimple(out: ByteWriter, { statement, values }: Execution): number {
  return encodeText(out, statement, values)
}

/** A result that is read as it arrives. What decides whether it may be asked of a replica is its access. */
export const STREAM_READ: Operation<Execution, never> = {
  name: 'STREAM READ',
  access: 'read',
  on: 'session',
  idempotent: false,
  encode: encodeExecution,
  decode: neverDecoded,
}
export const STREAM_WRITE: Operation<Execution, never> = { ...STREAM_READ, name: 'STREAM WRITE', access: 'write' }

function neverDecoded(): never {
  throw new Error('a stream is read in pieces')
}

/** LOAD DATA LOCAL INFILE: answered by a question for the file, and by the outcome when the server has had it. */
export const LOAD_LOCAL: Operation<Execution, never> = {
  ...STREAM_WRITE,
  name: 'LOAD LOCAL',
  // It takes as long as its source takes; what is written has a deadline of its own.
  deadlineMs: 0,
  encode(out, { statement }) {
    writeQuery(out, statement, [])
    return RequestKind.LocalInfile | escapedFlag(statement, 0)
  },
}

/** A piece of that file; an empty one is its end. */
export const FILE_DATA: Operation<Uint8Array, void> = {
  name: 'FILE DATA',
  access: 'write',
  on: 'lane',
  idempotent: false,
  answer: 'written',
  encode(out, bytes) {
    out.copy(bytes)
    return RequestKind.FileData
  },
  decode: () => undefined,
}

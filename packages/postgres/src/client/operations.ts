/**
 * What can be asked of a server, as the kernel's operations.
 *
 * Rules:
 * 1. How a statement is sent follows from its analysis: what is proven to read shares lanes and may be sent again; what
 *    writes has a lane to itself while it runs; after what nobody can judge, the lane is reset.
 * 2. On a session everything is a call of the one caller's: nothing is sent again, nothing is reset in between.
 * 3. One ReadyForQuery for each of them, but for the data of a COPY, which nothing answers.
 */
import type { ByteWriter, Operation, ReplyBytes } from '@iokernel/core/plugin'
import type { Execution as ExecutionOf } from '@iokernel/sql'
import {
  writeCopyData,
  writeCopyDone,
  writeCopyFail,
  writePrepared,
  writeQuery,
  writeUnprepared,
} from '../codec/encode.ts'
import { checked, onlyResult, Reply, refuseOpenTransaction, resultsIn } from '../codec/reply.ts'
import { RequestKind } from '../codec/request.ts'
import type { Rows } from '../codec/rows.ts'
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
export const QUERY_TAINT: Query = { ...onLane, name: 'QUERY TAINT', access: 'write', idempotent: false, taints: true }

/** On a session. */
export const QUERY_SESSION: Query = {
  name: 'QUERY SESSION',
  access: 'write',
  on: 'lane',
  idempotent: false,
  encode: encodeExecution,
  decode: decodeOnSession,
}

function encodeExecution(out: ByteWriter, { statement, values, prepared }: Execution): number {
  if (prepared) {
    writePrepared(out, statement.hash, statement.bytes, values)
    return RequestKind.Prepared
  }
  writeUnprepared(out, statement.bytes, values)
  return RequestKind.Plain
}

function decodeOnLane({ bytes, start, end }: ReplyBytes, { statement, asArrays }: Execution): Rows<unknown> {
  const reply = new Reply(statement, asArrays)
  reply.read(bytes, start, end)
  refuseOpenTransaction(checked(reply))
  return onlyResult(reply.results)
}

function decodeOnSession({ bytes, start, end }: ReplyBytes, { statement, asArrays }: Execution): Rows<unknown> {
  return onlyResult(resultsIn(bytes, start, end, statement, asArrays))
}

type Simple = Operation<Execution, Rows<unknown>[]>

const simpleOnLane = {
  on: 'lane',
  encode: encodeSimple,
  fingerprint: ({ statement }: Execution): number => statement.hash,
  decode: decodeSimpleOnLane,
} as const

export const SIMPLE_READ: Simple = { ...simpleOnLane, name: 'SIMPLE READ', access: 'read', idempotent: true }
export const SIMPLE_WRITE: Simple = { ...simpleOnLane, name: 'SIMPLE WRITE', access: 'write', idempotent: false }
export const SIMPLE_TAINT: Simple = {
  ...simpleOnLane,
  name: 'SIMPLE TAINT',
  access: 'write',
  idempotent: false,
  taints: true,
}

export const SIMPLE_SESSION: Simple = {
  name: 'SIMPLE SESSION',
  access: 'write',
  on: 'lane',
  idempotent: false,
  encode: encodeSimple,
  decode: ({ bytes, start, end }, { statement, asArrays }) => resultsIn(bytes, start, end, statement, asArrays),
}

function encodeSimple(out: ByteWriter, { statement }: Execution): number {
  writeQuery(out, statement.text)
  return RequestKind.Plain
}

function decodeSimpleOnLane({ bytes, start, end }: ReplyBytes, { statement, asArrays }: Execution): Rows<unknown>[] {
  const reply = new Reply(statement, asArrays)
  reply.read(bytes, start, end)
  refuseOpenTransaction(checked(reply))
  return reply.results
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

/** COPY … TO STDOUT. */
export const COPY_OUT: Operation<Execution, never> = { ...STREAM_WRITE, name: 'COPY OUT', encode: encodeSimple }

function neverDecoded(): never {
  throw new Error('a stream is read in pieces')
}

/** COPY … FROM STDIN: outstanding until the server has had all of the data. */
export const COPY_IN: Operation<Execution, Rows<unknown>> = {
  name: 'COPY IN',
  access: 'write',
  on: 'lane',
  idempotent: false,
  // It takes as long as its source takes; what is written has a deadline of its own.
  deadlineMs: 0,
  encode(out, { statement }) {
    writeQuery(out, statement.text)
    return RequestKind.CopyIn
  },
  decode: decodeOnSession,
}

export const COPY_DATA: Operation<Uint8Array, void> = silent('COPY DATA', writeCopyData)
export const COPY_DONE: Operation<void, void> = silent('COPY DONE', writeCopyDone)
/** The reason reaches the server's log. */
export const COPY_FAIL: Operation<string, void> = silent('COPY FAIL', writeCopyFail)

function silent<Args>(name: string, write: (out: ByteWriter, args: Args) => void): Operation<Args, void> {
  return {
    name,
    access: 'write',
    on: 'lane',
    idempotent: false,
    answer: 'written',
    encode(out, args) {
      write(out, args)
      return RequestKind.Silent
    },
    decode: () => undefined,
  }
}

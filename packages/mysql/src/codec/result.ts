/**
 * What a statement gives: its rows, and what the server says beside them.
 *
 * Rules: an array of the rows, which also knows the rest. Methods that make a new array (`map`, `filter`) make an
 * ordinary one. A statement that returns no rows gives an empty array.
 */

import { RemoteProtocolError } from '@iokernel/core/plugin'
import type { Field } from './fields.ts'
import { lenenc, lenencBigInt, lenencBytes, u16 } from './packet.ts'

/** What an OK packet says. */
export interface Outcome {
  readonly affectedRows: number
  readonly insertId: number | bigint
  readonly warnings: number
  readonly info: string
  /** Bits of `Status`. */
  readonly status: number
}

export class Rows<Row = Record<string, unknown>> extends Array<Row> {
  #outcome: Outcome = NOTHING
  #fields: readonly Field[] = NO_FIELDS
  #results: readonly Rows<unknown>[] | undefined

  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  /** Rows that were inserted, deleted or changed; 0 where rows are returned. */
  get affectedRows(): number {
    return this.#outcome.affectedRows
  }

  /** The first number that AUTO_INCREMENT gave, 0 for none. A bigint where no number is exact. */
  get insertId(): number | bigint {
    return this.#outcome.insertId
  }

  /** How many; SHOW WARNINGS on a session tells which. */
  get warnings(): number {
    return this.#outcome.warnings
  }

  /** `Rows matched: 1  Changed: 1  Warnings: 0`, or nothing. */
  get info(): string {
    return this.#outcome.info
  }

  /** Rows of an UPDATE that were not yet what they were set to; `affectedRows` where the server does not say. */
  get changedRows(): number {
    const found = CHANGED.exec(this.#outcome.info)
    return found === null ? this.#outcome.affectedRows : Number(found[1])
  }

  /** The columns, in order; empty where the statement returns none. */
  get fields(): readonly Field[] {
    return this.#fields
  }

  /** All results, where there are several (CALL); the first of them is this one. */
  get results(): readonly Rows<unknown>[] {
    return this.#results ?? [this]
  }

  /** For the decoder. */
  static complete(rows: Rows<unknown>, outcome: Outcome, fields: readonly Field[]): void {
    rows.#outcome = outcome
    rows.#fields = fields
  }

  /** For the decoder: the first of several. */
  static first(results: readonly Rows<unknown>[]): Rows<unknown> {
    const first = results[0]
    if (first === undefined) throw new RemoteProtocolError('a reply without a result')
    if (results.length > 1) first.#results = results
    return first
  }
}

/** The OK packet whose payload is bytes[start, end), behind its first byte 00 or FE. */
export function outcomeIn(bytes: Buffer, start: number, end: number, hasSessionTrack: boolean): Outcome {
  const affectedAt = start + 1
  const insertAt = affectedAt + sizeAt(bytes, affectedAt, end)
  const at = insertAt + sizeAt(bytes, insertAt, end)
  if (at + 4 > end) throw broken()
  const insertId = lenencBigInt(bytes, insertAt)
  const isSafe = insertId <= Number.MAX_SAFE_INTEGER
  return {
    affectedRows: lenenc(bytes, affectedAt),
    insertId: isSafe ? Number(insertId) : insertId,
    status: u16(bytes, at),
    warnings: u16(bytes, at + 2),
    info: at + 4 === end ? '' : infoIn(bytes, at + 4, end, hasSessionTrack),
  }
}

/** The EOF packet at `start`: it has fewer facts, and in another order. */
export function outcomeOfEof(bytes: Buffer, start: number, end: number): Outcome {
  if (start + 5 > end) throw broken()
  return { ...NOTHING, warnings: u16(bytes, start + 1), status: u16(bytes, start + 3) }
}

/** The message is length-encoded where what has changed in the session may follow it. */
function infoIn(bytes: Buffer, at: number, end: number, hasSessionTrack: boolean): string {
  if (!hasSessionTrack) return bytes.toString('utf8', at, end)
  const from = at + sizeAt(bytes, at, end)
  const next = from + lenenc(bytes, at)
  if (next > end) throw broken()
  return bytes.toString('utf8', from, next)
}

function sizeAt(bytes: Buffer, at: number, end: number): number {
  const size = at < end ? lenencBytes(bytes, at) : 0
  if (size === 0 || at + size > end) throw broken()
  return size
}

function broken(): RemoteProtocolError {
  return new RemoteProtocolError('an OK packet breaks off')
}

const NOTHING: Outcome = { affectedRows: 0, insertId: 0, warnings: 0, info: '', status: 0 }
const NO_FIELDS: readonly Field[] = []
const CHANGED = /Changed: (\d+)/

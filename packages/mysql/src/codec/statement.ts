/**
 * A statement's text and everything that follows from it alone: its bytes, its fingerprint, what it may do, and how its
 * rows are read.
 *
 * Rules: what is kept here is kept for as long as the text is used, so it holds nothing of a single call. A row reader
 * belongs to the column definitions it was made from, and is used only while the server says the same, byte for byte:
 * a column may change its type between two calls.
 *
 * Limits: readers of the first `READERS_MAX` results of a statement are kept, for each protocol; definitions of more
 * than `DEFINITIONS_BYTES_MAX` are read anew each time.
 */
import { LocalError } from '@iokernel/core/plugin'
import type { MysqlApp } from '../app.ts'
import type { Analysis } from '../sql/analysis.ts'
import type { RowReader } from './rows.ts'

/** A reader, and what it was made from: from the number of columns to the end of their definitions. */
export interface Described {
  readonly bytes: Buffer
  readonly reader: RowReader
}

export class Statement {
  readonly text: string
  readonly bytes: Buffer
  /** FNV-1a of `bytes`; never 0, which would mean that nothing is known. */
  readonly hash: number
  readonly analysis: Analysis
  readonly app: MysqlApp
  readonly #described: (Described | undefined)[] = []

  constructor(text: string, analysis: Analysis, app: MysqlApp) {
    if (text.includes('\0')) throw new LocalError('ARGUMENT', 'a statement contains the character NUL')
    this.text = text
    this.bytes = Buffer.from(text)
    this.hash = hashOf(this.bytes)
    this.analysis = analysis
    this.app = app
  }

  /** What the result number `index` was described with last. */
  described(index: number, isBinary: boolean): Described | undefined {
    return index < READERS_MAX ? this.#described[index * 2 + (isBinary ? 1 : 0)] : undefined
  }

  remember(index: number, isBinary: boolean, described: Described): void {
    if (index >= READERS_MAX || described.bytes.length > DEFINITIONS_BYTES_MAX) return
    this.#described[index * 2 + (isBinary ? 1 : 0)] = described
  }
}

function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
  return hash >>> 0 || 1
}

/** Results of one CALL that are likely to be alike the next time. */
const READERS_MAX = 4
/** 4096 columns, the most that a table has, of some 60 bytes each. */
const DEFINITIONS_BYTES_MAX = 256 * 1024

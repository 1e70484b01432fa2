/**
 * A statement's text and everything that follows from it alone: its bytes, its fingerprint, what it may do, and how its
 * rows are read.
 *
 * Rules: what is kept here is kept for as long as the text is used, so it holds nothing of a single call. A row reader
 * belongs to the RowDescription it was made from, and is used only while the server says the same, byte for byte: a
 * column may change its type between two calls.
 */
import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import type { RowDescriptionMessage } from 'pg-protocol/dist/messages.js'
import { Parser } from 'pg-protocol/dist/parser.js'
import type { TypeParsers } from '../app.ts'
import type { Analysis } from '../sql/analysis.ts'
import { type FieldDescription, RowReader } from './rows.ts'

export class Statement {
  readonly text: string
  /** As in Parse, behind the name: text, NUL, and that the server shall find out the types. */
  readonly bytes: Buffer
  /** FNV-1a of `bytes`; never 0, which would mean that nothing is known. */
  readonly hash: number
  readonly analysis: Analysis
  readonly #types: TypeParsers | undefined
  #description: Buffer = NOTHING
  #reader: RowReader | undefined

  constructor(text: string, analysis: Analysis, types: TypeParsers | undefined) {
    if (text.includes('\0')) throw new LocalError('ARGUMENT', 'a statement contains the character NUL')
    this.text = text
    this.bytes = Buffer.from(`${text}\0\0\0`)
    this.hash = hashOf(this.bytes)
    this.analysis = analysis
    this.#types = types
  }

  /** For the RowDescription in bytes[start, end). */
  reader(bytes: Buffer, start: number, end: number): RowReader {
    const description = this.#description
    if (this.#reader !== undefined && description.length === end - start) {
      if (bytes.compare(description, 0, description.length, start, end) === 0) return this.#reader
    }
    const reader = new RowReader(fieldsIn(bytes, start, end), this.#types)
    this.#description = Buffer.from(bytes.subarray(start, end))
    this.#reader = reader
    return reader
  }

  /** For the rows of a statement that is described elsewhere: the batches of a cursor after the first. */
  get lastReader(): RowReader | undefined {
    return this.#reader
  }
}

/** The fields of the RowDescription in bytes[start, end). */
function fieldsIn(bytes: Buffer, start: number, end: number): readonly FieldDescription[] {
  let found: RowDescriptionMessage | undefined
  try {
    new Parser().parse(bytes.subarray(start, end), (message) => {
      found = message as RowDescriptionMessage
    })
  } catch {
    found = undefined
  }
  if (found?.name !== 'rowDescription') throw new RemoteProtocolError('a RowDescription breaks off')
  return found.fields.map(({ name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier, format }) => ({
    name,
    tableID,
    columnID,
    dataTypeID,
    dataTypeSize,
    dataTypeModifier,
    isBinary: format === 'binary',
  }))
}

function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
  return hash >>> 0 || 1
}

const NOTHING = Buffer.alloc(0)

/**
 * Rows in a request's body, CSV or JSON lines, as the bytes of a COPY: read as they come, never gathered.
 *
 * Rules:
 * 1. CSV begins with a line that names its columns, in any order; the rest is passed on untouched, and the server
 *    judges it. JSON lines become CSV here, line by line, so one column list serves both.
 * 2. The source fails when its client leaves, which ends a COPY at once. (An abort does not: Postgres does not look at
 *    a cancel request while it waits for rows.)
 * 3. A column that is not known is refused before a row is sent. A line has at most `lineBytesMax` bytes.
 *
 * Limits: UTF-8. The names of the columns are plain: no quotes needed, none understood but around a whole name.
 */
import { RequestError } from '../../http/failures.ts'
import { checkFields, type Fields, wrong } from '../../http/fields.ts'
import type { GatewayRequest } from '../../http/request.ts'

export interface RowSource {
  readonly columns: readonly string[]
  /** CSV without a line of names. */
  readonly csv: AsyncIterable<string | Uint8Array>
  /** Reads no further. Idempotent. */
  drop(): void
}

export interface RowFormat {
  readonly columns: readonly string[]
  /** The values of one JSON line, in the order of `columns`; null for none. Throws what is wrong with it. */
  values(fields: Fields): readonly (string | null)[]
}

/** Call it before anything is awaited. */
export function rowSource(request: GatewayRequest, format: RowFormat): Promise<RowSource> {
  const { importBytesMax, lineBytesMax } = request.limits
  const type = request.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  const isCsv = type === 'text/csv'
  if (!isCsv && !JSON_LINES.includes(type)) {
    throw new RequestError(415, 'CONTENT_TYPE', `rows come as text/csv or ${JSON_LINES.join(', ')}`)
  }
  const pieces = request.bodyPieces(importBytesMax)
  const drop = (): void => pieces.drop()
  if (!isCsv)
    return Promise.resolve({ columns: format.columns, csv: fromJsonLines(pieces, format, lineBytesMax), drop })
  return fromCsv(pieces, format, lineBytesMax).then(
    (source) => ({ ...source, drop }),
    (error: unknown) => {
      drop()
      throw error
    },
  )
}

async function fromCsv(
  pieces: AsyncIterator<Uint8Array>,
  format: RowFormat,
  lineBytesMax: number,
): Promise<Omit<RowSource, 'drop'>> {
  let begun = Buffer.alloc(0)
  let end = -1
  while (end < 0) {
    const piece = await pieces.next()
    if (piece.done === true) break
    begun = Buffer.concat([begun, piece.value])
    end = begun.indexOf(LINE_FEED)
    if (end < 0 && begun.length > lineBytesMax) throw lineTooLong(1, lineBytesMax)
  }
  const line = end < 0 ? begun : begun.subarray(0, end)
  const rest = end < 0 ? Buffer.alloc(0) : begun.subarray(end + 1)
  return { columns: columnsIn(line.toString('utf8'), format.columns), csv: followedBy(rest, pieces) }
}

function columnsIn(line: string, known: readonly string[]): readonly string[] {
  const columns = line
    // Spreadsheets put a mark in front that is no character of the first name.
    .replace(/^\uFEFF/, '')
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
  const odd = columns.find((name) => !known.includes(name))
  if (odd === undefined && new Set(columns).size === columns.length) return columns
  throw wrong(`the first line of the CSV names its columns, each once: there is ${known.join(', ')}`)
}

async function* followedBy(first: Uint8Array, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next()) yield piece.value
}

/** One text for all lines that end in a piece. */
async function* fromJsonLines(
  pieces: AsyncIterable<Uint8Array>,
  format: RowFormat,
  lineBytesMax: number,
): AsyncGenerator<string> {
  let rest = Buffer.alloc(0)
  let number = 0
  const toCsv = (line: Uint8Array): string => {
    number++
    if (line.length > lineBytesMax) throw lineTooLong(number, lineBytesMax)
    return csvLine(Buffer.from(line).toString('utf8'), format, number)
  }
  for await (const piece of pieces) {
    const bytes = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece])
    let csv = ''
    let at = 0
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, at)) {
      csv += toCsv(bytes.subarray(at, end))
      at = end + 1
    }
    rest = bytes.subarray(at)
    if (rest.length > lineBytesMax) throw lineTooLong(number + 1, lineBytesMax)
    if (csv !== '') yield csv
  }
  if (rest.length > 0) yield toCsv(rest)
}

function csvLine(text: string, format: RowFormat, number: number): string {
  if (text.trim() === '') return ''
  try {
    const fields: unknown = JSON.parse(text)
    if (!isFields(fields)) throw wrong('it is no JSON object')
    checkFields(fields, format.columns)
    return `${format.values(fields).map(csvValue).join(',')}\n`
  } catch (error) {
    throw wrong(`line ${number}: ${error instanceof RequestError ? error.message : 'it is no JSON'}`)
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Quoted, so that nothing in it is a mark of CSV's, and so that an empty text is no NULL. */
function csvValue(value: string | null): string {
  return value === null ? '' : `"${value.replaceAll('"', '""')}"`
}

function lineTooLong(number: number, lineBytesMax: number): RequestError {
  return new RequestError(413, 'LINE_TOO_LONG', `line ${number}: a line has at most ${lineBytesMax} bytes`)
}

const JSON_LINES: readonly string[] = ['application/x-ndjson', 'application/jsonl', 'application/json-lines']
const LINE_FEED = 10

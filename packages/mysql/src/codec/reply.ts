/**
 * Replies: a chain of OK, ERR and result sets, as results.
 *
 * Rules:
 * 1. The framer has checked that the reply ends where it says; what is checked here is what lies inside a packet.
 * 2. An ERR ends the reply. What came before it is dropped: the caller cannot use half of what was asked.
 * 3. On a shared connection no transaction may be open afterwards. If one is, somebody's BEGIN slipped through, and he
 *    is told; the I/O half drops the connection.
 * 4. A packet of 16 MB goes on in the next: only there bytes are put together.
 *
 * Theory of operation: what a first byte means depends on where it stands.
 *
 *   start      00 OK    FF ERR    FB a file is asked for    else the number of columns
 *   columns    a definition each; an EOF behind them where it was not agreed to leave it out
 *   rows       FF ERR   FE and short: the end (EOF or OK)   else a row
 *
 * After an OK or an end whose status says so, there is more: start again. The definitions of a statement that is known
 * are compared with those of the last time in one go, and not read again.
 */
import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import { type MysqlError, mysqlError } from './errors.ts'
import { type MysqlFacts, Status } from './facts.ts'
import { type Field, fieldIn } from './fields.ts'
import { EOF, ERR, HEADER_BYTES, LOCAL_INFILE, lenenc, lenencBytes, OK, PACKET_BYTES_MAX, u24 } from './packet.ts'
import { type Outcome, outcomeIn, outcomeOfEof, Rows } from './result.ts'
import { RowReader } from './rows.ts'
import type { Statement } from './statement.ts'

const At = { Start: 0, Columns: 1, ColumnsEnd: 2, Rows: 3, Ended: 4 } as const

/** A reply's packets, put together. One is used for one reply. */
export class Reply {
  /** One for each statement that completed. */
  readonly results: Rows<unknown>[] = []
  error: MysqlError | undefined
  /** Of the last OK or EOF. */
  status = 0
  /** The server asks for a file, and goes on when it has had it. */
  wantsFile = false
  readonly #statement: Statement
  readonly #asArrays: boolean
  readonly #isBinary: boolean
  #at: number = At.Start
  /** Of the result that is read. */
  #index = 0
  #fields: Field[] = []
  #columns = 0
  #rows: Rows<unknown> | undefined
  #reader: RowReader | undefined

  constructor(statement: Statement, asArrays: boolean, isBinary: boolean) {
    this.#statement = statement
    this.#asArrays = asArrays
    this.#isBinary = isBinary
  }

  get isEnded(): boolean {
    return this.#at === At.Ended
  }

  /** Reads whole packets in bytes[start, end). */
  read(bytes: Buffer, start: number, end: number, facts: MysqlFacts): void {
    let at = start
    while (at < end) {
      if (this.#at === At.Rows) at = this.#readRows(bytes, at, end, facts)
      else if (this.#at === At.Start) at = this.#begin(bytes, at, end, facts)
      else at = this.#onePacket(bytes, at, end, facts)
    }
  }

  /** For a reply that is read in pieces: the rows since the last time. */
  takeRows(): readonly unknown[] {
    const complete = this.results.splice(0)
    const rows = this.#rows
    if (rows !== undefined) this.#rows = new Rows<unknown>()
    const all = rows === undefined ? complete : [...complete, rows]
    return all.length === 1 ? (all[0] as Rows<unknown>) : all.flatMap((each) => [...each])
  }

  /** The first packet of a result, and with it all definitions where they are those of the last time. */
  #begin(bytes: Buffer, start: number, end: number, facts: MysqlFacts): number {
    const known = this.#statement.described(this.#index, this.#isBinary)
    if (known !== undefined && end - start >= known.bytes.length) {
      const { bytes: same } = known
      if (bytes.compare(same, 0, same.length, start, start + same.length) === 0) {
        this.#reader = known.reader
        this.#rows = new Rows<unknown>()
        this.#at = At.Rows
        return start + same.length
      }
    }
    let at = this.#onePacket(bytes, start, end, facts)
    while (at < end && (this.#at === At.Columns || this.#at === At.ColumnsEnd)) {
      at = this.#onePacket(bytes, at, end, facts)
    }
    // All of them in one piece, and nothing but them: worth remembering.
    if (this.#at === At.Rows && this.#reader !== undefined) {
      const described = { bytes: Buffer.from(bytes.subarray(start, at)), reader: this.#reader }
      this.#statement.remember(this.#index, this.#isBinary, described)
    }
    return at
  }

  /** As many rows as follow one another. */
  #readRows(bytes: Buffer, start: number, end: number, facts: MysqlFacts): number {
    const reader = this.#reader as RowReader
    const rows = this.#rows as Rows<unknown>
    const asArrays = this.#asArrays
    let at = start
    // Assigned and not pushed: to a class of one's own, push() is seven times slower.
    let count = rows.length
    while (at + HEADER_BYTES <= end) {
      const length = u24(bytes, at)
      const first = bytes[at + HEADER_BYTES] as number
      const isLong = length === PACKET_BYTES_MAX
      if (first >= EOF && length > 0 && (first === ERR || !isLong) && isEndOfRows(first, length, facts)) break
      if (isLong) {
        const { payload, next } = joined(bytes, at, end)
        rows[count++] = reader.read(payload, 0, payload.length, asArrays)
        at = next
        continue
      }
      const from = at + HEADER_BYTES
      const next = from + length
      if (next > end) throw cut()
      rows[count++] = reader.read(bytes, from, next, asArrays)
      at = next
    }
    return at < end ? this.#onePacket(bytes, at, end, facts) : at
  }

  #onePacket(bytes: Buffer, start: number, end: number, facts: MysqlFacts): number {
    if (start + HEADER_BYTES > end) throw cut()
    const length = u24(bytes, start)
    if (length === PACKET_BYTES_MAX) {
      const { payload, next } = joined(bytes, start, end)
      this.#packet(payload, 0, payload.length, facts)
      return next
    }
    const from = start + HEADER_BYTES
    if (from + length > end) throw cut()
    this.#packet(bytes, from, from + length, facts)
    return from + length
  }

  #packet(bytes: Buffer, start: number, end: number, facts: MysqlFacts): void {
    if (start === end) throw new RemoteProtocolError('an empty packet in a reply')
    const first = bytes[start] as number
    if (first === ERR && this.#at !== At.Columns) {
      this.error ??= mysqlError(bytes, start - HEADER_BYTES, end)
      this.#at = At.Ended
      return
    }
    switch (this.#at) {
      case At.Start:
        this.#first(first, bytes, start, end, facts)
        return
      case At.Columns:
        this.#fields.push(fieldIn(bytes, start, end, facts.extendedMetadata))
        if (this.#fields.length === this.#columns) this.#described(facts)
        return
      case At.ColumnsEnd:
        this.#at = At.Rows
        return
      case At.Rows: {
        // With the shorter end agreed on, it is an OK packet under another first byte.
        const outcome = facts.deprecateEof
          ? outcomeIn(bytes, start, end, facts.sessionTrack)
          : outcomeOfEof(bytes, start, end)
        this.#finish(outcome, this.#reader?.fields ?? [])
        return
      }
      default:
        // MariaDB answers a statement that could not be prepared twice: once for it, and once for its execution.
        if (this.error === undefined) throw new RemoteProtocolError('a packet behind the end of a reply')
    }
  }

  #first(first: number, bytes: Buffer, start: number, end: number, facts: MysqlFacts): void {
    if (first === OK) {
      this.#rows = new Rows<unknown>()
      this.#finish(outcomeIn(bytes, start, end, facts.sessionTrack), [])
      return
    }
    if (first === LOCAL_INFILE) {
      this.wantsFile = true
      return
    }
    const size = lenencBytes(bytes, start)
    const count = size === 0 || start + size > end ? 0 : lenenc(bytes, start)
    if (count === 0 || count > COLUMNS_MAX) throw new RemoteProtocolError('a reply begins with no number of columns')
    this.#columns = count
    this.#fields = []
    this.#at = At.Columns
  }

  #described(facts: MysqlFacts): void {
    this.#reader = new RowReader(this.#fields, this.#isBinary, this.#statement.app)
    this.#rows = new Rows<unknown>()
    this.#at = facts.deprecateEof ? At.Rows : At.ColumnsEnd
  }

  #finish(outcome: Outcome, fields: readonly Field[]): void {
    const rows = this.#rows as Rows<unknown>
    Rows.complete(rows, outcome, fields)
    this.results.push(rows)
    this.#index++
    this.status = outcome.status
    this.#rows = undefined
    this.#reader = undefined
    this.#at = (outcome.status & Status.MoreResults) === 0 ? At.Ended : At.Start
  }
}

/** The results of a whole reply, or its error. */
export function checked(reply: Reply): Reply {
  if (reply.error !== undefined) throw reply.error
  if (!reply.isEnded) throw new RemoteProtocolError('a reply without its end')
  return reply
}

/** For calls on a shared connection. */
export function refuseOpenTransaction(reply: Reply): void {
  if ((reply.status & Status.InTransaction) === 0) return
  throw new LocalError(
    'TRANSACTION_LEFT_OPEN',
    'the statement left a transaction open on a shared connection, which is dropped: use db.transaction()',
    { sent: 'maybe' },
  )
}

/** A row of a server before DEPRECATE_EOF may begin with FE as well: then it is longer than any end. */
function isEndOfRows(first: number, length: number, facts: MysqlFacts): boolean {
  return first === ERR || facts.deprecateEof || length < EOF_BYTES_MAX
}

/** What several packets carry that begin at `at`. */
function joined(bytes: Buffer, at: number, end: number): { readonly payload: Buffer; readonly next: number } {
  const parts: Buffer[] = []
  let next = at
  for (;;) {
    if (next + HEADER_BYTES > end) throw cut()
    const length = u24(bytes, next)
    const from = next + HEADER_BYTES
    next = from + length
    if (next > end) throw cut()
    parts.push(bytes.subarray(from, next))
    if (length < PACKET_BYTES_MAX) return { payload: Buffer.concat(parts), next }
  }
}

function cut(): RemoteProtocolError {
  return new RemoteProtocolError('a reply ends inside a packet')
}

/** As the servers have it for a table; a statement of more is refused by them. */
const COLUMNS_MAX = 4096
/** An EOF packet has 5 bytes; a row that begins with FE has a length of 9. */
const EOF_BYTES_MAX = 9

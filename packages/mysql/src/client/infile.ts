/**
 * LOAD DATA LOCAL INFILE: a table filled from a source of this program's.
 *
 * Rules:
 * 1. Nothing is ever read because a server asks for it: the bytes are those of the `source` that this call was given,
 *    whatever file the server names.
 * 2. It has a session: what is written behind the question would be taken for the file, and so would be a neighbour's
 *    statement.
 * 3. The protocol has no word for "this file is not complete": an end is an end. So a source that fails costs the
 *    connection, and the server undoes what it has of the file where its tables can.
 *
 * Theory of operation: the reply is read as it arrives. When it asks for the file, the source's pieces go out as silent
 * calls, each awaited (the kernel's limits are what bounds them), then an empty one, and the reply goes on.
 */
import type { CallOptions, ReplyStream, SessionLink } from '@iokernel/core/plugin'
import { LocalError, RemoteProtocolError } from '@iokernel/core/plugin'
import { checkOptions, type Kind, mustBeDuration, mustBeSignal, wrong } from '@iokernel/core/toolkit'
import { checkedText, NO_VALUES } from '@iokernel/sql'
import type { MysqlFacts } from '../codec/facts.ts'
import { Pieces } from '../codec/pieces.ts'
import { checked, Reply } from '../codec/reply.ts'
import { Rows } from '../codec/result.ts'
import type { Statement } from '../codec/statement.ts'
import { FILE_DATA, LOAD_LOCAL } from './operations.ts'
import type { Statements } from './statement-cache.ts'

/** Text is UTF-8. */
export type FileSource = string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/** `deadlineMs`: how long the server may keep us waiting. */
export interface LoadOptions extends Pick<CallOptions, 'deadlineMs' | 'signal'> {}

const LOAD_OPTIONS: Kind<LoadOptions> = {
  title: 'option of loadLocal()',
  checks: { deadlineMs: mustBeDuration, signal: mustBeSignal },
}

export interface LoadRequest {
  readonly text: unknown
  readonly source: FileSource
  readonly options: unknown
}

export async function loadLocal(
  link: SessionLink,
  statements: Statements,
  { text, source, options }: LoadRequest,
): Promise<Rows> {
  let call: LoadOptions = {}
  if (options !== undefined) {
    checkOptions(options, LOAD_OPTIONS)
    call = options
  }
  const pieces = piecesOf(source)
  const statement = statements.of(checkedText(text))
  checkStatement(statement)
  const execution = { statement, values: NO_VALUES, asArrays: false, prepared: false }
  const stream = link.stream(LOAD_LOCAL, execution, call)
  try {
    return await load(link, stream, { statement, pieces, call })
  } finally {
    await stream.close()
  }
}

function checkStatement({ analysis, app }: Statement): void {
  if (!analysis.loadsLocal) throw wrong('loadLocal() takes one LOAD DATA LOCAL INFILE; everything else goes to query()')
  if (app.localInfile) return
  throw new LocalError('REFUSED', 'the target does not allow LOAD DATA LOCAL: give it { localInfile: true }')
}

interface Load {
  readonly statement: Statement
  readonly pieces: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>
  readonly call: LoadOptions
}

async function load(link: SessionLink, stream: ReplyStream, { statement, pieces, call }: Load): Promise<Rows> {
  const reply = new Reply(statement, false, false)
  const packets = new Pieces()
  let hasSent = false
  for await (const { bytes, facts } of stream) {
    const whole = packets.take(bytes)
    if (whole === undefined) continue
    reply.read(whole, 0, whole.length, facts as MysqlFacts)
    if (!reply.wantsFile || hasSent) continue
    hasSent = true
    await sendFile(link, pieces, call)
  }
  if (packets.isOpen) throw new RemoteProtocolError('a reply ends inside a packet')
  return Rows.first(checked(reply).results) as Rows
}

async function sendFile(link: SessionLink, pieces: Load['pieces'], call: LoadOptions): Promise<void> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    const data = gathered.length === 1 ? (gathered[0] as Uint8Array) : Buffer.concat(gathered, bytes)
    gathered = []
    bytes = 0
    // Never an empty piece: that would be the file's end.
    for (let at = 0; at < data.length; at += PIECE_BYTES) {
      await link.request(FILE_DATA, data.subarray(at, at + PIECE_BYTES), call)
    }
  }
  for await (const piece of pieces) {
    if (typeof piece !== 'string' && !(piece instanceof Uint8Array)) {
      throw wrong('a source gives strings and Uint8Arrays')
    }
    const data = typeof piece === 'string' ? Buffer.from(piece) : piece
    gathered.push(data)
    bytes += data.length
    if (bytes >= PIECE_BYTES) await flush()
  }
  await flush()
  await link.request(FILE_DATA, NOTHING, call)
}

function piecesOf(source: unknown): Load['pieces'] {
  if (typeof source === 'string' || source instanceof Uint8Array) return [source]
  const isIterable =
    typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source)
  if (!isIterable) throw wrong('the source of a file is text, bytes, or an iterable of them')
  return source as Load['pieces']
}

const NOTHING = new Uint8Array(0)
/** What is gathered before it is sent: large enough that a message's cost disappears, small enough to flow. */
const PIECE_BYTES = 64 * 1024

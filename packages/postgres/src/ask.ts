/**
 * A Query of our own, in a script: what is asked of a server when nobody else uses the connection.
 *
 * Rules: the answer is read to its ReadyForQuery, whatever it is. An error is a value; whoever asks decides what it
 * means. One after which the server goes is thrown. Rows are text.
 */
import { ByteWriter, frame, RemoteError, RemoteProtocolError, type Script, send } from '@iokernel/core/plugin'
import { isFatal } from './codec/errors.ts'
import { codeOf } from './handshake/refusal.ts'

export interface Answer {
  /** Of all results, one after another. */
  readonly rows: readonly (readonly (string | undefined)[])[]
  /** Statements that were completed. */
  readonly completed: number
  /** SQLSTATE of the first error. */
  readonly failed: string | undefined
  /** `I`, `T` or `E`. */
  readonly status: string
}

export function queryMessage(text: string): Uint8Array {
  const out = new ByteWriter(text.length + 16)
  out.u8(81)
  const length = out.reserve(4)
  out.utf8(text)
  out.u8(0)
  out.patchU32be(length, out.length - 1)
  return out.written()
}

/** Sync: answered by a ReadyForQuery and nothing else. */
export const SYNC: Uint8Array = Uint8Array.of(83, 0, 0, 0, 4)

/** Sends one Query or Sync and reads its answer. */
export function* ask(message: Uint8Array): Script<Answer> {
  yield* send(message)
  const rows: (readonly (string | undefined)[])[] = []
  let completed = 0
  let failed: string | undefined
  for (;;) {
    const bytes = yield* frame()
    const answer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    switch (String.fromCharCode(answer[0] as number)) {
      case 'Z':
        return { rows, completed, failed, status: String.fromCharCode(answer[BODY] as number) }
      case 'E':
        failed ??= codeOf(answer)
        if (isFatal(answer, 0, answer.length)) {
          throw new RemoteError(failed, `the server ended the connection (SQLSTATE ${failed})`)
        }
        break
      case 'D':
        rows.push(rowIn(answer))
        break
      case 'C':
        completed++
        break
      case 'T':
      case 'I':
        break
      default:
        throw new RemoteProtocolError('a query was answered by something else than rows and their end')
    }
  }
}

/** Type byte and length. */
const BODY = 5

function rowIn(message: Buffer): readonly (string | undefined)[] {
  if (message.length < BODY + 2) throw cutShort()
  const columns: (string | undefined)[] = []
  let at = BODY + 2
  for (let left = message.readUInt16BE(BODY); left > 0; left--) {
    if (at + 4 > message.length) throw cutShort()
    const length = message.readInt32BE(at)
    at += 4
    if (length < -1 || at + length > message.length) throw cutShort()
    columns.push(length === -1 ? undefined : message.toString('utf8', at, at + length))
    at += Math.max(0, length)
  }
  return columns
}

function cutShort(): RemoteProtocolError {
  return new RemoteProtocolError('a row that is shorter than it says')
}

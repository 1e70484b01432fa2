/**
 * The push connection: what it has been asked for, whose each answer is, and to which interest a notification belongs.
 *
 * Rules:
 * 1. A key is the channel's name as it stands in pg_notify(): no folding of case, no quotes.
 * 2. Every LISTEN and UNLISTEN leaves an expectation, in order. An answer that nothing expects is the peer's fault.
 * 3. To the kernel, one frame answers one subscribe: its ReadyForQuery, or its ErrorResponse. What answers an UNLISTEN
 *    is a push (`ended`).
 *
 * Theory of operation: each is a Query of its own, so that one that is refused (on a replica, 25006) takes no other
 * with it. Its answer is `C Z` or `E Z`: C says nothing that Z does not, and Z says nothing after E.
 *
 * Limits: PostgreSQL cuts an identifier after 63 bytes, and would then notify under another name: a longer name is not
 * asked for, but answered by the error that an empty one gets. A connection holds what the kernel asks for; the kernel
 * bounds interests.
 */
import type { ByteWriter, FrameSink, PushRoute } from '@iokernel/core/plugin'
import { FrameFlag, RemoteProtocolError } from '@iokernel/core/plugin'

/** NAMEDATALEN less its NUL. */
const CHANNEL_BYTES_MAX = 63

interface Expected {
  readonly kind: 'listen' | 'unlisten'
  readonly key: string
  /** Its ErrorResponse has come; ReadyForQuery is all that it still lacks. */
  failed: boolean
}

const NOBODY: PushRoute = { key: undefined, kind: 'message' }

export class PushLedger {
  /** True once the handshake is over and the connection carries interests. */
  active = false
  readonly #expected: Expected[] = []
  /** What the push that is being reported ends. */
  #ending: PushRoute | undefined

  subscribe(key: string, out: ByteWriter): void {
    this.#expected.push({ kind: 'listen', key, failed: false })
    writeQuery(out, `LISTEN ${quoted(key)}`)
  }

  unsubscribe(key: string, out: ByteWriter): void {
    this.#expected.push({ kind: 'unlisten', key, failed: false })
    writeQuery(out, `UNLISTEN ${quoted(key)}`)
  }

  /** One message of an answer. */
  take(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    const oldest = this.#expected[0]
    if (oldest === undefined) throw new RemoteProtocolError('a reply to no request on a push connection')
    switch (bytes[start]) {
      case COMMAND_COMPLETE:
        return
      case ERROR:
        // Two errors for one request have been seen of a proxy; one is an answer.
        if (!oldest.failed && oldest.kind === 'listen') sink.frame(start, end, FrameFlag.Final | FrameFlag.Error)
        oldest.failed = true
        return
      case READY:
        this.#expected.shift()
        if (oldest.kind === 'unlisten') this.#end(oldest, start, end, sink)
        else if (!oldest.failed) sink.frame(start, end, FrameFlag.Final)
        return
      default:
        throw new RemoteProtocolError('LISTEN was answered by something else than its completion')
    }
  }

  route(bytes: Buffer, start: number, end: number): PushRoute {
    if (bytes[start] !== NOTIFICATION) return this.#ending ?? NOBODY
    const channelEnd = bytes.indexOf(0, start + CHANNEL_AT)
    if (channelEnd < 0 || channelEnd >= end) return NOBODY
    return { key: bytes.toString('utf8', start + CHANNEL_AT, channelEnd), kind: 'message' }
  }

  #end({ key, failed }: Expected, start: number, end: number, sink: FrameSink): void {
    this.#ending = failed ? NOBODY : { key, kind: 'ended' }
    sink.frame(start, end, FrameFlag.Push)
    this.#ending = undefined
  }
}

/** Type byte, length, process id. */
const CHANNEL_AT = 9
const COMMAND_COMPLETE = 67
const ERROR = 69
const NOTIFICATION = 65
const QUERY = 81
const READY = 90

/** As an identifier. One that cannot be a channel becomes the empty one, which every server refuses. */
function quoted(name: string): string {
  if (name.includes('\0') || Buffer.byteLength(name) > CHANNEL_BYTES_MAX) return '""'
  return `"${name.replaceAll('"', '""')}"`
}

function writeQuery(out: ByteWriter, text: string): void {
  const length = Buffer.byteLength(text)
  out.u8(QUERY)
  out.u32be(4 + length + 1)
  out.utf8(text, length)
  out.u8(0)
}

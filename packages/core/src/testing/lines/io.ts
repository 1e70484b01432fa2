/**
 * The I/O half of `../lines.ts`, which describes the wire. Three replies break it on purpose: `throw`, `spin` and
 * `exit`.
 */
import type { ByteWriter } from '../../plugin/byte-writer.ts'
import type { Cloneable } from '../../plugin/cloneable.ts'
import {
  type Connection,
  FrameFlag,
  type FrameSink,
  type IoProtocol,
  type Place,
  type PushRoute,
  type Verdict,
} from '../../plugin/connection.ts'
import { RefusedError, RemoteError, RemoteProtocolError } from '../../plugin/errors.ts'
import { frame, type Script, send } from '../../plugin/script.ts'
import { PLUGIN_API } from '../../plugin/version.ts'

export interface LinesIo {
  readonly [name: string]: Cloneable
  readonly name: string | null
  readonly asksCredentials: boolean
  readonly probe: boolean
  readonly reset: boolean
  readonly audit: boolean
  readonly cancel: boolean
  readonly callsMax: number | null
}

const LINE_FEED = 10
const MINUS = 45
const BANG = 33
const TILDE = 126
const QUESTION = 63
/** A line that is longer is passed on in parts. */
const PART_BYTES_MIN = 16_384

const io: IoProtocol<LinesIo> = {
  name: 'lines',
  api: PLUGIN_API,
  connection: (options, place) => new LinesConnection(options, place),
}
export default io

class LinesConnection implements Connection {
  readonly #options: LinesIo
  readonly #place: Place
  /** How far the unfinished line was already looked at. */
  #searched = 0
  /** Replies of the oldest request that have come. */
  #answered = 0
  readonly handshake?: () => Script<Cloneable>
  readonly probe?: () => Script<Cloneable>
  readonly reset?: () => Script<void>
  readonly audit?: () => Script<string | undefined>
  readonly cancel?: () => Cloneable
  readonly callsMax?: () => number
  /** What the peer calls this connection: the second word of its welcome. */
  #id = ''

  constructor(options: LinesIo, place: Place) {
    this.#options = options
    this.#place = place
    if (options.name !== null || options.asksCredentials) this.handshake = () => this.#hello()
    if (options.probe) this.probe = () => ping()
    if (options.reset) this.reset = () => startOver()
    if (options.audit) this.audit = () => lookOver()
    if (options.cancel) this.cancel = () => this.#id
    const { callsMax } = options
    if (callsMax !== null) this.callsMax = () => callsMax
  }

  scan(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let line = start
    let at = bytes.indexOf(LINE_FEED, start + this.#searched)
    while (at !== -1 && at < end) {
      this.#report(bytes, line, at + 1, sink)
      line = at + 1
      at = bytes.indexOf(LINE_FEED, line)
    }
    if (end - line < PART_BYTES_MIN || bytes[line] === BANG) {
      this.#searched = end - line
      return line - start
    }
    sink.frame(line, end, FrameFlag.Part)
    this.#searched = 0
    return end - start
  }

  #report(bytes: Buffer, start: number, end: number, sink: FrameSink): void {
    const text = end - start < 64 ? bytes.toString('latin1', start, end) : ''
    if (text === 'throw\n') throw new TypeError('the framer of lines was told to throw')
    while (text === 'spin\n');
    if (text === 'exit\n') process.exit()
    if (text === 'garbage\n') throw new RemoteProtocolError('garbage')
    if (bytes[start] === BANG) return sink.frame(start, end, FrameFlag.Push)
    if (bytes[start] === QUESTION) return sink.frame(start, end, FrameFlag.Request)
    if (text === 'marco\n') return sink.out().ascii('polo\n')
    const final = this.#answered >= sink.hint()
    this.#answered = final ? 0 : this.#answered + 1
    const failed = bytes[start] === MINUS ? FrameFlag.Error : 0
    const dirty = bytes[start] === TILDE ? FrameFlag.Dirty : 0
    // What is out of date is said before the end of a reply, as servers do that end each reply with a word of their
    // own.
    if (text === '-stale\n') sink.frame(start, end, FrameFlag.Error)
    else sink.frame(start, end, (final ? FrameFlag.Final : 0) | failed | dirty)
  }

  subscribe(key: string, out: ByteWriter): void {
    out.utf8(`sub ${key}\n`)
  }

  unsubscribe(key: string, out: ByteWriter): void {
    out.utf8(`unsub ${key}\n`)
  }

  route(bytes: Buffer, start: number, end: number): PushRoute {
    const text = bytes.toString('utf8', start + 1, end - 1)
    if (text.startsWith('+')) return { key: text.slice(1), kind: 'confirmed' }
    if (text.startsWith('-')) return { key: text.slice(1), kind: 'ended' }
    if (text.startsWith('*')) return { key: text.slice(1).split(' ', 1)[0], kind: 'all' }
    return { key: text.split(' ', 1)[0], kind: 'message' }
  }

  /** `?key id …` is answered by `nobody id`. */
  refuse(bytes: Buffer, start: number, end: number, out: ByteWriter): void {
    out.utf8(`nobody ${bytes.toString('utf8', start, end - 1).split(' ')[1]}\n`)
  }

  classify(bytes: Buffer, start: number, end: number): Verdict {
    const text = bytes.toString('utf8', start + 1, end)
    if (text.startsWith('retire')) return 'retire'
    if (text.startsWith('busy')) return 'overloaded'
    if (text.startsWith('readonly')) return 'role-lost'
    if (text.startsWith('stale')) return 'stale'
    return text.startsWith('again') ? 'not-executed' : 'call'
  }

  *#hello(): Script<Cloneable> {
    if (this.#place.purpose === 'cancel') return yield* cancelOther(String(this.#place.cancels))
    const name = String(this.#place.credentials ?? this.#options.name)
    yield* send(Buffer.from(`hello ${name}\n`))
    const answer = Buffer.from(yield* frame()).toString()
    if (answer.startsWith('-denied')) throw new RefusedError('DENIED', 'the peer does not know us')
    if (!answer.startsWith('welcome')) throw new RemoteError('NOT_WELCOME', 'the peer is not ready')
    this.#id = answer.trim().split(' ')[1] ?? ''
    return { greeting: answer.trim(), purpose: this.#place.purpose }
  }
}

function* ping(): Script<Cloneable> {
  yield* send(Buffer.from('ping\n'))
  return Buffer.from(yield* frame()).toString()
}

function* startOver(): Script<void> {
  yield* send(Buffer.from('reset\n'))
  yield* frame()
}

/** Ends when the peer closes. */
function* cancelOther(id: string): Script<Cloneable> {
  yield* send(Buffer.from(`cancel ${id}\n`))
  yield* frame()
  return undefined
}

function* lookOver(): Script<string | undefined> {
  yield* send(Buffer.from('audit\n'))
  const answer = Buffer.from(yield* frame())
    .toString()
    .trim()
  return answer === 'clean' ? undefined : answer
}

/**
 * A link whose other end is the test: it sees what was encoded, and says what comes back.
 *
 * Rules:
 * 1. Operations are used as the kernel uses them: `encode` once per call, `decode` on poisoned shared memory, `open`
 *    where an answer does not come in one piece, `decode` without bytes for what is only written.
 * 2. A call nobody prepared an answer for fails, and so does its test.
 * 3. A session is the link itself: the order of all calls is what tests are about.
 */
import { ByteWriter } from '../plugin/byte-writer.ts'
import type { Cloneable } from '../plugin/cloneable.ts'
import { AbortedError } from '../plugin/errors.ts'
import type {
  CallOptions,
  Interest,
  InterestHandler,
  Operation,
  ReplyPiece,
  ReplyStream,
  SessionLink,
  UpstreamHandle,
  WaitOptions,
} from '../plugin/protocol.ts'
import { withShared } from './shared-reply.ts'

export interface SeenCall {
  /** As `FakeLinkOptions.encoding` says. */
  readonly bytes: string
  readonly name: string
  readonly on: 'lane' | 'session'
  readonly access: 'read' | 'write'
  readonly answer: 'reply' | 'written'
  readonly idempotent: boolean
  readonly taints: boolean
  /** Its replies may come as streams. */
  readonly opens: boolean
  readonly fingerprint: number
  readonly hint: number
  readonly options: CallOptions | undefined
}

/** Bytes, or what happens instead of them. Text is latin1. */
export type Piece = string | Uint8Array | Error | Promise<string | Uint8Array | Error>

/** What answers one call: one piece, or several, which open the reply. */
export type FakeAnswer = Piece | readonly Piece[]

export interface FakeLinkOptions {
  /** Those of every connection. */
  readonly facts?: Cloneable
  /** How tests like to read what was sent. Default `latin1`. */
  readonly encoding?: 'latin1' | 'hex'
}

export class FakeLink implements SessionLink {
  readonly calls: SeenCall[] = []
  /** `session()`, with what it was given. */
  readonly sessions: (CallOptions | undefined)[] = []
  /** By key. */
  readonly interests: Map<string, InterestHandler> = new Map()
  /** Keys of interests that were closed. */
  readonly ended: string[] = []
  lost = false
  closed = 0
  streamsClosed = 0
  /** What is given as one piece comes to a stream in pieces of this size. */
  pieceBytes: number = Number.POSITIVE_INFINITY
  /** Interests are never confirmed: the peer is away. */
  silent = false
  /** Says why an interest is refused, if it is. */
  refuse: ((key: string, handler: InterestHandler) => Error | undefined) | undefined
  /** Asked before a call that is only written settles. */
  onWritten: ((bytes: string, hint: number) => void | Promise<void>) | undefined
  readonly #answers: FakeAnswer[]
  readonly #facts: Cloneable
  readonly #encoding: 'latin1' | 'hex'

  /** `answers`: one for each call that is answered, in order. */
  constructor(answers: readonly FakeAnswer[] = [], { facts, encoding = 'latin1' }: FakeLinkOptions = {}) {
    this.#answers = [...answers]
    this.#facts = facts
    this.#encoding = encoding
  }

  /** All that was sent, as one text. */
  get sent(): string {
    return this.calls.map(({ bytes }) => bytes).join('')
  }

  get upstream(): UpstreamHandle {
    throw new Error('a fake link has no upstream')
  }

  async request<Args, Reply>(operation: Operation<Args, Reply>, args: Args, options?: CallOptions): Promise<Reply> {
    const { bytes, hint } = this.#see(operation, args, options)
    if (operation.answer === 'written') {
      await this.onWritten?.(bytes, hint)
      return operation.decode({ bytes: Buffer.alloc(0), start: 0, end: 0 }, args, this.#facts)
    }
    const answer = this.#answer()
    if (isPieces(answer)) {
      if (operation.open === undefined) throw new Error('this call takes its answer whole')
      return await operation.open(this.#stream(answer), args)
    }
    const reply = await answer
    if (reply instanceof Error) throw reply
    return withShared(reply, (shared) => operation.decode(shared, args, this.#facts))
  }

  /** As the kernel's: nothing is asked before the first look. */
  stream<Args>(operation: Operation<Args, unknown>, args: Args, options?: CallOptions): ReplyStream {
    const answer = this.#answer()
    return this.#stream(isPieces(answer) ? answer : [answer], () => this.#see(operation, args, options))
  }

  async interest(key: string, handler: InterestHandler, options: WaitOptions = {}): Promise<Interest> {
    const refused = this.refuse?.(key, handler)
    if (refused !== undefined) throw refused
    if (this.silent) await aborted(options.signal)
    this.interests.set(key, handler)
    return {
      close: async () => {
        this.ended.push(key)
      },
    }
  }

  /** The peer sends something. */
  push(key: string, frame: string | Uint8Array): void {
    withShared(frame, (bytes) => this.interests.get(key)?.push?.(bytes, this.#facts))
  }

  /** The peer asks; resolves with the answer. `isGone`: its connection does not live to see that. */
  ask(key: string, frame: string | Uint8Array, isGone = false): Promise<string> {
    return new Promise((resolve) => {
      withShared(frame, (bytes) =>
        this.interests.get(key)?.request?.(bytes, this.#facts, async (encode) => {
          const out = new ByteWriter(16)
          encode(out)
          resolve(out.written().toString(this.#encoding))
          if (isGone) throw new Error('the connection is gone')
        }),
      )
    })
  }

  async session(options?: CallOptions): Promise<SessionLink> {
    this.sessions.push(options)
    return this
  }

  async close(): Promise<void> {
    this.closed++
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #see<Args>(operation: Operation<Args, unknown>, args: Args, options: CallOptions | undefined): SeenCall {
    const out = new ByteWriter(16)
    const hint = operation.encode(out, args)
    const call: SeenCall = {
      bytes: out.written().toString(this.#encoding),
      name: operation.name,
      on: operation.on,
      access: operation.access,
      answer: operation.answer ?? 'reply',
      idempotent: operation.idempotent,
      taints: operation.taints === true,
      opens: operation.open !== undefined,
      fingerprint: operation.fingerprint?.(args) ?? 0,
      hint,
      options,
    }
    this.calls.push(call)
    return call
  }

  #answer(): FakeAnswer {
    const answer = this.#answers.shift()
    if (answer === undefined) throw new Error('the test has no answer for this call')
    return answer
  }

  #stream(pieces: readonly Piece[], begin: () => unknown = () => undefined): ReplyStream {
    let cancel: () => void = () => undefined
    const cancelled = new Promise<undefined>((resolve) => {
      cancel = () => resolve(undefined)
    })
    const all = this.#pieces(pieces, begin, cancelled)
    const close = async () => {
      this.streamsClosed++
      cancel()
    }
    return { [Symbol.asyncIterator]: () => all, close, [Symbol.asyncDispose]: close }
  }

  async *#pieces(
    pieces: readonly Piece[],
    begin: () => unknown,
    cancelled: Promise<undefined>,
  ): AsyncGenerator<ReplyPiece, void, undefined> {
    begin()
    for (const given of pieces) {
      const piece = await Promise.race([given, cancelled])
      if (piece === undefined) return
      if (piece instanceof Error) throw piece
      const bytes = Buffer.from(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
      for (let at = 0; at < bytes.length; at += Math.min(this.pieceBytes, bytes.length)) {
        yield { bytes: Buffer.from(bytes.subarray(at, at + this.pieceBytes)), facts: this.#facts }
      }
    }
  }
}

function isPieces(answer: FakeAnswer): answer is readonly Piece[] {
  return Array.isArray(answer)
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = () => reject(new AbortedError('the wait was aborted'))
    if (signal?.aborted === true) giveUp()
    else signal?.addEventListener('abort', giveUp)
  })
}

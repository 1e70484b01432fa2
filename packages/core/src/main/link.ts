/**
 * The link: everything a client half gets.
 *
 * Rules: an async function stands around every call, because an error's stack is captured again in its `catch`: there
 * V8 knows who awaits, so the stack names the caller (about 56 ns a call; capturing it beforehand costs 4.7 µs).
 */
import { CallFlag } from '../channel/records.ts'
import type { ByteWriter } from '../plugin/byte-writer.ts'
import { IoKernelError, LocalError, RemoteError } from '../plugin/errors.ts'
import type {
  Answer,
  CallOptions,
  Interest,
  InterestHandler,
  Link,
  Operation,
  ReplyStream,
  SessionLink,
  UpstreamHandle,
  WaitOptions,
} from '../plugin/protocol.ts'
import type { Attachment } from './attachment.ts'
import { durationMs } from './durations.ts'
import type { Exchange } from './exchange.ts'
import { IncomingStream, type PieceSink, type StreamOpener } from './incoming-stream.ts'
import { InterestEntry } from './interests.ts'
import { checkCallOptions } from './options.ts'
import type { AnyOperation } from './slots.ts'
import type { UpstreamEntry } from './upstream.ts'

export class UpstreamLink implements Link {
  protected readonly attachment: Attachment
  protected readonly entry: UpstreamEntry

  readonly #opener: StreamOpener = { open: (callId, ended) => this.#opened(callId, ended) }

  constructor(attachment: Attachment, entry: UpstreamEntry) {
    this.attachment = attachment
    this.entry = entry
  }

  get upstream(): UpstreamHandle {
    return this.entry
  }

  async request<Args, Reply>(operation: Operation<Args, Reply>, args: Args, options?: CallOptions): Promise<Reply> {
    try {
      this.entry.assertOpen()
      if (this.attachment.replacement !== undefined) await this.attachment.replacement
      let flags = flagsFor(operation as AnyOperation, options)
      // A reply of any size needs a reader's pace, and that a connection of its own.
      if (operation.open !== undefined) flags |= this.#exclusive | CallFlag.Stream
      return (await this.call(operation as AnyOperation, args, this.entry.target, flags, options)) as Reply
    } catch (error) {
      throw atCaller(error, this.request, this.entry.authority)
    }
  }

  async interest(key: string, handler: InterestHandler, options?: WaitOptions): Promise<Interest> {
    const attachment = this.attachment
    try {
      this.entry.assertOpen()
      if (attachment.replacement !== undefined) await attachment.replacement
    } catch (error) {
      throw atCaller(error, this.interest, this.entry.authority)
    }
    const { target } = this.entry
    const entry = new InterestEntry(target, key, handler, (connection) => this.#answerTo(connection))
    const interest = attachment.interests.add(entry)
    const close = async (): Promise<void> => {
      if (attachment.interests.get(interest) !== entry || entry.isEnded) return
      entry.end()
      // The number stays taken until the I/O thread says that nothing more comes for it.
      if (attachment.isOver) attachment.interests.remove(interest)
      else attachment.tell({ type: 'drop-interest', interest })
    }
    const { answers } = entry
    attachment.exchange.control({ type: 'add-interest', interest, target, key, resumed: false, answers })
    try {
      await this.entry.waitFor(entry.confirmed, options)
    } catch (error) {
      await close()
      throw atCaller(error, this.interest, this.entry.authority)
    }
    // Whoever listens for pushes waits for something: the process stays alive.
    attachment.keepAlive.add()
    void entry.ended.then(() => attachment.keepAlive.remove())
    return { close }
  }

  async session(options?: CallOptions): Promise<SessionLink> {
    this.entry.assertOpen()
    try {
      if (this.attachment.replacement !== undefined) await this.attachment.replacement
      if (options !== undefined) checkCallOptions(options)
      const { callDeadlineMs } = this.entry.configuration.limits
      const deadlineMs = durationMs('deadlineMs', options?.deadlineMs ?? callDeadlineMs)
      const session = new SessionEntry(this.attachment, this.entry)
      const opened = session.open(deadlineMs)
      try {
        // The I/O thread keeps the deadline; here is only the signal.
        await this.entry.waitFor(opened, { deadlineMs: 0, ...(options?.signal && { signal: options.signal }) })
      } catch (error) {
        opened.catch(() => undefined)
        void session.close()
        throw error
      }
      return session
    } catch (error) {
      throw atCaller(error, this.session, this.entry.authority)
    }
  }

  stream<Args>(operation: Operation<Args, unknown>, args: Args, options?: CallOptions): ReplyStream {
    return this.streamTo(operation as AnyOperation, args, this.entry.target, this.#exclusive, options)
  }

  protected streamTo(
    operation: AnyOperation,
    args: unknown,
    target: number,
    flags: number,
    options: CallOptions | undefined,
  ): ReplyStream {
    this.assertUsable()
    if (options !== undefined) checkCallOptions(options)
    const { attachment, entry } = this
    if (operation.answer === 'written') {
      throw new LocalError('OPERATION', `'${operation.name}' is answered by nothing: there is nothing to read`)
    }
    const all = (flagsFor(operation, options) & ~CallFlag.Exclusive) | flags | CallFlag.Stream
    const start = async (sink: PieceSink): Promise<unknown> => {
      try {
        this.assertUsable()
        if (attachment.replacement !== undefined) await attachment.replacement
        return await this.call(operation, args, target, all, options, sink)
      } catch (error) {
        throw atCaller(error, start, entry.authority)
      }
    }
    return this.#newStream(start)
  }

  /** Throws when calls make no sense any more. */
  protected assertUsable(): void {
    this.entry.assertOpen()
  }

  /** What a call needs that has its connection to itself: of a pool, every call has. */
  get #exclusive(): number {
    return this.entry.configuration.lanes === 'pool' ? 0 : CallFlag.Exclusive
  }

  #opened(callId: number, ended: Promise<unknown>): IncomingStream {
    const stream = this.#newStream(() => ended)
    stream.opened(callId)
    return stream
  }

  #newStream(start: (sink: PieceSink) => Promise<unknown>): IncomingStream {
    const { attachment, entry } = this
    const exchange = (): Exchange | undefined => (attachment.isOver ? undefined : attachment.exchange)
    return new IncomingStream(
      {
        start,
        credit: (callId, bytes) => exchange()?.credit(callId, bytes),
        cancel: (callId) => exchange()?.cancel(callId),
      },
      entry.configuration.limits.streamBytesMax,
    )
  }

  #answerTo(connection: number): Answer {
    const { attachment, entry } = this
    const { exchange } = attachment
    const answer = async (encode: (out: ByteWriter) => void): Promise<void> => {
      const flags = flagsFor(ANSWER as AnyOperation, undefined) | CallFlag.Answer
      try {
        // Numbers of connections mean something to one I/O thread alone.
        if (attachment.replacement !== undefined || attachment.exchange !== exchange) throw askerGone()
        await this.call(ANSWER as AnyOperation, { connection, encode }, entry.target, flags, undefined)
      } catch (error) {
        throw atCaller(error, answer, entry.authority)
      }
    }
    return answer
  }

  protected call(
    operation: AnyOperation,
    args: unknown,
    target: number,
    flags: number,
    options: CallOptions | undefined,
    sink?: PieceSink,
  ): Promise<unknown> {
    const limits = this.entry.configuration.limits
    if (options !== undefined) checkCallOptions(options)
    const deadlineMs =
      options?.deadlineMs === undefined
        ? (operation.deadlineMs ?? limits.callDeadlineMs)
        : durationMs('deadlineMs', options.deadlineMs)
    return this.attachment.exchange.call(
      operation,
      args,
      target,
      flags,
      deadlineMs,
      limits.requestBytesMax,
      options,
      sink,
      sink === undefined && operation.open !== undefined ? this.#opener : undefined,
    )
  }
}

/** A connection lent to this thread. */
export class SessionEntry extends UpstreamLink implements SessionLink {
  readonly #number: number
  #lostWith: Error | undefined
  #closing: Promise<void> | undefined
  #opened: { resolve: () => void; reject: (error: Error) => void } | undefined
  #closed: (() => void) | undefined

  constructor(attachment: Attachment, entry: UpstreamEntry) {
    super(attachment, entry)
    this.#number = attachment.sessions.add(this)
  }

  get lost(): boolean {
    return this.#lostWith !== undefined
  }

  open(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject }
      this.attachment.exchange.control({
        type: 'open-session',
        session: this.#number,
        target: this.entry.target,
        deadlineMs,
      })
    })
  }

  override async request<Args, Reply>(
    operation: Operation<Args, Reply>,
    args: Args,
    options?: CallOptions,
  ): Promise<Reply> {
    try {
      this.assertUsable()
      // Never `Exclusive`: the connection is the caller's already.
      let flags = (flagsFor(operation as AnyOperation, options) & ~CallFlag.Exclusive) | CallFlag.Session
      if (operation.open !== undefined) flags |= CallFlag.Stream
      return (await this.call(operation as AnyOperation, args, this.#number, flags, options)) as Reply
    } catch (error) {
      throw atCaller(error, this.request, this.entry.authority)
    }
  }

  override stream<Args>(operation: Operation<Args, unknown>, args: Args, options?: CallOptions): ReplyStream {
    return this.streamTo(operation as AnyOperation, args, this.#number, CallFlag.Session, options)
  }

  protected override assertUsable(): void {
    if (this.#closing !== undefined) throw new LocalError('SESSION_CLOSED', 'this session was closed: open another')
    if (this.#lostWith === undefined) return
    throw new LocalError(
      'SESSION_LOST',
      `this session's connection was lost (${this.#lostWith.message}): open another and begin again`,
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.attachment.keepAlive.during(this.#close())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  onReady(): void {
    this.#opened?.resolve()
  }

  onFailed(error: Error): void {
    this.#opened?.reject(error)
    this.#closed?.()
  }

  onLost(error: Error): void {
    this.#lostWith = error
    this.#opened?.reject(error)
  }

  /** The I/O thread is gone and its sessions with it: nobody will answer a close. */
  onGone(error: Error): void {
    this.onLost(error)
    this.#closed?.()
    this.attachment.sessions.remove(this.#number)
  }

  onClosed(): void {
    this.#closed?.()
  }

  #close(): Promise<void> {
    if (this.attachment.sessions.get(this.#number) !== this) return Promise.resolve()
    return new Promise((resolve) => {
      this.#closed = resolve
      this.attachment.tell({ type: 'close-session', session: this.#number })
    })
  }
}

function flagsFor(operation: AnyOperation, options: CallOptions | undefined): number {
  let flags = 0
  if (operation.on === 'session') flags |= CallFlag.Exclusive
  if (options?.idempotent ?? operation.idempotent) flags |= CallFlag.Idempotent
  if (operation.access === 'read') flags |= CallFlag.Read
  if (operation.taints === true) flags |= CallFlag.Taints
  if (operation.answer === 'written') flags |= CallFlag.Silent
  return flags
}

interface AnswerArgs {
  readonly connection: number
  readonly encode: (out: ByteWriter) => void
}

/** The bytes go out as they are, over the connection that the fingerprint's word names. */
const ANSWER: Operation<AnswerArgs, void> = {
  name: 'answer',
  access: 'write',
  on: 'lane',
  idempotent: false,
  answer: 'written',
  encode(out, { encode }) {
    encode(out)
    return 0
  },
  fingerprint: ({ connection }) => connection,
  decode: () => undefined,
}

function askerGone(): RemoteError {
  return new RemoteError('CONNECTION_LOST', 'the connection that the request came over is gone', { sent: 'no' })
}

/** Captures the stack again, here where the awaiting callers are known, and says which upstream it was. */
function atCaller(error: unknown, above: unknown, upstream: string): unknown {
  if (error instanceof Error) Error.captureStackTrace(error, above as () => unknown)
  if (error instanceof IoKernelError && error.upstream === undefined) Object.assign(error, { upstream })
  return error
}

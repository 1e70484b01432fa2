/**
 * A request whose body follows its head: on a connection of its own, a piece at a time.
 *
 * Rules:
 * 1. The next piece is read when the operating system has taken the last one: a slow server slows the source down.
 * 2. The reply may come at any time, and both go on side by side. Once the reply is complete nobody wants the rest of
 *    the body: the source is ended, and the connection closed.
 * 3. A source that fails, or gives another number of bytes than was said, ends the request: the connection is closed
 *    inside the body, so the server cannot take it for a whole one. The source's own error is the answer.
 * 4. With `expectContinue` the body waits for a 100, or for `CONTINUE_WAIT_MS` of silence: old servers never say it.
 *    What is answered before either is a refusal of the body, which is not sent then.
 *
 * Limits: `deadlineMs` bounds how long a connection is waited for, how long the server may take nothing, and from the
 * end of the body on how long it may keep us waiting.
 */
import type { CallOptions, Link, Operation, SessionLink } from '@iokernel/core/plugin'
import { IoKernelError, LocalError } from '@iokernel/core/plugin'
import { type FieldsGiven, trailerLines } from '../codec/template.ts'
import { bytesOf, type Contents, endSource, PIECE_BYTES } from './contents.ts'
import {
  type HttpCall,
  UPLOAD,
  UPLOAD_BYTES,
  UPLOAD_CHUNK,
  UPLOAD_LAST_BYTES,
  UPLOAD_LAST_CHUNK,
} from './operations.ts'
import { ReplyReader } from './reply-reader.ts'
import type { RequestOptions } from './request.ts'
import { type HttpResponse, readResponse } from './response.ts'

/** What curl waits for a 100 by default. */
const CONTINUE_WAIT_MS = 1_000
/** The kernel's `callDeadlineMs`, which a client half is not told. */
export const DEADLINE_MS = 30_000

export async function upload(
  link: Link,
  call: HttpCall,
  contents: Contents,
  options: RequestOptions,
): Promise<HttpResponse> {
  // Known before anything is sent, where it is known.
  if (typeof options.trailers === 'object') trailerLines(options.trailers)
  const session = await link.session(sessionOptions(options))
  const reader = new ReplyReader(
    session.stream(UPLOAD, call, { ...sessionOptions(options), ...timingOf(options), deadlineMs: 0 }),
  )
  const pump = new Pump(session, reader, call, contents, options)
  reader.onClosed(() => {
    pump.stop()
    return session.close()
  })
  // Reading is what sends the head.
  const response = readResponse(reader, call, (status) => {
    if (status === 100) pump.begin()
  })
  pump.run(options.expectContinue === true)
  const answer = await response
  pump.answered()
  return answer
}

/** What of the options holds for a connection. */
/** Told when the reply has ended. */
function timingOf({ onTiming }: CallOptions): CallOptions {
  return onTiming === undefined ? {} : { onTiming }
}

export function sessionOptions({ signal, deadlineMs, priority }: CallOptions): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(priority === undefined ? {} : { priority }),
  }
}

class Pump {
  readonly #session: SessionLink
  readonly #reader: ReplyReader
  readonly #uploadBytes: number | undefined
  readonly #contents: Contents
  readonly #trailers: FieldsGiven | (() => FieldsGiven) | undefined
  /** For the reply, once the body has ended. */
  readonly #deadlineMs: number
  /** For each piece; by default the upstream's own. */
  readonly #writing: CallOptions
  #isStopped = false
  /** Of a piece that could not be written. */
  #writeFailure: unknown
  #interrupt: (() => void) | undefined
  /** While a 100 is waited for. */
  #begin: (() => void) | undefined

  constructor(
    session: SessionLink,
    reader: ReplyReader,
    call: HttpCall,
    contents: Contents,
    { trailers, deadlineMs }: RequestOptions,
  ) {
    this.#session = session
    this.#reader = reader
    this.#uploadBytes = call.uploadBytes
    this.#contents = contents
    this.#trailers = trailers
    this.#deadlineMs = deadlineMs ?? DEADLINE_MS
    this.#writing = deadlineMs === undefined ? {} : { deadlineMs }
  }

  /** Sends the body. What goes wrong is told to the reader of the reply. */
  run(waitsForContinue: boolean): void {
    this.#run(waitsForContinue).catch((error: unknown) => {
      // A connection that is gone has told the reply why. What a source throws nobody else tells, whatever it is: it
      // may be the body of another reply, whose connection is gone.
      const isTold = error === this.#writeFailure && isLoss(error)
      if (!this.#isStopped && !isTold) this.#reader.fail(error)
    })
  }

  /** The server wants the body. */
  begin(): void {
    this.#begin?.()
  }

  /** The head of the reply is here: who was asked and did not say 100 does not want the body. */
  answered(): void {
    if (this.#begin === undefined) return
    this.stop()
    this.#reader.limitWaits(this.#deadlineMs)
  }

  /** Nobody wants what has not been sent. */
  stop(): void {
    this.#isStopped = true
    this.#begin?.()
    this.#interrupt?.()
  }

  async #run(waitsForContinue: boolean): Promise<void> {
    if (waitsForContinue) await this.#continued()
    const pieces = this.#contents.pieces()
    try {
      await this.#send(pieces)
    } catch (error) {
      endSource(pieces)
      throw error
    }
    if (this.#isStopped) return endSource(pieces)
    if (this.#uploadBytes === undefined) await this.#write(UPLOAD_LAST_CHUNK, this.#lastLines())
    this.#reader.limitWaits(this.#deadlineMs)
  }

  async #send(pieces: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
    const declared = this.#uploadBytes
    let sent = 0
    if (declared === 0) await this.#write(UPLOAD_LAST_BYTES, NOTHING)
    while (!this.#isStopped) {
      const next = await this.#unlessStopped(pieces.next())
      if (next === undefined) return
      if (next.done === true) break
      const bytes = bytesOf(next.value)
      if (declared !== undefined && sent + bytes.length > declared) throw wrongLength('more')
      for (let at = 0; at < bytes.length && !this.#isStopped; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES)
        sent += piece.length
        // The server may answer as soon as it has the last byte, and must not find us still sending.
        const operation = sent === declared ? UPLOAD_LAST_BYTES : UPLOAD_BYTES
        await this.#write(declared === undefined ? UPLOAD_CHUNK : operation, piece)
      }
    }
    if (declared !== undefined && sent < declared && !this.#isStopped) throw wrongLength('fewer')
  }

  async #write<Args>(operation: Operation<Args, void>, args: Args): Promise<void> {
    try {
      await this.#session.request(operation, args, this.#writing)
    } catch (error) {
      this.#writeFailure = error
      throw error
    }
  }

  #lastLines(): string {
    const given = typeof this.#trailers === 'function' ? this.#trailers() : this.#trailers
    return given === undefined ? '' : trailerLines(given)
  }

  /** Resolves with nothing once stopped: a source may wait for ever. */
  #unlessStopped<Result>(step: Result | PromiseLike<Result>): Promise<Result | undefined> {
    return new Promise((resolve, reject) => {
      this.#interrupt = () => resolve(undefined)
      Promise.resolve(step).then(resolve, reject)
    })
  }

  async #continued(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#begin?.(), CONTINUE_WAIT_MS)
      this.#begin = () => {
        this.#begin = undefined
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function isLoss(error: unknown): boolean {
  if (!(error instanceof IoKernelError)) return false
  return error.code === 'SESSION_LOST' || error.code === 'SESSION_CLOSED' || error.side === 'remote'
}

function wrongLength(which: 'more' | 'fewer'): LocalError {
  return new LocalError('BODY_LENGTH', `the source of a body gave ${which} bytes than content-length says`, {
    sent: 'maybe',
  })
}

const NOTHING = new Uint8Array(0)

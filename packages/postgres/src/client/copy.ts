/**
 * COPY: rows into a table and out of it, as the bytes of the server's own format.
 *
 * Rules:
 * 1. In: the statement stays outstanding while its data goes out, a piece at a time, each awaited until the operating
 *    system has taken it; that is how a slow server slows its source down.
 * 2. The statement's failure ends the source at once, and is the answer. A source that fails ends the statement
 *    (CopyFail: the server undoes it), and its own error is the answer.
 * 3. Out: a stream like any other; what has not been read is bounded.
 * 4. Only a text that is one COPY … FROM STDIN, or TO STDOUT, is taken.
 *
 * Limits: data is not looked at. Text is sent as UTF-8.
 */
import type { CallOptions, Link, ReplyStream, SessionLink } from '@iokernel/core/plugin'
import { AbortedError, RemoteProtocolError } from '@iokernel/core/plugin'
import { checkOptions, type Kind, mustBeDuration, mustBeSignal, wrong } from '@iokernel/core/toolkit'
import { checkedText, NO_VALUES } from '@iokernel/sql'
import { Pieces } from '../codec/pieces.ts'
import { checked, HEADER_BYTES, Message, messageEnd, Reply } from '../codec/reply.ts'
import type { Rows } from '../codec/rows.ts'
import type { Statement } from '../codec/statement.ts'
import { COPY_DATA, COPY_DONE, COPY_FAIL, COPY_IN, COPY_OUT, type Execution } from './operations.ts'
import type { Statements } from './statement-cache.ts'

/** Text or bytes, in pieces of any size: an array, a generator, a `Readable`. */
export type CopySource = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>

/** `deadlineMs`: in, for the whole (default: none); out, how long the server may keep a reader waiting. */
export interface CopyOptions extends Pick<CallOptions, 'deadlineMs' | 'signal'> {}

const COPY_OPTIONS: Kind<CopyOptions> = {
  title: 'option of a copy',
  checks: { deadlineMs: mustBeDuration, signal: mustBeSignal },
}

/** Data in order, for one loop: each piece is one message of the server's, usually a row. */
export interface CopyStream extends AsyncIterableIterator<Buffer>, AsyncDisposable {
  /** Gives up what has not been read, as leaving the loop does. Idempotent. */
  close(): Promise<void>
}

/** What is gathered before it is sent: large enough that a message's cost disappears, small enough to flow. */
const PIECE_BYTES = 64 * 1024

export interface CopyRequest {
  readonly text: unknown
  readonly options: unknown
}

/**
 * Sends `source` to the server; returns the number of rows. `during` lends a session for as long as it takes, once
 * everything else has been checked.
 */
export async function copyFrom(
  during: (work: (link: SessionLink) => Promise<number>) => Promise<number>,
  statements: Statements,
  { text, source, options }: CopyRequest & { readonly source: unknown },
): Promise<number> {
  const call = checkedOptions(options)
  const execution = copyExecution(statements, text, 'in')
  const iterator = iteratorOf(source)
  try {
    return await during((link) => send(link, execution, iterator, call))
  } catch (error) {
    endSource(iterator)
    throw error
  }
}

async function send(
  link: SessionLink,
  execution: Execution,
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  options: CopyOptions | undefined,
): Promise<number> {
  // A cancel is not looked at by a server that reads data: whoever aborts says so in the data.
  const { signal, ...others } = options ?? {}
  if (signal?.aborted === true) throw aborted(signal, 'no')
  const outstanding = new Outstanding(link.request(COPY_IN, execution, others), signal)
  try {
    await feed(link, iterator, outstanding)
  } catch (error) {
    if (!outstanding.failed) await giveUp(link, outstanding)
    // The server's reason, where there is one: what failed after it failed because of it.
    throw outstanding.serverError ?? error
  }
  return (await outstanding.result).count
}

/** The source's pieces, gathered; stops as soon as the statement has been answered. */
async function feed(
  link: SessionLink,
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  outstanding: Outstanding,
): Promise<void> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    if (bytes === 0) return
    const data = gathered.length === 1 ? (gathered[0] as Uint8Array) : Buffer.concat(gathered, bytes)
    gathered = []
    bytes = 0
    for (let at = 0; at < data.length; at += PIECE_BYTES) {
      const piece = data.length <= PIECE_BYTES ? data : data.subarray(at, at + PIECE_BYTES)
      await outstanding.during(link.request(COPY_DATA, piece))
    }
  }
  for (;;) {
    const { done, value } = await outstanding.during(iterator.next())
    if (done === true) break
    const piece = bytesOf(value)
    gathered.push(piece)
    bytes += piece.length
    if (bytes >= PIECE_BYTES) await flush()
  }
  await flush()
  await outstanding.during(link.request(COPY_DONE, undefined))
  await outstanding.result
}

/** The statement that waits for its data. */
class Outstanding {
  readonly result: Promise<Rows<unknown>>
  /** It was answered before its data had ended, or it failed. */
  failed = false
  serverError: unknown
  #aborted: AbortedError | undefined
  #interrupt: ((error: unknown) => void) | undefined

  constructor(result: Promise<Rows<unknown>>, signal: AbortSignal | undefined) {
    this.result = result
    const onAbort = (): void => {
      this.#aborted = aborted(signal as AbortSignal, 'maybe')
      this.#interrupt?.(this.#aborted)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    result
      .catch((error: unknown) => {
        this.failed = true
        this.serverError = error
        this.#interrupt?.(error)
      })
      .finally(() => signal?.removeEventListener('abort', onAbort))
  }

  /** `step`, or the statement's failure, whichever is first. */
  during<Result>(step: Result | PromiseLike<Result>): Promise<Result> {
    if (this.failed || this.#aborted !== undefined) {
      Promise.resolve(step).catch(() => undefined)
      return Promise.reject(this.failed ? this.serverError : this.#aborted)
    }
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      Promise.resolve(step).then(resolve, reject)
    })
  }
}

function aborted(signal: AbortSignal, sent: 'no' | 'maybe'): AbortedError {
  return new AbortedError('the copy was aborted', { sent, cause: signal.reason })
}

/** The source has failed, or nobody wants it any more: the server undoes what it has had. */
async function giveUp(link: SessionLink, outstanding: Outstanding): Promise<void> {
  await link.request(COPY_FAIL, 'the source of the data failed').catch(() => undefined)
  await outstanding.result.catch(() => undefined)
  // What the server says now is that it was told to fail.
  outstanding.serverError = undefined
}

/**
 * A source that is not read to its end is told, as by a loop. Nobody waits for it: it may be waiting itself, and there
 * is an error already.
 */
function endSource(iterator: AsyncIterator<unknown> | Iterator<unknown>): void {
  Promise.resolve()
    .then(() => iterator.return?.())
    .catch(() => undefined)
}

/** The data of a COPY … TO STDOUT. */
export function copyTo(link: Link, statements: Statements, { text, options }: CopyRequest): CopyStream {
  const execution = copyExecution(statements, text, 'out')
  const call = checkedOptions(options) ?? {}
  return new StreamedCopy(() => link.stream(COPY_OUT, execution, call), execution.statement)
}

class StreamedCopy implements CopyStream {
  readonly #generator: AsyncGenerator<Buffer, void, undefined>
  #stream: ReplyStream | undefined

  constructor(open: () => ReplyStream, statement: Statement) {
    this.#generator = this.#read(open, statement)
  }

  next(): Promise<IteratorResult<Buffer>> {
    return this.#generator.next()
  }

  async return(): Promise<IteratorResult<Buffer>> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async close(): Promise<void> {
    await this.#stream?.close()
    await this.#generator.return()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *#read(open: () => ReplyStream, statement: Statement): AsyncGenerator<Buffer, void, undefined> {
    const pieces = new Pieces()
    const reply = new Reply(statement, false)
    this.#stream = open()
    for await (const piece of this.#stream) {
      const bytes = pieces.take(piece.bytes)
      if (bytes === undefined) continue
      for (let at = 0; at < bytes.length; ) {
        const end = messageEnd(bytes, at, bytes.length)
        if (bytes[at] === Message.CopyData) yield bytes.subarray(at + HEADER_BYTES, end)
        else reply.read(bytes, at, end)
        at = end
      }
    }
    if (pieces.isOpen) throw new RemoteProtocolError('a stream ends inside a message')
    checked(reply)
  }
}

function copyExecution(statements: Statements, text: unknown, direction: 'in' | 'out'): Execution {
  const statement = statements.of(checkedText(text))
  if (statement.analysis.copy !== direction) {
    throw wrong(direction === 'in' ? 'copyFrom() takes one COPY … FROM STDIN' : 'copyTo() takes one COPY … TO STDOUT')
  }
  return { statement, values: NO_VALUES, asArrays: false, prepared: false }
}

function checkedOptions(options: unknown): CopyOptions | undefined {
  if (options === undefined) return undefined
  checkOptions(options, COPY_OPTIONS)
  return options
}

function iteratorOf(source: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  // A string is iterable too, one character at a time.
  if (typeof source === 'string' || source instanceof Uint8Array) return [source][Symbol.iterator]()
  const given = source as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined
  const asynchronous = given?.[Symbol.asyncIterator]?.()
  if (asynchronous !== undefined) return asynchronous
  const synchronous = given?.[Symbol.iterator]?.()
  if (synchronous !== undefined) return synchronous
  throw wrong('the source of a copy is iterable: an array, a generator, a Readable of text or bytes')
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece)
  if (piece instanceof Uint8Array) return piece
  throw wrong('the source of a copy gave something that is neither text nor bytes')
}

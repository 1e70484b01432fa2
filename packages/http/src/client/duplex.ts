/**
 * A connection that is HTTP no longer: after an upgrade (101), or a tunnel (CONNECT).
 *
 * Rules: bytes in and bytes out, in order, cut anywhere; those that came together with the head included. Reading sets
 * the pace of the peer, `write` resolves once the operating system has the bytes. The connection is the caller's alone
 * and ends with it.
 *
 * Limits: there is no half-close: who has ended has ended both ways.
 */
import type { Link, SessionLink } from '@iokernel/core/plugin'
import { RemoteError, RemoteProtocolError } from '@iokernel/core/plugin'
import {
  CALL_OPTIONS,
  checkOptions,
  type Kind,
  must,
  mustBeDuration,
  mustBeSignal,
  wrong,
} from '@iokernel/core/toolkit'
import type { HttpFields } from '../codec/fields.ts'
import { isInterim } from '../codec/reply.ts'
import { RequestHint } from '../codec/request.ts'
import { type FieldsGiven, isToken, pairsOf } from '../codec/template.ts'
import { PIECE_BYTES } from './contents.ts'
import { type HttpCall, TAKE_OVER, UPLOAD_BYTES } from './operations.ts'
import { ReplyReader } from './reply-reader.ts'
import type { Requests } from './request.ts'
import { headFields } from './response.ts'
import { DEADLINE_MS, sessionOptions } from './upload.ts'

export interface HttpDuplex extends AsyncIterable<Buffer>, AsyncDisposable {
  /** Of the reply that handed the connection over. */
  readonly status: number
  readonly headers: HttpFields
  /** Resolves once the operating system has the bytes; several writes leave in their order. */
  write(data: string | Uint8Array): Promise<void>
  /** Ends the connection. Idempotent. */
  close(): Promise<void>
}

export interface TakeOverOptions {
  readonly headers?: FieldsGiven
  /** Ends the connection, whenever it fires. */
  readonly signal?: AbortSignal
  /** Until the connection is handed over. Default 30 000. */
  readonly deadlineMs?: number
  readonly priority?: 'high' | 'normal' | 'low'
}

export interface UpgradeOptions extends TakeOverOptions {
  /** What to speak instead: `websocket`, `websocket/1`. */
  readonly protocol: string
}

const mustBeFields = must(
  (value) => typeof value === 'object' && value !== null,
  'an object, or pairs of name and value',
)

const TAKE_OVER_OPTIONS: Kind<TakeOverOptions> = {
  title: 'option of tunnel()',
  checks: {
    headers: mustBeFields,
    signal: mustBeSignal,
    deadlineMs: mustBeDuration,
    priority: CALL_OPTIONS.checks.priority,
  },
}

const UPGRADE_OPTIONS: Kind<UpgradeOptions> = {
  title: 'option of upgrade()',
  checks: { ...TAKE_OVER_OPTIONS.checks, protocol: must((value) => isProtocol(value), 'a name like websocket') },
}

export async function upgrade(
  link: Link,
  requests: Requests,
  path: string,
  options: UpgradeOptions,
): Promise<HttpDuplex> {
  checkOptions(options, UPGRADE_OPTIONS)
  if (options.protocol === undefined) throw wrong("upgrade() takes the protocol: { protocol: 'websocket' }")
  if (typeof path !== 'string' || !path.startsWith('/')) throw wrong('a path begins with a slash: /chat')
  const call = requests.prepareTakeOver(`GET ${requests.origin}`, path, RequestHint.Upgrade, options.headers, [
    ['connection', 'Upgrade'],
    ['upgrade', options.protocol],
  ])
  return await takeOver(link, call, options, (status, headers) => {
    if (status !== 101) throw refused('UPGRADE_REFUSED', status, 'did not switch protocols')
    const switched = headers.get('upgrade')?.toLowerCase()
    if (switched !== options.protocol.toLowerCase()) {
      throw new RemoteProtocolError('the server switched to another protocol than was asked for')
    }
  })
}

export async function tunnel(
  link: Link,
  requests: Requests,
  authority: string,
  options: TakeOverOptions = {},
): Promise<HttpDuplex> {
  checkOptions(options, TAKE_OVER_OPTIONS)
  if (typeof authority !== 'string' || !AUTHORITY.test(authority)) {
    throw wrong('a tunnel leads to host:port, IPv6 in brackets')
  }
  const given = options.headers === undefined ? [] : pairsOf(options.headers)
  const headers: FieldsGiven = [...given.filter(([name]) => name.toLowerCase() !== 'host'), ['host', authority]]
  const call = requests.prepareTakeOver('CONNECT ', authority, RequestHint.Connect, headers, [])
  return await takeOver(link, call, options, (status) => {
    if (status < 200 || status > 299) throw refused('TUNNEL_REFUSED', status, 'did not open the tunnel')
  })
}

async function takeOver(
  link: Link,
  call: HttpCall,
  options: TakeOverOptions,
  check: (status: number, headers: HttpFields) => void,
): Promise<HttpDuplex> {
  const session = await link.session(sessionOptions(options))
  const reader = new ReplyReader(session.stream(TAKE_OVER, call, { ...sessionOptions(options), deadlineMs: 0 }))
  reader.onClosed(() => session.close())
  reader.limitWaits(options.deadlineMs ?? DEADLINE_MS)
  try {
    let { status, head } = await reader.head()
    while (isInterim(status)) ({ status, head } = await reader.head())
    const headers = headFields(head)
    check(status, headers)
    // What is spoken now may be silent for hours.
    reader.limitWaits(0)
    return new TakenOver(session, reader, status, headers)
  } catch (error) {
    await reader.close()
    throw error
  }
}

/** Closes what nobody can use any more. */
const forgotten = new FinalizationRegistry<ReplyReader>((reader) => {
  reader.close().catch(() => undefined)
})

class TakenOver implements HttpDuplex {
  readonly status: number
  readonly headers: HttpFields
  readonly #session: SessionLink
  readonly #reader: ReplyReader
  /** The last write: the next one stands behind it, and fails if it did. */
  #written: Promise<void> = Promise.resolve()

  constructor(session: SessionLink, reader: ReplyReader, status: number, headers: HttpFields) {
    this.#session = session
    this.#reader = reader
    this.status = status
    this.headers = headers
    forgotten.register(this, reader, this)
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    if (!(bytes instanceof Uint8Array)) throw wrong('write() takes text or bytes')
    const written = this.#written.then(() => this.#send(bytes))
    this.#written = written
    try {
      await written
    } catch (error) {
      // Nothing may follow a hole.
      await this.close()
      throw error
    }
  }

  /** Leaving the loop early ends the connection. */
  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    try {
      for (let data = await this.#reader.next(); data !== undefined; data = await this.#reader.next()) yield data
    } finally {
      await this.close()
    }
  }

  async close(): Promise<void> {
    forgotten.unregister(this)
    await this.#reader.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A piece at a time: what waits for a slow peer is the caller's, and takes nobody's place in the kernel. */
  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      await this.#session.request(UPLOAD_BYTES, bytes.subarray(at, at + PIECE_BYTES), { deadlineMs: 0 })
    }
  }
}

function refused(code: string, status: number, what: string): RemoteError {
  return new RemoteError(code, `the server ${what}: it answered ${status}`, { fields: { status } })
}

function isProtocol(value: unknown): boolean {
  return typeof value === 'string' && value.split('/').length <= 2 && value.split('/').every(isToken)
}

const AUTHORITY = /^([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/

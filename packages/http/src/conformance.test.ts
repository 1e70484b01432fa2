/** HTTP against the kit that every protocol plugin must pass. */
import { conformance, type Expected, type Fixture, type Subject, sample, type Transcript } from '@iokernel/conformance'
import { FrameFlag, type Operation, type Protocol, RemoteError, type Verdict } from '@iokernel/core/plugin'
import { describe, test } from 'vitest'
import { WRONG_CHUNKS, WRONG_FIELDS } from '../fixtures/heads.ts'
import { OK, REPLIES } from '../fixtures/replies.ts'
import { REQUESTS, WRONG_REQUESTS } from '../fixtures/requests.ts'
import { type HttpCall, type HttpOperation, UPLOAD_CHUNK } from './client/operations.ts'
import { Requests } from './client/request.ts'
import type { HttpResponse } from './client/response.ts'
import { RequestHint } from './codec/request.ts'
import { http } from './index.ts'
import io, { type HttpIo } from './io.ts'
import { resolve } from './resolve.ts'

const { Request, Upload, UploadPart, UploadEnd } = RequestHint
const PLAIN = resolve({ origin: 'http://a', pipelining: 16, probe: '/healthz' }).io
const TUNNEL = resolve({ origin: 'https://a', proxy: 'http://app:hunter2@proxy:3128' }).io

/** What the kit calls them. */
const FLAGS: { readonly [kind: string]: number } = {
  reply: 0,
  error: FrameFlag.Error,
  'reply+close': FrameFlag.Close | FrameFlag.Unread,
  'error+close': FrameFlag.Error | FrameFlag.Close | FrameFlag.Unread,
}

const replies: Fixture<HttpIo>[] = REPLIES.map(({ name, bytes, hints, ended = false, seen }) => ({
  name,
  bytes,
  requests: hints,
  ended,
  expected: seen.map(([kind, reply]): Expected => ({ reply, flags: FLAGS[kind] ?? 0 })),
}))

const requests: Fixture<HttpIo>[] = REQUESTS.map(({ name, bytes, ended = false, seen }) => ({
  name: `a client's: ${name}`,
  side: 'server',
  bytes,
  ended,
  expected: seen.map(([, request]): Expected => ({ request })),
}))

const verdict = (status: number, more: string, is: Verdict, flags: number): Fixture<HttpIo> => {
  const reply = `HTTP/1.1 ${status} Oh\r\n${more}Content-Length: 2\r\n\r\nno`
  return {
    name: `the verdict on ${status}`,
    bytes: reply,
    requests: [Request],
    expected: [{ reply, flags, verdict: is }],
  }
}

const connect = 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nProxy-Authorization: Basic YXBwOmh1bnRlcjI=\r\n\r\n'
const tunnel = (name: string, sends: string, ends: Transcript<HttpIo>['ends']): Transcript<HttpIo> => ({
  name,
  options: TUNNEL,
  peer: [{ receives: connect }, { sends }, ...('result' in ends ? [{ upgrades: '' }] : [])],
  ends,
})

const probing = (name: string, sends: string, ends: Transcript<HttpIo>['ends']): Transcript<HttpIo> => ({
  name,
  script: 'probe',
  purpose: 'monitor',
  peer: [{ receives: 'HEAD /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n' }, { sends }],
  ends,
})

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const prepared = (method: string, body?: string) =>
  new Requests(resolve('http://a').app).prepare(method, '/p?q', body === undefined ? undefined : { body })
const GET = prepared('GET')
const POST = prepared('POST', 'hello')

const subject: Subject<HttpIo> = {
  root: new URL('../', import.meta.url),
  protocol: http as unknown as Protocol<never, HttpIo, never, unknown>,
  io,
  options: PLAIN,
  targets: ['http://a', 'http://b', 'https://a', 'http://a:81', 'http+unix:///run/a.sock'],
  badTargets: ['ftp://a', 'http://', 'http://a:0', 'http://a:99999', 'http://a/\r\nX: y', '', 'a'],
  secrets: ['YXBwOmh1bnRlcjI='],
  fixtures: [
    ...replies,
    ...requests,
    verdict(500, '', 'call', FrameFlag.Error),
    verdict(503, '', 'overloaded', FrameFlag.Error),
    verdict(429, '', 'overloaded', FrameFlag.Error),
    verdict(408, 'Connection: close\r\n', 'not-executed', FrameFlag.Error | FrameFlag.Close | FrameFlag.Unread),
    {
      name: 'a reply that comes before the end of the upload',
      purpose: 'session',
      bytes: OK,
      requests: [
        { hint: Request | Upload, payload: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' },
        { hint: UploadPart, payload: '1\r\nx\r\n', silent: true },
      ],
      expected: [{ reply: OK, flags: FrameFlag.Close | FrameFlag.Unread }],
    },
    {
      name: 'a reply that comes behind the upload',
      purpose: 'session',
      bytes: `HTTP/1.1 100 Continue\r\n\r\n${OK}`,
      requests: [
        { hint: Request | Upload, payload: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' },
        { hint: UploadEnd, payload: '0\r\n\r\n', silent: true },
      ],
      expected: [{ reply: `HTTP/1.1 100 Continue\r\n\r\n${OK}` }],
    },
  ],
  hostile: [
    ...WRONG_FIELDS.map(([name, fields]) => ({
      name,
      bytes: `HTTP/1.1 200 OK\r\n${fields}hello`,
      requests: [Request],
    })),
    ...WRONG_CHUNKS.map(([name, body]) => ({ name: `chunks: ${name}`, bytes: CHUNKED + body, requests: [Request] })),
    ...WRONG_REQUESTS.map(([name, bytes]) => ({ name: `a client's: ${name}`, side: 'server' as const, bytes })),
    { name: 'a reply to no request', bytes: OK },
    { name: 'what a server says before it closes', bytes: 'HTTP/1.1 408 Request Timeout\r\n\r\n' },
    {
      name: 'a body behind a 304',
      bytes: 'HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello',
      requests: [Request, Request],
    },
    { name: '101 that nobody asked for', bytes: 'HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n', requests: [Request] },
    { name: 'the end inside a head', bytes: 'HTTP/1.1 200 OK\r\nX', requests: [Request], ended: true },
    {
      name: 'the end inside a body',
      bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx',
      requests: [Request],
      ended: true,
    },
    { name: 'the end inside a chunk', bytes: `${CHUNKED}9\r\nx`, requests: [Request], ended: true },
    { name: 'the end before the last chunk', bytes: `${CHUNKED}1\r\nx\r\n`, requests: [Request], ended: true },
  ],
  large: [
    {
      name: 'a body of a length',
      make: (bytes) => ({
        name: 'a body of a length',
        bytes: `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`,
        requests: [Request],
      }),
    },
    {
      name: 'a chunk',
      make: (bytes) => ({
        name: 'a chunk',
        bytes: `${CHUNKED}${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`,
        requests: [Request],
      }),
    },
    {
      name: 'many chunks',
      make: (bytes) => ({
        name: 'many chunks',
        bytes: `${CHUNKED}${'4\r\nabcd\r\n'.repeat(Math.max(1, Math.floor(bytes / 9)))}0\r\n\r\n`,
        requests: [Request],
      }),
    },
  ],
  transcripts: [
    { name: 'no proxy', peer: [], ends: { result: { via: 'direct' } } },
    {
      name: 'a proxy that is given whole URLs',
      options: resolve({ origin: 'http://a', proxy: 'http://proxy:3128' }).io,
      peer: [],
      ends: { result: { via: 'proxy' } },
    },
    tunnel('a tunnel', 'HTTP/1.1 200 Connection established\r\n\r\n', { result: { via: 'tunnel' } }),
    tunnel('a tunnel that needs a password', 'HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n', {
      code: 'PROXY_407',
      refused: true,
    }),
    tunnel('a tunnel to nowhere', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', { code: 'PROXY_502', refused: false }),
    tunnel('a proxy that is none', 'SSH-2.0-x\r\n', { code: 'PROTOCOL' }),
    {
      name: 'a reset of what is not at its end',
      script: 'reset',
      options: TUNNEL,
      purpose: 'session',
      after: {
        ...tunnel('a tunnel that is refused', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', { code: 'PROXY_502' }),
        purpose: 'session',
      },
      peer: [],
      ends: { code: 'NOT_CLEAN' },
    },
    probing('a probe', 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n', { result: { status: 204 } }),
    probing('a probe that finds nothing there', 'HTTP/1.0 404 Not Found\r\n\r\n', { result: { status: 404 } }),
    probing('a probe of a server that is ill', 'HTTP/1.1 503 Ill\r\nContent-Length: 3\r\n\r\n', { code: 'STATUS_503' }),
    { name: 'a reset', script: 'reset', purpose: 'session', peer: [], ends: { result: undefined } },
  ],
  samples: [
    sample({
      operation: telling(GET.operation, ({ status }) => status),
      args: GET.call,
      reply: OK,
      facts: { via: 'direct' },
      gives: { value: 200 },
      request: 'GET /p?q HTTP/1.1\r\nhost: a\r\n\r\n',
    }),
    sample({
      operation: telling(GET.operation, found),
      args: GET.call,
      reply: 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
      facts: { via: 'direct' },
      gives: { code: 'STATUS_404' },
    }),
    sample({
      operation: telling(POST.operation, ({ statusText }) => statusText),
      args: POST.call,
      reply: `HTTP/1.1 103 E\r\n\r\n${CHUNKED}2\r\nok\r\n0\r\n\r\n`,
      facts: { via: 'direct' },
      gives: { value: 'OK' },
      request: 'POST /p?q HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello',
    }),
    sample({
      operation: UPLOAD_CHUNK,
      args: Buffer.from('ok'),
      reply: '',
      facts: { via: 'direct' },
      gives: { value: undefined },
      request: '2\r\nok\r\n',
    }),
  ],
}

conformance({ describe, test }, subject)

/** The operation, as one that gives what can be compared. */
function telling<Value>(
  { name, access, on, idempotent, encode, decode }: HttpOperation,
  told: (response: HttpResponse) => Value,
): Operation<HttpCall, Value> {
  return { name, access, on, idempotent, encode, decode: (reply, args, facts) => told(decode(reply, args, facts)) }
}

/** A status is an answer and no error of this protocol's: the kit wants one, and this is how callers make theirs. */
function found({ status }: HttpResponse): number {
  if (status >= 400) throw new RemoteError(`STATUS_${status}`, 'the server has no such thing')
  return status
}

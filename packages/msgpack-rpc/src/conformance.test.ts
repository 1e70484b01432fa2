/** msgpack-rpc against the kit that every protocol plugin must pass. */
import { conformance, type Fixture, type Subject, sample, type Transcript } from '@iokernel/conformance'
import type { Protocol } from '@iokernel/core/plugin'
import { describe, test } from 'vitest'
import { ENCODINGS } from '../fixtures/encodings.ts'
import { bytes, failure, notification, request, result } from '../fixtures/messages.ts'
import { Methods } from './client/methods.ts'
import { valueCodec } from './codec/values.ts'
import { msgpackRpc } from './index.ts'
import io, { type RpcIo } from './io.ts'
import { resolve } from './resolve.ts'

const TOKEN = 'correct-horse'
const HOST = { host: 'rpc.internal', port: 6666 }
const PLAIN = resolve(HOST).io
const GREETED = resolve({ ...HOST, greeting: { method: 'login', params: [TOKEN] } }).io
const PROBED = resolve({ ...HOST, probe: { method: 'ping' } }).io

const CALL = { hint: 1, payload: request(0, 'add', 1, 2) } as const
const REFUSED = 'nobody takes this request: there is no such method, or its handlers do not keep up'
const LONG = 'x'.repeat(5_000)

/** A call as the client makes it: the id has five bytes. */
function call(id: number, method: string, ...params: readonly unknown[]): Buffer {
  const short = request(0, method, ...params)
  return bytes('94 00 ce', Buffer.from([0, 0, 0, id]), short.subarray(3))
}

const fixtures: readonly Fixture<RpcIo>[] = [
  { name: 'an answer', bytes: result(1, 'value'), requests: [CALL], expected: [{ reply: result(1, 'value') }] },
  {
    name: 'answers out of order, one an error',
    bytes: bytes(result(3, 3), failure(1, [0, 'no']), result(2, null)),
    requests: [CALL, CALL, CALL],
    expected: [
      { reply: result(3, 3), call: 2 },
      { reply: failure(1, [0, 'no']), call: 0, flags: 4 },
      { reply: result(2, null), call: 1 },
    ],
  },
  {
    name: 'answers to nobody, one of them twice',
    bytes: bytes(result(0xffff_fff0, 'late'), result(1, 'mine'), result(1, 'again')),
    requests: [CALL],
    // Nothing may follow on the same connection: the kit would give the second answer to the next call.
    ended: true,
    expected: [{ reply: result(1, 'mine') }],
  },
  {
    name: 'an answer between notifications of ours',
    bytes: result(1, 'mine'),
    requests: [{ hint: 0, payload: notification('n'), silent: true }, CALL],
    expected: [{ reply: result(1, 'mine') }],
  },
  {
    name: 'a notification and requests before an answer',
    bytes: bytes(notification('news', 1), request(0, 'ask'), request(0xffff_ffff, 'ask', LONG), result(1, LONG)),
    requests: [CALL],
    expected: [
      { push: notification('news', 1), route: { key: 'n:news', kind: 'message' } },
      { request: request(0, 'ask'), route: { key: 'r:ask', kind: 'message' }, refused: failure(0, REFUSED) },
      { request: request(0xffff_ffff, 'ask', LONG), refused: failure(0xffff_ffff, REFUSED) },
      { reply: result(1, LONG) },
    ],
  },
  {
    name: 'heads in their longest forms',
    bytes: bytes(
      'dd 00000004 cf 0000000000000001 cf 0000000000000001 c0 dd 00000000',
      'dd 00000003 cf 0000000000000002 db 00000001 6e dd 00000000',
      'dd 00000004 cf 0000000000000000 d3 0000000000000105 c6 00000001 6d dc 0000',
    ),
    requests: [CALL],
    expected: [
      { reply: bytes('dd 00000004 cf 0000000000000001 cf 0000000000000001 c0 dd 00000000') },
      {
        push: bytes('dd 00000003 cf 0000000000000002 db 00000001 6e dd 00000000'),
        route: { key: 'n:n', kind: 'message' },
      },
      {
        request: bytes('dd 00000004 cf 0000000000000000 d3 0000000000000105 c6 00000001 6d dc 0000'),
        route: { key: 'r:m', kind: 'message' },
        refused: failure(0x105, REFUSED),
      },
    ],
  },
  {
    name: 'every encoding of every value',
    bytes: bytes('94 01 01 c0 dc 00 e9', ...ENCODINGS.map(({ bytes: value }) => value)),
    requests: [CALL],
  },
  {
    name: 'requests and notifications, on the side that is dialled',
    side: 'server',
    bytes: bytes(request(1, 'add', 1, 2), notification('n'), call(2, 'größe', LONG)),
    expected: [
      { request: request(1, 'add', 1, 2), route: { key: 'r:add', kind: 'message' }, refused: failure(1, REFUSED) },
      { push: notification('n'), route: { key: 'n:n', kind: 'message' } },
      {
        request: call(2, 'größe', LONG),
        route: { key: `r:${Buffer.from('größe').toString('latin1')}`, kind: 'message' },
        refused: failure(2, REFUSED),
      },
    ],
  },
  {
    name: 'answers to what a server asks of its client',
    side: 'server',
    bytes: bytes(request(1, 'add'), result(2, 'two'), failure(1, 'one')),
    requests: [CALL, CALL],
    expected: [
      { request: request(1, 'add'), refused: failure(1, REFUSED) },
      { reply: result(2, 'two'), call: 1 },
      { reply: failure(1, 'one'), call: 0, flags: 4 },
    ],
  },
]

const greeting: Transcript<RpcIo> = {
  name: 'a greeting',
  options: GREETED,
  peer: [{ receives: call(0, 'login', TOKEN) }, { sends: result(0, 'welcome') }],
  ends: { result: undefined },
}

const transcripts: readonly Transcript<RpcIo>[] = [
  greeting,
  { name: 'no greeting', options: PLAIN, peer: [], ends: { result: undefined } },
  {
    name: 'a greeting that is refused',
    options: GREETED,
    peer: [{ receives: call(0, 'login', TOKEN) }, { sends: failure(0, `no entry with ${TOKEN}`) }],
    ends: { code: 'GREETING_REFUSED', refused: true },
  },
  {
    name: 'a greeting that is answered by something else',
    options: GREETED,
    peer: [{ receives: call(0, 'login', TOKEN) }, { sends: result(1, 'welcome') }],
    ends: { code: 'PROTOCOL' },
  },
  {
    name: 'a notification before the answer to the greeting',
    options: GREETED,
    peer: [{ receives: call(0, 'login', TOKEN) }, { sends: bytes(notification('hello'), result(0, null)) }],
    ends: { result: undefined },
  },
]

const codec = valueCodec()
const methods = new Methods(codec)
const add = methods.call('add')

const subject: Subject<RpcIo> = {
  root: new URL('../', import.meta.url),
  protocol: msgpackRpc as unknown as Protocol<never, RpcIo, never, unknown>,
  io,
  options: PLAIN,
  targets: [
    'msgpack-rpc://a:6666',
    'msgpack-rpc://a:6667',
    'msgpack-rpc://b:6666',
    'msgpack-rpc://a:6666,b:6666',
    'msgpack-rpcs://a:6666',
    'msgpack-rpc:///run/user/nvim.sock',
    'msgpack-rpc+zk://a',
  ],
  badTargets: ['http://a:1', 'msgpack-rpc://a', 'msgpack-rpc://a:0', 'msgpack-rpc://a:1/x', 'msgpack-rpc://u@a:1', ''],
  secrets: [TOKEN],
  fixtures,
  hostile: [
    ['type 7', '94 07'],
    ['what is no array', 'c0'],
    ['c1', '94 01 01 c0 c1'],
    ['a response of three', '93 01'],
    ['4 thousand million elements', '94 01 01 c0 dd ffffffff'],
    ['bytes of 4 GB', '94 01 01 c0 c6 ffffffff'],
    ['100 000 arrays in one another', `94 01 01 c0 ${'91'.repeat(100_000)}`],
    ['a method that is a number', '93 02 05'],
    ['params that are a map', '94 00 05 a1 6d 80'],
    ['an id of 33 bits', '94 01 cf 0000000100000000'],
  ]
    .map(([name, hex]) => ({ name: name as string, bytes: bytes(hex as string), requests: [CALL] }))
    .concat([
      {
        name: 'the end inside a message',
        bytes: result(1, 'half').subarray(0, 5),
        requests: [CALL],
        ...{ ended: true },
      },
    ]),
  large: [
    ['a response', (text: string) => result(1, text)],
    [
      'a response of many values',
      (text: string) =>
        result(
          1,
          [...text].map((_, index) => index & 127),
        ),
    ],
    ['an error', (text: string) => failure(1, text)],
    [
      'a notification',
      (text: string) =>
        notification(
          'n',
          [...text].map((_, index) => index & 127),
        ),
    ],
    ['a request', (text: string) => request(1, 'm', text)],
  ].map(([name, make]) => ({
    name: name as string,
    make: (bytesTotal: number) => ({
      name: name as string,
      bytes: (make as (text: string) => Buffer)('x'.repeat(bytesTotal - 20)),
      requests: [CALL],
    }),
  })),
  transcripts,
  samples: [
    sample({
      operation: add,
      args: [1, 2],
      request: bytes('94 00 ce 00000000 a3 616464 92 01 02'),
      reply: result(1, 3),
      facts: undefined,
      gives: { value: 3 },
    }),
    sample({
      operation: methods.call('größe'),
      args: [{ text: 'smørrebrød', bytes: new Uint8Array([255]), big: 2n ** 63n }],
      reply: bytes('94 01 01 c0 83 a1 61 c4 01 ff a1 62 cf 8000000000000000 a1 63 a2 c3bc'),
      facts: undefined,
      gives: { value: { a: new Uint8Array([255]), b: 2n ** 63n, c: 'ü' } },
    }),
    sample({ operation: add, args: [], reply: failure(1, 'no'), facts: undefined, gives: { code: 'CALL_FAILED' } }),
    sample({
      operation: add,
      args: [],
      reply: bytes('94 01 01 c0 a1 ff'),
      facts: undefined,
      gives: { code: 'PROTOCOL' },
    }),
    sample({
      operation: methods.notification('news'),
      args: ['x'],
      request: notification('news', 'x'),
      reply: '',
      facts: undefined,
      gives: { value: undefined },
    }),
  ],
}

conformance({ describe, test }, subject)

/** The same with a probe, which only some targets have: what the kit has to say about scripts. */
const probed = { options: PROBED, purpose: 'monitor', script: 'probe' } as const
const ping = call(0, 'ping')
conformance(
  { describe: (name, body) => describe(`with a probe: ${name}`, body), test },
  {
    ...subject,
    options: PROBED,
    secrets: [],
    transcripts: [
      { name: 'no greeting', options: PROBED, peer: [], ends: { result: undefined } },
      {
        name: 'a greeting that fails',
        options: GREETED,
        peer: [{ receives: call(0, 'login', TOKEN) }, { sends: failure(0, 'no') }],
        ends: { code: 'GREETING_REFUSED', refused: true },
      },
      {
        ...probed,
        name: 'a probe',
        peer: [{ receives: ping }, { sends: result(0, 'pong') }],
        ends: { result: { failed: false } },
      },
      {
        ...probed,
        name: 'a probe of a peer that does not know it',
        peer: [{ receives: ping }, { sends: failure(0, 'what?') }],
        ends: { result: { failed: true } },
      },
      {
        ...probed,
        name: 'a probe that is answered by something else',
        peer: [{ receives: ping }, { sends: request(0, 'ping') }, { sends: result(7, 'pong') }],
        ends: { code: 'PROTOCOL' },
      },
    ],
  },
)

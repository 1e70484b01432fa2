/** Postgres against the kit that every protocol plugin must pass. */
import {
  conformance,
  type Fixture,
  type LargeFrame,
  type Subject,
  sample,
  type Transcript,
} from '@iokernel/conformance'
import type { Protocol } from '@iokernel/core/plugin'
import { describe, test } from 'vitest'
import { CAPTURES, capture } from '../fixtures/captures.ts'
import {
  AUTHENTICATED,
  error,
  fatal,
  message,
  parameter,
  query,
  READY,
  row,
  u16,
  u32,
  utf8,
} from '../fixtures/messages.ts'
import { FACTS, greeted, PARAMETERS, PASSWORD, SECRET, TRANSCRIPTS } from '../fixtures/transcripts.ts'
import { type Execution, QUERY_READ, QUERY_SESSION, SIMPLE_WRITE } from './client/operations.ts'
import { RequestKind } from './codec/request.ts'
import { Rows } from './codec/rows.ts'
import { Statement } from './codec/statement.ts'
import { postgres } from './index.ts'
import io, { type PostgresIo } from './io.ts'
import { analyzer } from './sql/analysis.ts'

const { Plain, CopyIn } = RequestKind
const LAST = ['terminated in the middle of a pipeline', 'terminated while idle']
const fixtures: readonly Fixture<PostgresIo>[] = CAPTURES.filter(
  ({ name, bytes }) => !LAST.includes(name) && bytes.endsWith('I') && !name.startsWith('COPY FROM STDIN where'),
).map(({ name, bytes, kinds }) => ({ name, bytes, requests: kinds, after: greeted }))

const FINAL_ERROR_CLOSE = 12
const listening: Transcript<PostgresIo> = { ...greeted, purpose: 'push' }
const notification = (channel: string, payload: string) => message('A', 93, `${channel}\0${payload}\0`)
const NEWS = notification(utf8('grün'), 'hello')

/** A prepared request: hash, statement, values of none. */
const prepared = { hint: RequestKind.Prepared, payload: `${u32(5)}${u32(11)}SELECT 1\0\0\0\0\0\0\0\0\0` }
const STALE = `${error('26000')}${READY}`
const REVALIDATED = `${error('0A000', 'ERROR', 'x', 'RevalidateCachedQuery')}${READY}`

const more: readonly Fixture<PostgresIo>[] = [
  {
    name: 'a notification in the middle of a reply, and between two',
    after: greeted,
    requests: [Plain, Plain],
    bytes: `${row('1')}${NEWS}${row('2')}${READY}${NEWS}${READY}`,
    expected: [{ push: NEWS }, { reply: `${row('1')}${row('2')}${READY}` }, { push: NEWS }, { reply: READY }],
  },
  {
    name: 'what may come while nobody waits',
    after: greeted,
    bytes: `${message('N', 'SNOTICE\0\0')}${parameter('TimeZone', PARAMETERS['TimeZone'] as string)}${NEWS}`,
    expected: [{ push: NEWS }],
  },
  {
    name: 'a parameter that a request changes makes the connection dirty',
    after: greeted,
    requests: [Plain, Plain, Plain],
    bytes:
      `${parameter('TimeZone', 'Asia/Tokyo')}${READY}${READY}` +
      `${parameter('TimeZone', PARAMETERS['TimeZone'] as string)}${READY}`,
    expected: [{ reply: READY, flags: 64 }, { reply: READY }, { reply: READY, flags: 64 }],
  },
  {
    name: 'a parameter that a request sets back, and what the server is, do not',
    after: greeted,
    requests: [Plain],
    bytes:
      parameter('TimeZone', 'Asia/Tokyo') +
      parameter('TimeZone', PARAMETERS['TimeZone'] as string) +
      parameter('in_hot_standby', 'on') +
      READY,
    expected: [{ reply: READY }],
  },
  {
    name: 'a transaction that is left open makes the connection dirty',
    after: greeted,
    requests: [Plain, Plain],
    bytes: `${message('Z', 'T')}${message('Z', 'E')}`,
    expected: [
      { reply: message('Z', 'T'), flags: 64 },
      { reply: message('Z', 'E'), flags: 64 },
    ],
  },
  {
    name: 'two errors for one request',
    after: greeted,
    requests: [Plain, Plain],
    bytes: `${error('42601')}${error('25P02')}${READY}${READY}`,
    expected: [{ reply: `${error('42601')}${error('25P02')}${READY}` }, { reply: READY }],
  },
  {
    name: 'a request ends with the connection',
    after: greeted,
    requests: [Plain, Plain],
    bytes: `${row('1')}${fatal('57P01')}`,
    expected: [{ reply: `${row('1')}${fatal('57P01')}`, flags: FINAL_ERROR_CLOSE, verdict: 'retire' }],
  },
  {
    name: 'terminated in the middle of a pipeline',
    after: greeted,
    requests: [Plain, Plain, Plain],
    bytes: capture('terminated in the middle of a pipeline').bytes,
    expected: endOfPipeline(capture('terminated in the middle of a pipeline').bytes),
  },
  {
    name: 'COPY FROM STDIN where nobody is in for it',
    after: greeted,
    requests: [Plain, Plain],
    bytes: capture('COPY FROM STDIN where nobody is in for it').bytes,
    expected: [
      {
        reply: throughCopyIn(capture('COPY FROM STDIN where nobody is in for it').bytes),
        flags: FINAL_ERROR_CLOSE,
        verdict: 'call',
      },
    ],
  },
  {
    name: 'COPY FROM STDIN where it is expected',
    after: greeted,
    requests: [CopyIn],
    bytes: capture('COPY FROM STDIN').bytes,
    expected: [{ reply: capture('COPY FROM STDIN').bytes }],
  },
  {
    name: 'prepared statements, one after another',
    after: greeted,
    requests: [prepared, prepared, prepared],
    bytes: `${message('1')}${message('2')}${message('n')}${message('C', 'SET\0')}${READY}${STALE}${REVALIDATED}`,
  },
  {
    name: 'a push connection',
    purpose: 'push',
    after: listening,
    keys: ['grün', 'no"quotes', 'x'.repeat(64)],
    bytes: [
      `${message('C', 'LISTEN\0')}${READY}`,
      NEWS,
      `${error('25006')}${READY}`,
      `${message('N', 'SNOTICE\0\0')}${error('42601')}${error('42601')}${READY}`,
    ].join(''),
    expected: [
      { stray: READY, flags: 0 },
      { push: NEWS, route: { key: 'grün', kind: 'message' } },
      { stray: error('25006'), flags: 4 },
      { stray: error('42601'), flags: 4 },
    ],
  },
]

const large: readonly LargeFrame<PostgresIo>[] = [
  ['a row', (bytes: number) => row('x'.repeat(bytes)) + READY],
  ['many rows', (bytes: number) => row('four').repeat(Math.ceil(bytes / 15)) + READY],
  ['a row of COPY', (bytes: number) => message('d', 'x'.repeat(bytes)) + READY],
  ['an error', (bytes: number) => error('22P02', 'ERROR', 'x'.repeat(bytes)) + READY],
  ['a notice', (bytes: number) => message('N', `SNOTICE\0M${'x'.repeat(bytes)}\0\0`) + READY],
].map(([name, make]) => ({
  name: name as string,
  make: (bytes: number) => ({
    name: name as string,
    after: greeted,
    requests: [Plain],
    bytes: (make as (bytes: number) => string)(bytes),
  }),
}))

/** RowDescription of `t text, i int4`. */
const DESCRIBED = message(
  'T',
  u16(2),
  `t\0${u32(0)}${u16(0)}${u32(25)}${u16(-1)}${u32(-1)}${u16(0)}`,
  `i\0${u32(0)}${u16(0)}${u32(23)}${u16(4)}${u32(-1)}${u16(0)}`,
)
const PREPARED_REPLY = message('1') + message('2')

const subject: Subject<PostgresIo> = {
  root: new URL('../', import.meta.url),
  protocol: postgres as unknown as Protocol<never, PostgresIo, never, unknown>,
  io,
  options: SECRET,
  targets: [
    'postgres://app@a/x',
    'postgres://app@b/x',
    'postgres://app@a/y',
    'postgres://other@a/x',
    'postgres://app@a,b/x',
    'postgres://app@a/x?sslmode=verify-full',
    'postgres://app@a/x?sslmode=require&sslnegotiation=direct',
    `postgres://app:${PASSWORD}@a/x`,
    'postgres://app@%2Frun%2Fpostgresql/x',
    'postgres+zk://app@a/x',
    'postgresql://app@a/x?target_session_attrs=primary',
  ],
  badTargets: [
    'http://a',
    'postgres://a:0',
    `postgres://app:${PASSWORD}@a:x`,
    'postgres://a?x=1',
    'postgres://a?sslmode=maybe',
    'postgres://a?connect_timeout=soon',
    'postgres://a,b/x?port=1,2,3',
    '',
  ],
  secrets: [PASSWORD],
  fixtures: [...fixtures, ...more],
  hostile: [
    ...(
      [
        ['a length of 0', 'Z\0\0\0\0I'],
        ['a length of 3', `D${u32(3)}`],
        ['a length of four billion', `D${u32(0xffff_ffff)}`],
        ['a ReadyForQuery of 40 000 bytes', `Z${u32(40_000)}`],
        ['a CommandComplete of 40 000 bytes', `C${u32(40_000)}`],
        ['an unknown type', `${message('?')}`],
        ['a NUL in place of a type', '\0\0\0\0\x04'],
        ['HTTP', 'HTTP/1.1 400 Bad Request\r\n'],
        ['a ReadyForQuery without a status', message('Z')],
        ['a status that is none', message('Z', 'X')],
        ['a second BackendKeyData', message('K', 1, 2)],
        ['authentication in the middle of life', AUTHENTICATED],
        ['a version that is negotiated again', message('v', 0x3_0000, 0)],
        ['replication', message('W', '\0\0\0')],
        ['a ParameterStatus of one text', message('S', 'TimeZone\0')],
        ['a ParameterStatus of three texts', message('S', 'a\0b\0c\0')],
      ] as const
    ).map(([name, bytes]) => ({ name, bytes, requests: [Plain], after: greeted })),
    { name: 'a reply to no request', bytes: READY, after: greeted },
    { name: 'rows to no request', bytes: row('1'), after: greeted },
    { name: 'the beginning of a row to no request', bytes: `D${u32(1000)}`, after: greeted },
    { name: 'an error to no request', bytes: error('42601'), after: greeted },
    { name: 'the end inside a message', bytes: `D${u32(1000)}`, requests: [Plain], after: greeted, ended: true },
    { name: 'terminated while idle', bytes: capture('terminated while idle').bytes, after: greeted, code: '57P01' },
    { name: 'a reply that no LISTEN asked for', bytes: READY, purpose: 'push', after: listening },
  ],
  large,
  transcripts: TRANSCRIPTS,
  samples: [
    sample({
      operation: QUERY_READ,
      args: execution('SELECT $1::text AS t, $2::int4 AS i', ['grün', 7]),
      reply: `${PREPARED_REPLY}${DESCRIBED}${row(utf8('grün'), '7')}${message('C', 'SELECT 1\0')}${READY}`,
      facts: FACTS,
      gives: { value: Rows.of<unknown>({ t: 'grün', i: 7 }) },
    }),
    sample({
      operation: QUERY_SESSION,
      args: { ...execution('SELECT $1::text AS t, 7 AS i', ['x']), asArrays: true, prepared: false },
      reply: `${PREPARED_REPLY}${DESCRIBED}${row('x', '7')}${message('C', 'SELECT 1\0')}${READY}`,
      facts: FACTS,
      gives: { value: Rows.of<unknown>(['x', 7]) },
    }),
    sample({
      operation: SIMPLE_WRITE,
      args: execution('SELECT 1; SELECT 2', []),
      reply: `${DESCRIBED}${row('a', '1')}${message('C', 'SELECT 1\0')}${message('I')}${READY}`,
      facts: FACTS,
      gives: { value: [Rows.of<unknown>({ t: 'a', i: 1 }), Rows.of<unknown>()] },
      request: query('SELECT 1; SELECT 2'),
    }),
    sample({
      operation: QUERY_READ,
      args: execution('SELECT 1/0', []),
      reply: `${message('1')}${error('22012')}${READY}`,
      facts: FACTS,
      gives: { code: '22012' },
    }),
  ],
}

conformance({ describe, test }, subject)

function endOfPipeline(bytes: string): Fixture['expected'] & object {
  const first = bytes.indexOf(READY) + READY.length
  return [{ reply: bytes.slice(0, first) }, { reply: bytes.slice(first), flags: FINAL_ERROR_CLOSE, verdict: 'retire' }]
}

function execution(text: string, values: readonly unknown[]): Execution {
  const statement = new Statement(text, analyzer([])(text), undefined)
  return { statement, values, asArrays: false, prepared: true }
}

/** Up to the end of CopyInResponse: a type, a length of 9 and 5 bytes behind it. */
function throughCopyIn(bytes: string): string {
  return bytes.slice(0, bytes.indexOf('G\0\0\0\t') + 10)
}

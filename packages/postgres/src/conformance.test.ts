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
import { CAPTURES, CERTIFICATES, capture, GREETING } from '../fixtures/captures.ts'
import {
  AUTHENTICATED,
  error,
  fatal,
  message,
  parameter,
  query,
  READY,
  result,
  row,
  ScramServer,
  SSL_REQUEST,
  SYNC,
  saslFirst,
  saslOffer,
  startup,
  u16,
  u32,
  utf8,
} from '../fixtures/messages.ts'
import { type Execution, QUERY_READ, QUERY_SESSION, SIMPLE_WRITE } from './client/operations.ts'
import { RequestKind } from './codec/request.ts'
import { Rows } from './codec/rows.ts'
import { Statement } from './codec/statement.ts'
import { postgres } from './index.ts'
import io, { type PostgresIo } from './io.ts'
import { resolve } from './resolve.ts'
import { analyzer } from './sql/analysis.ts'

const { Plain, CopyIn } = RequestKind
const PASSWORD = 'hunter2'

/** Nothing of this machine's environment. */
const target = (rest: string) => resolve(`postgres://app${rest}`, {}).io
const PLAIN = target('@db/shop?sslmode=disable')
const SECRET = target(`:${PASSWORD}@db/shop?sslmode=require`)
const CLEAR = target(`:${PASSWORD}@db/shop?sslmode=disable`)
const NEWEST = target('@db/shop?sslmode=disable&max_protocol_version=3.2')
const WRITES = target('@db/shop?sslmode=disable&target_session_attrs=read-write')

const hello = (minor = 0) => startup(minor, { user: 'app', database: 'shop', ...PLAIN.parameters })
const WELCOME = GREETING.slice(AUTHENTICATED.length)
const PARAMETERS = Object.fromEntries(
  [...GREETING.matchAll(/S\0\0\0.([\w]+)\0([^\0]*)\0/gs)].map(([, name, value]) => [name as string, value as string]),
)
const FACTS = {
  version: PARAMETERS['server_version'],
  parameters: PARAMETERS,
  role: 'primary',
  protocol: '3.0',
  processId: Buffer.from(GREETING, 'latin1').readInt32BE(GREETING.indexOf('K\0\0\0\x0c') + 5),
}
const ENDS = { result: FACTS } as const

const greeted: Transcript<PostgresIo> = {
  name: 'a handshake with a server that trusts',
  options: PLAIN,
  peer: [{ receives: hello() }, { sends: GREETING }],
  ends: ENDS,
}

/** What a server before 14 says: it does not tell what it is. */
const OLD_WELCOME = `${AUTHENTICATED}${parameter('server_version', '12.22')}${message('K', 7, 8)}${READY}`
const ROLE_QUERY = query(
  "SELECT pg_catalog.pg_is_in_recovery()::text, pg_catalog.current_setting('transaction_read_only')",
)
const OLD_FACTS = { version: '12.22', parameters: { server_version: '12.22' }, protocol: '3.0', processId: 7 }
const oldGreeted: Transcript<PostgresIo> = {
  name: 'a server that has to be asked what it is',
  options: PLAIN,
  peer: [{ receives: hello() }, { sends: OLD_WELCOME }, { receives: ROLE_QUERY }, { sends: result(['true', 'on']) }],
  ends: { result: { ...OLD_FACTS, role: 'replica' } },
}

const scramming = new ScramServer(PASSWORD)
const bound = new ScramServer(PASSWORD)
const lying = new ScramServer('something else')
const CERTIFICATE = CERTIFICATES['ecdsa-sha384'] as Buffer
const encrypted = [{ receives: SSL_REQUEST }, { sends: 'S' }, { upgrades: CERTIFICATE }, { receives: hello() }] as const
const anyBytes = { receives: () => true } as const

const handshakes: readonly Transcript<PostgresIo>[] = [
  greeted,
  oldGreeted,
  {
    name: 'TLS, and a password by SCRAM that is bound to it',
    options: SECRET,
    peer: [
      ...encrypted,
      { sends: saslOffer('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256') },
      { receives: saslFirst('SCRAM-SHA-256-PLUS', 'p=tls-server-end-point,,') },
      { sends: (sent) => bound.first(sent) },
      anyBytes,
      { sends: (sent) => bound.last(sent) },
      { sends: GREETING },
    ],
    ends: ENDS,
  },
  {
    name: 'SCRAM in the clear',
    options: CLEAR,
    peer: [
      { receives: hello() },
      { sends: saslOffer('SCRAM-SHA-256') },
      { receives: saslFirst('SCRAM-SHA-256', 'n,,') },
      { sends: (sent) => scramming.first(sent) },
      anyBytes,
      { sends: (sent) => scramming.last(sent) },
      { sends: GREETING },
    ],
    ends: ENDS,
  },
  {
    name: 'SCRAM with a server that does not know the password',
    options: CLEAR,
    peer: [
      { receives: hello() },
      { sends: saslOffer('SCRAM-SHA-256') },
      anyBytes,
      { sends: (sent) => scramming.first(sent) },
      anyBytes,
      { sends: message('R', 12, `v=${Buffer.alloc(32).toString('base64')}`) },
    ],
    ends: { code: 'SERVER_SIGNATURE', refused: true },
  },
  {
    name: 'SCRAM with a wrong password',
    options: CLEAR,
    peer: [
      { receives: hello() },
      { sends: saslOffer('SCRAM-SHA-256') },
      anyBytes,
      { sends: (sent) => lying.first(sent) },
      anyBytes,
      { sends: (sent) => lying.last(sent) },
    ],
    ends: { code: '28P01', refused: true },
  },
  {
    name: 'MD5',
    options: CLEAR,
    peer: [
      { receives: hello() },
      { sends: message('R', 5, 'salt') },
      // md5(md5('hunter2app') + 'salt')
      { receives: message('p', 'md5187e309f8513cbab5d26627dcc6e59c8\0') },
      { sends: GREETING },
    ],
    ends: ENDS,
  },
  {
    name: 'a password in clear text over TLS',
    options: SECRET,
    peer: [...encrypted, { sends: message('R', 3) }, { receives: message('p', `${PASSWORD}\0`) }, { sends: GREETING }],
    ends: ENDS,
  },
  {
    name: 'a password asked for in clear text',
    options: CLEAR,
    peer: [{ receives: hello() }, { sends: message('R', 3) }],
    ends: { code: 'AUTHENTICATION', refused: true },
  },
  {
    name: 'no TLS where it is required',
    options: SECRET,
    peer: [{ receives: SSL_REQUEST }, { sends: 'N' }],
    ends: { code: 'TLS', refused: true },
  },
  {
    name: 'no TLS where it is preferred',
    options: target('@db/shop'),
    peer: [{ receives: SSL_REQUEST }, { sends: 'N' }, { receives: hello() }, { sends: GREETING }],
    ends: ENDS,
  },
  {
    name: 'an error in place of an answer to SSLRequest',
    options: SECRET,
    peer: [{ receives: SSL_REQUEST }, { sends: fatal('53300') }],
    ends: { code: '53300', refused: false },
  },
  {
    name: 'plain text behind the answer to SSLRequest',
    options: SECRET,
    peer: [{ receives: SSL_REQUEST }, { sends: `S${GREETING}` }],
    ends: { code: 'PROTOCOL' },
  },
  {
    name: 'version 3.2, with a long key',
    options: NEWEST,
    peer: [
      { receives: hello(2) },
      { sends: `${AUTHENTICATED}${parameter('in_hot_standby', 'off')}${message('K', 9, 'k'.repeat(32))}${READY}` },
    ],
    ends: {
      result: { version: '', parameters: { in_hot_standby: 'off' }, role: 'primary', protocol: '3.2', processId: 9 },
    },
  },
  {
    name: 'version 3.2 asked of a server that speaks 3.0',
    options: NEWEST,
    peer: [{ receives: hello(2) }, { sends: `${message('v', 0x3_0000, 0)}${GREETING}` }],
    ends: ENDS,
  },
  {
    name: 'a replica where writes go',
    options: WRITES,
    peer: [
      { receives: hello() },
      { sends: GREETING.replace(parameter('in_hot_standby', 'off'), parameter('in_hot_standby', 'on')) },
    ],
    ends: { code: 'ROLE', refused: false },
  },
  ...(
    [
      ['28P01', true],
      ['28000', true],
      ['3D000', true],
      ['53300', false],
      ['57P03', false],
    ] as const
  ).map(([code, refused]) => ({
    name: `the server says ${code}`,
    options: PLAIN,
    peer: [{ receives: hello() }, { sends: fatal(code) }],
    ends: { code, refused },
  })),
]

const monitored: Transcript<PostgresIo> = { ...greeted, purpose: 'monitor' }
const watched: Transcript<PostgresIo> = { ...greeted, purpose: 'monitor', options: WRITES }
const probes: readonly Transcript<PostgresIo>[] = [
  {
    name: 'a probe',
    script: 'probe',
    after: monitored,
    peer: [{ receives: SYNC }, { sends: READY }],
    ends: { result: { role: 'primary' } },
  },
  {
    name: 'a probe of a server that has become a replica',
    script: 'probe',
    after: watched,
    peer: [{ receives: SYNC }, { sends: `${parameter('in_hot_standby', 'on')}${READY}` }],
    ends: { code: 'ROLE' },
  },
  {
    name: 'a probe of a server that is shut down',
    script: 'probe',
    after: monitored,
    peer: [{ receives: SYNC }, { sends: fatal('57P01') }],
    ends: { code: '57P01' },
  },
  {
    name: 'a probe of a server that has to be asked',
    script: 'probe',
    after: { ...oldGreeted, purpose: 'monitor' },
    peer: [{ receives: ROLE_QUERY }, { sends: result(['false', 'off']) }],
    ends: { result: { role: 'primary' } },
  },
]

const lent: Transcript<PostgresIo> = { ...greeted, purpose: 'session' }
const cleaned = { receives: (sent: Buffer) => sent.includes('RESET ALL') && sent.includes('DISCARD TEMP') }
const DONE = message('C', 'RESET\0')
const SELECTED = message('C', 'SELECT 1\0')
/** RESET three times, CLOSE, UNLISTEN, DISCARD twice, and two SELECTs of which the second finds nothing. */
const CLEAN = `${DONE.repeat(5)}${row('')}${SELECTED}${DONE.repeat(2)}`
const FOUND_NONE = message('C', 'SELECT 0\0')
const resets: readonly Transcript<PostgresIo>[] = [
  {
    name: 'a reset',
    script: 'reset',
    after: lent,
    peer: [cleaned, { sends: CLEAN + FOUND_NONE + READY }],
    ends: { result: undefined },
  },
  {
    name: 'a reset where a function had prepared statements',
    script: 'reset',
    after: lent,
    peer: [
      cleaned,
      { sends: CLEAN + row('1') + SELECTED + READY },
      { receives: query('DEALLOCATE ALL') },
      { sends: message('C', 'DEALLOCATE ALL\0') + READY },
    ],
    ends: { result: undefined },
  },
  {
    name: 'a reset that fails',
    script: 'reset',
    after: lent,
    peer: [cleaned, { sends: DONE + error('57014') + READY }],
    ends: { code: '57014' },
  },
  {
    name: 'a reset after which a transaction is open',
    script: 'reset',
    after: lent,
    peer: [cleaned, { sends: CLEAN + FOUND_NONE + message('Z', 'T') }],
    ends: { code: 'NOT_CLEAN' },
  },
]

/** Seven looks, and RESET ALL. */
const LOOKED = message('C', 'SELECT 1\0') + DONE
const looks = { receives: (sent: Buffer) => sent.includes('pg_settings') && sent.includes('RESET ALL') }
const found = (...values: readonly (string | undefined)[]): string =>
  message('D', u16(7), ...Array.from({ length: 7 }, (_, index) => cell(values[index])))
const cell = (value: string | undefined): string => (value === undefined ? u32(-1) : u32(value.length) + value)
const audits: readonly Transcript<PostgresIo>[] = [
  {
    name: 'an audit of a lane that is clean',
    script: 'audit',
    after: greeted,
    peer: [looks, { sends: found() + LOOKED + READY }],
    ends: { result: undefined },
  },
  {
    name: 'an audit of a lane that is not',
    script: 'audit',
    after: greeted,
    peer: [looks, { sends: found('search_path', undefined, '1') + LOOKED + message('Z', 'T') }],
    ends: { result: 'settings: search_path; advisory locks: 1; an open transaction' },
  },
  {
    name: 'an audit that fails',
    script: 'audit',
    after: greeted,
    peer: [looks, { sends: error('57014') + READY }],
    ends: { code: '57014' },
  },
]

const cancelling = { purpose: 'cancel', cancels: { processId: 7, key: Uint8Array.of(1, 2, 3, 4) } } as const
const CANCEL_REQUEST = `${u32(16)}${u32(80877102)}${u32(7)}\x01\x02\x03\x04`
/** The server answers a CancelRequest by closing the connection, and by nothing else. */
const cancels: readonly Transcript<PostgresIo>[] = [
  {
    name: 'a cancel',
    ...cancelling,
    options: PLAIN,
    peer: [{ receives: CANCEL_REQUEST }, { ends: '' }],
    ends: { code: 'CLOSED_BY_PEER' },
  },
  {
    name: 'a cancel over TLS',
    ...cancelling,
    options: SECRET,
    peer: [
      { receives: SSL_REQUEST },
      { sends: 'S' },
      { upgrades: CERTIFICATE },
      { receives: CANCEL_REQUEST },
      { ends: '' },
    ],
    ends: { code: 'CLOSED_BY_PEER' },
  },
]

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
        reply: capture('COPY FROM STDIN where nobody is in for it').bytes.replace(/(G\0\0\0\x09.{5}).*$/s, '$1'),
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
    'postgres://a?connect_timeout=5',
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
  transcripts: [...handshakes, ...probes, ...resets, ...audits, ...cancels],
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

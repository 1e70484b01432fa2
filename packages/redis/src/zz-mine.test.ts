/** Redis before the conformance kit: what it says, what it must refuse, how it greets, and what calls become. */
import type { Bytes, Fixture, HostileInput, LargeFrame, PeerStep, Sample, Transcript } from '@iokernel/conformance'
import { conformance } from '@iokernel/conformance'
import type { Link, Operation } from '@iokernel/core/plugin'
import { describe, expect, test } from 'vitest'
import { redisClient } from './client.ts'
import { type RedisClient, redis } from './index.ts'
import io, { type RedisIo } from './io.ts'

const PASSWORD = 'hunter-2'
const OPTIONS = redis.resolve(`redis://teller:${PASSWORD}@cache.internal`).io
const LIMITED: RedisIo = {
  ...OPTIONS,
  limits: { frameBytesMax: 10_000, depthMax: 100, elementsMax: 1_000, lineBytesMax: 1_000 },
}
/** Error, of `FrameFlag`. */
const ERROR = 4

// ---- Handshakes --------------------------------------------------------------------------------------------

// Redis 7.0.15.
const HELLO_3 =
  '%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:11\r\n' +
  '$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n'
const HELLO_2 = HELLO_3.replace('%7', '*14').replace(':3', ':2')
const FACTS = { resp: 3, version: '7.0.15', mode: 'standalone', role: 'primary', id: 11 } as const
const FACTS_2 = { ...FACTS, resp: 2 } as const
const NO_SETINFO = "-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n"

const ASKS_3 = { receives: commands(`HELLO 3 AUTH teller ${PASSWORD}`) }
const SETTLES = `CLIENT SETINFO lib-name ${OPTIONS.libraryName}|CLIENT SETINFO lib-ver ${OPTIONS.libraryVersion}`
const SETTLED: readonly PeerStep[] = [
  { receives: commands(`${SETTLES}|PING`) },
  { sends: NO_SETINFO },
  { sends: NO_SETINFO },
  { sends: '+PONG\r\n' },
]

const RESP3: Transcript<RedisIo> = {
  name: 'HELLO 3',
  peer: [ASKS_3, { sends: HELLO_3 }, ...SETTLED],
  ends: { result: FACTS },
}

const RESP2: Transcript<RedisIo> = {
  name: 'HELLO 3, then HELLO 2',
  peer: [
    ASKS_3,
    { sends: '-NOPROTO unsupported protocol version\r\n' },
    { receives: commands(`HELLO 2 AUTH teller ${PASSWORD}`) },
    { sends: HELLO_2 },
    ...SETTLED,
  ],
  ends: { result: FACTS_2 },
}

const PUSH_2: Transcript<RedisIo> = { ...RESP2, name: 'a push connection of RESP2', purpose: 'push' }
const PUSH_3: Transcript<RedisIo> = { ...RESP3, name: 'a push connection of RESP3', purpose: 'push' }

const TRANSCRIPTS: readonly Transcript<RedisIo>[] = [
  RESP3,
  RESP2,
  PUSH_2,
  PUSH_3,
  {
    name: 'no HELLO',
    peer: [
      ASKS_3,
      { sends: "-ERR unknown command 'HELLO', with args beginning with: '3' \r\n" },
      { receives: commands(`AUTH teller ${PASSWORD}`) },
      { sends: '+OK\r\n' },
      { receives: commands('ROLE') },
      { sends: '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n' },
      ...SETTLED,
    ],
    ends: { result: { resp: 2, version: '', mode: 'unknown', role: 'primary', id: 0 } },
  },
  {
    name: 'a database that is there, and credentials from a callback',
    options: { ...OPTIONS, database: 5 },
    credentials: { username: 'ada', password: 'token-7' },
    peer: [
      { receives: commands('HELLO 3 AUTH ada token-7') },
      { sends: HELLO_3 },
      { receives: commands(`${SETTLES}|SELECT 5|PING`) },
      { sends: `+OK\r\n+OK\r\n+OK\r\n+PONG\r\n` },
    ],
    ends: { result: FACTS },
  },
  refused('a wrong password', '-WRONGPASS invalid username-password pair or user is disabled.\r\n', 'WRONGPASS', true),
  refused('a password in the error', `-WRONGPASS teller ${PASSWORD}\r\n`, 'WRONGPASS', true),
  refused('too many clients', '-ERR max number of clients reached\r\n', 'ERR', false),
  refused('an answer that is none', '+OK\r\n', 'PROTOCOL', false),
  {
    name: 'the data set is being loaded',
    peer: [ASKS_3, { sends: HELLO_3 }, ...SETTLED.slice(0, 3), { sends: '-LOADING Redis is loading\r\n' }],
    ends: { code: 'LOADING', refused: false },
  },
  probed('*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n', { ...unknown(), role: 'primary', offset: 7, replicas: 0 }),
  probed('*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:9000\r\n$9\r\nconnected\r\n:31\r\n', {
    ...unknown(),
    role: 'replica',
    offset: 31,
    primary: { host: '127.0.0.1', port: 9000 },
    link: 'connected',
  }),
  {
    name: 'a probe while the data set is being loaded',
    script: 'probe',
    after: RESP3,
    peer: [
      { receives: commands('PING|ROLE') },
      { sends: '-LOADING Redis is loading\r\n' },
      { sends: '-LOADING Redis is loading\r\n' },
    ],
    ends: { code: 'LOADING', refused: false },
  },
  {
    name: 'RESET',
    script: 'reset',
    after: RESP3,
    purpose: 'session',
    peer: [{ receives: commands('RESET') }, { sends: '+RESET\r\n' }, ...RESP3.peer],
    ends: { result: undefined },
  },
  {
    name: 'no RESET',
    script: 'reset',
    after: RESP3,
    purpose: 'session',
    peer: [{ receives: commands('RESET') }, { sends: "-ERR unknown command 'RESET'\r\n" }],
    ends: { code: 'NORESET', refused: false },
  },
]

/** Words of commands, commands separated by bars. */
function commands(text: string): string {
  const bulk = (word: string): string => `$${word.length}\r\n${word}\r\n`
  const command = (words: readonly string[]): string => `*${words.length}\r\n${words.map(bulk).join('')}`
  return text
    .split('|')
    .map((line) => command(line.split(' ')))
    .join('')
}

function refused(name: string, answer: string, code: string, forGood: boolean): Transcript<RedisIo> {
  return { name, peer: [ASKS_3, { sends: answer }], ends: { code, refused: forGood } }
}

function probed(role: string, result: object): Transcript<RedisIo> {
  const peer = [{ receives: commands('PING|ROLE') }, { sends: '+PONG\r\n' }, { sends: role }]
  return { name: `ROLE: ${JSON.stringify(result)}`, script: 'probe', after: RESP3, peer, ends: { result } }
}

function unknown(): object {
  return { role: 'unknown', offset: undefined, replicas: 0, primary: undefined, link: undefined }
}

// ---- Frames ------------------------------------------------------------------------------------------------

const REPLIES: readonly string[] = [
  '+OK\r\n',
  '+\r\n',
  ':-9223372036854775808\r\n',
  '$5\r\nhello\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '$18\r\n+OK\r\n$3\r\nabc\r\n*2\r\n\r\n',
  '*-1\r\n',
  '*3\r\n*0\r\n%0\r\n*2\r\n*0\r\n~0\r\n',
  '%2\r\n+a\r\n*1\r\n_\r\n+b\r\n%1\r\n:1\r\n#t\r\n',
  '*2\r\n-ERR inner\r\n!3\r\nabc\r\n',
  ',-1.5e-300\r\n',
  ',nan\r\n',
  '(3492890328409238509324850943850943825024385\r\n',
  '=15\r\ntxt:Some string\r\n',
  '|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n|1\r\n+b\r\n_\r\n*1\r\n+x\r\n',
  '%1\r\n|1\r\n+a\r\n+b\r\n+key\r\n|1\r\n+a\r\n+b\r\n*1\r\n|1\r\n+a\r\n+b\r\n+value\r\n',
]
const MESSAGE = '>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n'
const INVALIDATE = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n'
const SUBSCRIBED = '>3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n'

const FIXTURES: readonly Fixture<RedisIo>[] = [
  ...REPLIES.map((reply) => ({
    name: JSON.stringify(reply),
    bytes: reply,
    requests: [0],
    expected: [{ reply, flags: 0 }],
  })),
  {
    name: 'errors, and what they mean',
    bytes: "-ERR no\r\n-READONLY You can't write\r\n!21\r\nSYNTAX invalid syntax\r\n-LOADING later\r\n",
    requests: [0, 0, 0, 0],
    expected: [
      { reply: '-ERR no\r\n', flags: ERROR, verdict: 'call' },
      { reply: "-READONLY You can't write\r\n", flags: ERROR, verdict: 'role-lost' },
      { reply: '!21\r\nSYNTAX invalid syntax\r\n', flags: ERROR, verdict: 'call' },
      { reply: '-LOADING later\r\n', flags: ERROR, verdict: 'not-executed' },
    ],
  },
  {
    name: 'a batch between two calls',
    bytes: ':1\r\n+OK\r\n+QUEUED\r\n-ERR what\r\n-EXECABORT no\r\n:2\r\n',
    requests: [0, 3, 0],
    expected: [
      { reply: ':1\r\n' },
      { reply: '+OK\r\n+QUEUED\r\n-ERR what\r\n-EXECABORT no\r\n', flags: ERROR },
      { reply: ':2\r\n' },
    ],
  },
  {
    name: 'pushes before, between and after replies',
    bytes: `${INVALIDATE}:1\r\n${INVALIDATE}$1\r\nx\r\n${INVALIDATE}`,
    requests: [0, 0],
    expected: [
      { push: INVALIDATE },
      { reply: ':1\r\n' },
      { push: INVALIDATE },
      { reply: '$1\r\nx\r\n' },
      { push: INVALIDATE },
    ],
  },
  {
    name: 'a push inside of EXEC (Redis 7.0)',
    bytes: `+OK\r\n+QUEUED\r\n*2\r\n${INVALIDATE}+a\r\n${INVALIDATE}$1\r\nx\r\n:9\r\n`,
    requests: [2, 0],
    expected: [
      { push: INVALIDATE },
      { push: INVALIDATE },
      { reply: '+OK\r\n+QUEUED\r\n*2\r\n+a\r\n$1\r\nx\r\n' },
      { reply: ':9\r\n' },
    ],
  },
  { name: 'a long bulk string', bytes: `$40000\r\n${'x'.repeat(40_000)}\r\n+OK\r\n`, requests: [0, 0] },
  { name: 'a long array', bytes: `*5000\r\n${':12345\r\n'.repeat(5_000)}+OK\r\n`, requests: [0, 0] },
  { name: 'a long push', bytes: `>2\r\n+x\r\n$20000\r\n${'x'.repeat(20_000)}\r\n+OK\r\n`, requests: [0] },
  {
    name: 'a long array with pushes',
    bytes: `*800\r\n${`$7\r\nelement\r\n${INVALIDATE}`.repeat(800)}+OK\r\n`,
    requests: [0, 0],
  },
  { name: 'RESP2', bytes: '*2\r\n$-1\r\n*-1\r\n-ERR x\r\n:1\r\n', requests: [0, 0, 0], after: RESP2 },
  { name: 'RESP3 after HELLO 3', bytes: '%1\r\n+a\r\n_\r\n', requests: [0], after: RESP3 },
  {
    name: 'a subscription in RESP3',
    after: PUSH_3,
    keys: ['s:news', 's:other'],
    bytes: `${SUBSCRIBED}${MESSAGE}-NOPERM no\r\n`,
    expected: [
      { push: SUBSCRIBED, route: { key: 's:news', kind: 'confirmed' } },
      { push: MESSAGE, route: { key: 's:news', kind: 'message' } },
      { stray: '-NOPERM no\r\n', flags: ERROR },
    ],
  },
  {
    name: 'a subscription in RESP2',
    after: PUSH_2,
    keys: ['s:news', 's:other'],
    bytes: `${SUBSCRIBED}${MESSAGE}-NOPERM no\r\n`.replaceAll('>', '*'),
    expected: [
      { push: SUBSCRIBED.replace('>', '*'), route: { key: 's:news', kind: 'confirmed' } },
      { push: MESSAGE.replace('>', '*'), route: { key: 's:news', kind: 'message' } },
      { stray: '-NOPERM no\r\n', flags: ERROR },
    ],
  },
  {
    name: 'prefixes of keys',
    after: PUSH_3,
    keys: ['t:user:', 't:cart:', 't:user:7'],
    bytes: `+OK\r\n${INVALIDATE}+OK\r\n+PONG\r\n`,
    expected: [
      { stray: '+OK\r\n' },
      { push: INVALIDATE, route: { key: 't:', kind: 'all' } },
      { stray: '+OK\r\n' },
      { stray: '+PONG\r\n' },
    ],
  },
]

const BAD: readonly string[] = [
  '$abc\r\n',
  '$-2\r\n',
  '$\r\n',
  '$2\r\nhiXX',
  '*4294967295\r\n',
  '$9999999999999\r\n',
  '*-2\r\n',
  ':1\n',
  ':+1\r\n',
  ':99999999999999999999\r\n',
  '+a\rb\r\n',
  '#x\r\n',
  ',1e\r\n',
  '(\r\n',
  'PONG\r\n',
  '*2\r\n:1\r\n@\r\n',
  '>1\r\n>1\r\n+x\r\n',
  '|1\r\n+a\r\n>1\r\n+x\r\n',
]

const HOSTILE: readonly HostileInput<RedisIo>[] = [
  ...BAD.map((bytes) => ({ name: JSON.stringify(bytes), bytes: `:1\r\n${bytes}`, requests: [0, 0] })),
  { name: '20 000 nested arrays', bytes: '*1\r\n'.repeat(20_000), requests: [0] },
  { name: 'nested maps, sets, attributes', bytes: '%1\r\n+a\r\n~1\r\n|1\r\n+b\r\n'.repeat(2_000), requests: [0] },
  { name: 'a claim of 2 billion elements', bytes: '*2000000000\r\n:1\r\n', requests: [0] },
  { name: 'a claim of a gigabyte', bytes: '$1073741824\r\nx', requests: [0] },
  { name: 'a line without end', bytes: `+${'x'.repeat(2_000)}`, requests: [0], options: LIMITED },
  { name: 'a line that is too long', bytes: `*2\r\n+${'x'.repeat(2_000)}\r\n`, requests: [0], options: LIMITED },
  { name: 'too many elements', bytes: '%501\r\n', requests: [0], options: LIMITED },
  { name: 'too deep', bytes: '*1\r\n'.repeat(101), requests: [0], options: LIMITED },
  {
    name: 'a frame that is too long as a whole',
    bytes: `*20\r\n${`$900\r\n${'x'.repeat(900)}\r\n`.repeat(20)}`,
    requests: [0],
    options: LIMITED,
  },
  { name: 'a reply to no request', bytes: ':1\r\n:2\r\n', requests: [0] },
  { name: 'a reply to no subscription', after: PUSH_3, keys: ['s:news'], bytes: `${SUBSCRIBED}+OK\r\n` },
  { name: 'RESP3 on a connection of RESP2', after: RESP2, bytes: '_\r\n', requests: [0] },
  { name: 'the end inside a reply', bytes: ':1\r\n$5\r\nhel', requests: [0, 0], ended: true },
  { name: 'a last word', bytes: '-ERR max number of clients reached\r\n', code: 'ERR' },
  { name: 'an error out of nowhere', bytes: '-ERR hello\r\n' },
]

const LARGE: readonly LargeFrame<RedisIo>[] = [
  large('a bulk string', (length) => `$${length}\r\n${'x'.repeat(length)}\r\n`),
  large('a line', (length) => `+${'x'.repeat(length)}\r\n`),
  large('an array of integers', (length) => `*${length >> 3}\r\n${':12345\r\n'.repeat(length >> 3)}`),
  large('an array of arrays', (length) =>
    `*${length >> 3}\r\n${'*1\r\n_\r\n'.repeat(length >> 3)}`.replaceAll('_', ':1'),
  ),
  large('a push of elements', (length) => `>${length >> 3}\r\n${':12345\r\n'.repeat(length >> 3)}`),
  large('a push of one bulk string', (length) => `>2\r\n+x\r\n$${length}\r\n${'x'.repeat(length)}\r\n`),
  large('a push of lines', (length) => `>${length >> 15}\r\n${`+${'x'.repeat(32_765)}\r\n`.repeat(length >> 15)}`),
  large('an attribute', (length) => `|${length >> 4}\r\n${':12345\r\n'.repeat(2 * (length >> 4))}+OK\r\n`),
]

function large(name: string, bytesOf: (length: number) => string): LargeFrame<RedisIo> {
  const options = { ...OPTIONS, limits: { ...OPTIONS.limits, lineBytesMax: 1 << 24 } }
  return { name, make: (length) => ({ name, bytes: bytesOf(length), requests: [0], options }) }
}

// ---- Calls -------------------------------------------------------------------------------------------------

const BYTES = Uint8Array.from([0, 1, 254, 255])

const SAMPLES: readonly Sample[] = [
  call((client) => client.get('key'), '$5\r\nhello\r\n', { value: 'hello' }, commands('GET key')),
  call((client) => client.get('schlüssel'), '$-1\r\n', { value: null }),
  call((client) => client.get('k'.repeat(500)), '_\r\n', { value: null }),
  call((client) => client.get('key'), Buffer.from('$5\r\ngrün\r\n'), { value: 'grün' }),
  call((client) => client.get('key'), '-WRONGTYPE Operation against a key\r\n', { code: 'WRONGTYPE' }),
  call((client) => client.get('key'), '!10\r\nNOPERM no!\r\n', { code: 'NOPERM' }),
  call((client) => client.bytes.get('key'), '$4\r\n\x00\x01\xfe\xff\r\n', { value: BYTES }),
  call((client) => client.bytes.mget('a', 'b'), '*2\r\n$4\r\n\x00\x01\xfe\xff\r\n$-1\r\n', { value: [BYTES, null] }),
  call((client) => client.set(BYTES, BYTES), '+OK\r\n', { value: 'OK' }),
  call((client) => client.set('key', 'x'.repeat(5_000), 'PX', 12, 'NX'), '_\r\n', { value: null }),
  call((client) => client.incr('key'), ':9223372036854775807\r\n', { value: 9223372036854775807n }),
  call((client) => client.incr('key'), ':-3\r\n', { value: -3 }),
  call((client) => client.del('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'), ':10\r\n', { value: 10 }),
  call((client) => client.lrange('list', 0, -1), '*2\r\n$1\r\na\r\n$1\r\nb\r\n', { value: ['a', 'b'] }),
  call((client) => client.hgetall('hash'), '%1\r\n$1\r\na\r\n$1\r\nb\r\n', { value: record({ a: 'b' }) }),
  call((client) => client.bytes.hgetall('hash'), '%1\r\n$4\r\n\x00\x01\xfe\xff\r\n$4\r\n\x00\x01\xfe\xff\r\n', {
    value: [[BYTES, BYTES]],
  }),
  call((client) => client.smembers('set'), '~2\r\n$1\r\na\r\n$1\r\nb\r\n', { value: ['a', 'b'] }),
  call((client) => client.zscore('zset', 'a'), ',1.5\r\n', { value: 1.5 }),
  call((client) => client.zrange('zset', 0, -1), '*1\r\n$1\r\na\r\n', { value: ['a'] }),
  call((client) => client.zadd('zset', 1.25, 'a'), ':1\r\n', { value: 1 }),
  call((client) => client.blpop('list', 3), '*2\r\n$4\r\nlist\r\n$1\r\na\r\n', { value: ['list', 'a'] }),
  call((client) => client.xrange('stream', '-', '+'), '*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n', {
    value: [{ id: '1-0', fields: record({ a: 'b' }) }],
  }),
  call(
    (client) => client.xread('STREAMS', 's', '0'),
    '%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n',
    {
      value: [{ stream: 's', entries: [{ id: '1-0', fields: record({ a: 'b' }) }] }],
    },
  ),
  call((client) => client.call('OBJECT', 'HELP'), '*1\r\n+text\r\n', { value: ['text'] }),
  call((client) => client.call('FUNCTION', 'STATS'), '%1\r\n:1\r\n#t\r\n', { value: new Map([[1, true]]) }),
  call((client) => client.multi().set('a', 1).incr('a').exec(), '+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n', {
    value: ['OK', 2],
  }),
  call((client) => client.multi().get('a').exec(), '+OK\r\n-ERR no\r\n-EXECABORT Transaction discarded\r\n', {
    code: 'EXECABORT',
  }),
  inResp2(call((client) => client.get('key'), '$5\r\nhello\r\n', { value: 'hello' })),
  inResp2(call((client) => client.get('key'), '-NOPERM no\r\n', { code: 'NOPERM' })),
  inResp2(call((client) => client.bytes.get('key'), '$4\r\n\x00\x01\xfe\xff\r\n', { value: BYTES })),
  inResp2(call((client) => client.hgetall('hash'), '*2\r\n$1\r\na\r\n$1\r\nb\r\n', { value: record({ a: 'b' }) })),
  inResp2(call((client) => client.zscore('zset', 'a'), '$3\r\n1.5\r\n', { value: 1.5 })),
  inResp2(call((client) => client.incr('key'), ':9223372036854775807\r\n', { value: 9223372036854775807n })),
]

/** What the client asks its link for. */
function call(make: (client: RedisClient) => unknown, reply: Bytes, gives: Sample['gives'], request?: string): Sample {
  const seen: { operation: Operation<unknown, unknown>; args: unknown }[] = []
  const link: Pick<Link, 'request'> = {
    request<Args, Reply>(operation: Operation<Args, Reply>, args: Args): Promise<Reply> {
      seen.push({ operation: operation as Operation<unknown, unknown>, args })
      return new Promise(() => {})
    },
  }
  make(redisClient(link as Link))
  const [first] = seen
  if (first === undefined) throw new Error('the client has asked for nothing')
  return { ...first, reply, facts: FACTS, gives, ...(request === undefined ? {} : { request }) }
}

function inResp2(one: Sample): Sample {
  return { ...one, facts: FACTS_2, after: RESP2 as Transcript }
}

function record(fields: Readonly<Record<string, string>>): object {
  return Object.assign(Object.create(null), fields)
}

conformance(
  { describe, test, expect },
  {
    root: new URL('../', import.meta.url),
    protocol: redis,
    io,
    options: OPTIONS,
    targets: [
      'redis://cache.internal',
      'redis://cache.internal/1',
      'rediss://cache.internal',
      `redis://teller:${PASSWORD}@cache.internal`,
      'redis://a:6380,b:6381',
      'unix:///run/redis.sock',
      'redis+zookeeper://caches/main',
    ],
    badTargets: ['', 'http://cache', 'redis://cache/x', 'redis://cache:99999', `redis://teller:${PASSWORD}%@cache`],
    secrets: [PASSWORD, 'token-7'],
    fixtures: FIXTURES,
    hostile: HOSTILE,
    large: LARGE,
    transcripts: TRANSCRIPTS,
    samples: SAMPLES,
  },
)

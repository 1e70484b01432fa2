/** The client against a link whose other end is the test. */
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { FakeLink, wordsOf } from '../fixtures/link.ts'
import { COMMANDS } from './client/command-set.ts'
import { type RedisClient, redisClient } from './client.ts'
import { RedisError } from './codec/errors.ts'

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const array = (...items: string[]) => `*${items.length}\r\n${items.join('')}`
const map = (...items: string[]) => `%${items.length / 2}\r\n${items.join('')}`

/** One call, in both protocol versions: the words that were sent, and what became of the reply. */
async function one(
  call: (client: RedisClient) => Promise<unknown>,
  resp3: string,
  resp2: string = resp3,
): Promise<{ words: string[]; value: unknown }> {
  const links = [new FakeLink([resp3], 3), new FakeLink([resp2], 2)]
  const values = await Promise.all(links.map((link) => call(redisClient(link))))
  expect(values[1]).toEqual(values[0])
  expect(links[1]?.calls[0]?.bytes).toBe(links[0]?.calls[0]?.bytes)
  return { words: wordsOf(links[0]?.calls[0]?.bytes as string), value: values[0] }
}

describe('typed commands', () => {
  it.each<[string, (client: RedisClient) => Promise<unknown>, string, unknown, string, string?]>([
    ['get', (c) => c.get('k'), 'GET k', 'v', bulk('v')],
    ['get nothing', (c) => c.get('k'), 'GET k', null, '_\r\n', '$-1\r\n'],
    ['set', (c) => c.set('k', 1), 'SET k 1', 'OK', '+OK\r\n'],
    ['set with words', (c) => c.set('k', 'v', 'EX', 10, 'NX'), 'SET k v EX 10 NX', null, '_\r\n', '$-1\r\n'],
    ['set, old value', (c) => c.set('k', 'v', 'GET'), 'SET k v GET', 'old', bulk('old')],
    ['mset', (c) => c.mset('a', 1, 'b', 2), 'MSET a 1 b 2', 'OK', '+OK\r\n'],
    ['mget', (c) => c.mget('a', 'b'), 'MGET a b', ['x', null], array(bulk('x'), '_\r\n'), array(bulk('x'), '$-1\r\n')],
    ['del of many', (c) => c.del('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'), 'DEL a b c d e f g h i', 9, ':9\r\n'],
    ['incr beyond 2^53', (c) => c.incr('k'), 'INCR k', 9007199254740993n, ':9007199254740993\r\n'],
    ['incrby', (c) => c.incrby('k', 9007199254740993n), 'INCRBY k 9007199254740993', 5, ':5\r\n'],
    ['type', (c) => c.type('k'), 'TYPE k', 'hash', '+hash\r\n'],
    ['hset', (c) => c.hset('k', 'f', 'v', 'g', 'w'), 'HSET k f v g w', 2, ':2\r\n'],
    ['hgetall', (c) => c.hgetall('k'), 'HGETALL k', { f: 'v' }, map(bulk('f'), bulk('v')), array(bulk('f'), bulk('v'))],
    ['hgetall of nothing', (c) => c.hgetall('k'), 'HGETALL k', {}, '%0\r\n', '*0\r\n'],
    [
      'smembers',
      (c) => c.smembers('k'),
      'SMEMBERS k',
      ['a', 'b'],
      `~2\r\n${bulk('a')}${bulk('b')}`,
      array(bulk('a'), bulk('b')),
    ],
    ['lpop', (c) => c.lpop('k', 2), 'LPOP k 2', ['a'], array(bulk('a'))],
    ['zadd', (c) => c.zadd('k', 'NX', 1.5, 'a', Number.POSITIVE_INFINITY, 'b'), 'ZADD k NX 1.5 a inf b', 2, ':2\r\n'],
    ['zadd incr', (c) => c.zadd('k', 'INCR', 1, 'a'), 'ZADD k INCR 1 a', 2.5, ',2.5\r\n', bulk('2.5')],
    ['zscore', (c) => c.zscore('k', 'a'), 'ZSCORE k a', Number.NEGATIVE_INFINITY, ',-inf\r\n', bulk('-inf')],
    ['zscore of nobody', (c) => c.zscore('k', 'a'), 'ZSCORE k a', null, '_\r\n', '$-1\r\n'],
    [
      'zmscore',
      (c) => c.zmscore('k', 'a', 'b'),
      'ZMSCORE k a b',
      [1, null],
      array(',1\r\n', '_\r\n'),
      array(bulk('1'), '$-1\r\n'),
    ],
    [
      'zrange with scores',
      (c) => c.zrangeWithScores('k', 0, -1, 'REV'),
      'ZRANGE k 0 -1 REV WITHSCORES',
      [
        { member: 'a', score: 1.5 },
        { member: 'b', score: 2 },
      ],
      array(array(bulk('a'), ',1.5\r\n'), array(bulk('b'), ',2\r\n')),
      array(bulk('a'), bulk('1.5'), bulk('b'), bulk('2')),
    ],
    [
      'zpopmin',
      (c) => c.zpopmin('k'),
      'ZPOPMIN k',
      [{ member: 'a', score: 1 }],
      array(bulk('a'), ',1\r\n'),
      array(bulk('a'), bulk('1')),
    ],
    ['zpopmin of nothing', (c) => c.zpopmin('k'), 'ZPOPMIN k', [], '*0\r\n'],
    [
      'bzpopmin',
      (c) => c.bzpopmin('k', 1),
      'BZPOPMIN k 1',
      { key: 'k', member: 'a', score: 1 },
      array(bulk('k'), bulk('a'), ',1\r\n'),
      array(bulk('k'), bulk('a'), bulk('1')),
    ],
    [
      'lmpop',
      (c) => c.lmpop(1, 'k', 'LEFT'),
      'LMPOP 1 k LEFT',
      { key: 'k', values: ['a'] },
      array(bulk('k'), array(bulk('a'))),
    ],
    [
      'zmpop',
      (c) => c.zmpop(1, 'k', 'MIN'),
      'ZMPOP 1 k MIN',
      { key: 'k', members: [{ member: 'a', score: 1 }] },
      array(bulk('k'), array(array(bulk('a'), ',1\r\n'))),
      array(bulk('k'), array(array(bulk('a'), bulk('1')))),
    ],
    [
      'xrange',
      (c) => c.xrange('k', '-', '+'),
      'XRANGE k - +',
      [{ id: '1-1', fields: { f: 'v' } }],
      array(array(bulk('1-1'), array(bulk('f'), bulk('v')))),
    ],
    [
      'xread',
      (c) => c.xread('STREAMS', 'k', '0'),
      'XREAD STREAMS k 0',
      [{ stream: 'k', entries: [{ id: '1-1', fields: null }] }],
      map(bulk('k'), array(array(bulk('1-1'), '_\r\n'))),
      array(array(bulk('k'), array(array(bulk('1-1'), '*-1\r\n')))),
    ],
    ['xread of nothing', (c) => c.xread('STREAMS', 'k', '$'), 'XREAD STREAMS k $', null, '_\r\n', '*-1\r\n'],
    [
      'geopos',
      (c) => c.geopos('k', 'a', 'b'),
      'GEOPOS k a b',
      [{ longitude: 1.5, latitude: 2 }, null],
      array(array(',1.5\r\n', ',2\r\n'), '_\r\n'),
      array(array(bulk('1.5'), bulk('2')), '*-1\r\n'),
    ],
    [
      'configGet',
      (c) => c.configGet('a'),
      'CONFIG GET a',
      { a: 'b' },
      map(bulk('a'), bulk('b')),
      array(bulk('a'), bulk('b')),
    ],
    ['info', (c) => c.info(), 'INFO', '# Server', '=12\r\ntxt:# Server\r\n', bulk('# Server')],
    ['time', (c) => c.time(), 'TIME', new Date(1700000000123), array(bulk('1700000000'), bulk('123456'))],
    ['objectEncoding', (c) => c.objectEncoding('k'), 'OBJECT ENCODING k', 'int', bulk('int')],
  ])('%s', async (_, call, words, value, resp3, resp2) => {
    expect(await one(call, resp3, resp2)).toEqual({ words: words.split(' '), value })
  })

  it('are many, and each has a name the server knows', () => {
    expect(COMMANDS.size).toBeGreaterThan(150)
    for (const { name } of COMMANDS.values()) expect(name).toMatch(/^[A-Z_]+( [A-Z]+)?$/)
  })

  it('give bytes in the view of bytes, but words of the protocol as text', async () => {
    const link = new FakeLink([
      bulk('v'),
      map(bulk('f'), bulk('v')),
      '+OK\r\n',
      '+hash\r\n',
      array(bulk('a'), ',1\r\n'),
    ])
    const { bytes } = redisClient(link)
    expect(bytes.bytes).toBe(bytes)
    const v = new Uint8Array([118])
    expect(await bytes.get('k')).toEqual(v)
    expect(await bytes.hgetall('k')).toEqual([[new Uint8Array([102]), v]])
    expect(await bytes.set('k', v)).toBe('OK')
    expect(await bytes.type('k')).toBe('hash')
    expect(await bytes.zpopmin('k')).toEqual([{ member: new Uint8Array([97]), score: 1 }])
  })

  it('reject with the server’s error', async () => {
    const failing = redisClient(new FakeLink(['-WRONGTYPE Operation\r\n'])).get('k')
    await expect(failing).rejects.toThrow(RedisError)
    await expect(failing).rejects.toMatchObject({ code: 'WRONGTYPE', message: 'Operation' })
  })

  it('record has no prototype, so that every field is a field', async () => {
    const fields = await redisClient(new FakeLink([map(bulk('__proto__'), bulk('v'))])).hgetall('k')
    expect(Object.keys(fields)).toEqual(['__proto__'])
  })
})

describe('wrong arguments', () => {
  const wrong: [string, (client: RedisClient) => Promise<unknown>][] = [
    ['undefined', (c) => c.get(undefined as never)],
    ['null', (c) => c.set('k', null as never)],
    ['NaN', (c) => c.set('k', Number.NaN)],
    ['a boolean', (c) => c.set('k', true as never)],
    ['an array', (c) => c.del(['a', 'b'] as never)],
    ['a date', (c) => c.set('k', new Date() as never)],
    ['too few', (c) => (c as unknown as { set(key: string): Promise<unknown> }).set('k')],
    ['too many', (c) => (c.get as (...given: unknown[]) => Promise<unknown>)('a', 'b')],
    ['too many and options', (c) => (c.get as (...given: unknown[]) => Promise<unknown>)('a', {}, 'b')],
    ['none', (c) => (c.del as () => Promise<unknown>)()],
    ['an odd pair', (c) => c.hset('k', 'f', 'v', 'g')],
    ['an odd pair of mset', (c) => c.mset('k', 'v', 'g')],
    ['options of another client', (c) => c.set('k', 'v', { EX: 10 } as never)],
    ['options of another client for one parameter', (c) => c.get('k', { timeout: 1 } as never)],
    ['an empty command', (c) => c.call('')],
    ['a command of two words', (c) => c.call('CONFIG GET', 'x')],
    ['a command with a line break', (c) => c.call('GET\r\nSET')],
    ['no command', (c) => c.call(1 as never)],
    ['an undefined value', (c) => c.set('k', undefined as never)],
    ['an undefined value of call', (c) => c.call('set', 'k', undefined as never)],
    ['an undefined value of a command of two words', (c) => c.call('config', 'get', undefined as never)],
    ['an undefined name', (c) => c.call(undefined as never)],
    ['more after absent options', (c) => (c.get as (...given: unknown[]) => Promise<unknown>)('a', undefined, 'b')],
    ['a symbol as a timeout', (c) => c.blpop('k', Symbol('x') as never)],
    ['a signal that is none', (c) => c.get('k', { signal: {} } as never)],
    ['a signal that is null', (c) => c.set('k', 'v', { signal: null } as never)],
    ['a deadline as text', (c) => c.get('k', { deadlineMs: '5' } as never)],
    ['a deadline before now', (c) => c.get('k', { deadlineMs: -1 })],
    ['a deadline that is no number', (c) => c.call('GET', 'k', { deadlineMs: Number.NaN })],
    ['an onTiming that is no function', (c) => c.get('k', { onTiming: 5 } as never)],
    ['an idempotent that is no boolean', (c) => c.get('k', { idempotent: 'no' } as never)],
    ['an option of every object', (c) => c.get('k', { toString: 1 } as never)],
  ]
  it.each(wrong)('%s: a local error before anything is written', async (_, call) => {
    const link = new FakeLink(['+OK\r\n'])
    const failing = call(redisClient(link))
    await expect(failing).rejects.toThrow(LocalError)
    await expect(failing).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    expect(link.calls).toEqual([])
  })

  it('passes absent options on', async () => {
    const link = new FakeLink([bulk('v'), '+PONG\r\n', '+OK\r\n'])
    const client = redisClient(link)
    expect(await client.get('k', undefined)).toBe('v')
    expect(await client.ping(undefined)).toBe('PONG')
    expect(await client.set('k', 'v', { deadlineMs: 5 })).toBe('OK')
    expect(link.calls[2]?.options).toEqual({ deadlineMs: 5 })
  })

  const absent: [string, (client: RedisClient, options: undefined) => Promise<unknown>][] = [
    ['SET k v', (c, options) => c.set('k', 'v', options as never)],
    ['SET k v EX 1', (c, options) => c.set('k', 'v', 'EX', 1, options as never)],
    ['DEL k', (c, options) => c.del('k', options as never)],
    ['MGET a b', (c, options) => c.mget('a', 'b', options as never)],
    ['HSET h f v', (c, options) => c.hset('h', 'f', 'v', options as never)],
    ['EXPIRE k 5', (c, options) => c.expire('k', 5, options as never)],
    ['SETEX k 5 v', (c, options) => c.setex('k', 5, 'v', options)],
    ['PING', (c, options) => c.ping(options)],
    ['INFO', (c, options) => c.info(options as never)],
    ['GET k', (c, options) => c.call('GET', 'k', options as never)],
    ['CONFIG GET x', (c, options) => c.call('CONFIG', 'GET', 'x', options as never)],
    ['NOBODY_KNOWS', (c, options) => c.call('NOBODY_KNOWS', options as never)],
    ['WATCH k', async (c, options) => (await c.session(options)).watch('k', options as never)],
    ['UNWATCH', async (c, options) => (await c.session()).unwatch(options)],
    ['DEL k', async (c, options) => (await c.session()).del('k', options as never)],
  ]
  it.each(absent)('%s: options that are passed on and absent are none', async (words, call) => {
    const link = new FakeLink(['_\r\n'])
    await call(redisClient(link), undefined).catch(() => undefined)
    expect(link.calls.map(({ bytes }) => wordsOf(bytes).join(' '))).toEqual([words])
  })

  it('drops absent options in a batch too', async () => {
    const link = new FakeLink(['+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n'])
    const batch = redisClient(link)
      .multi()
      .set('k', 'v', undefined as never)
      .call('DEL', 'k', undefined as never)
    expect(await batch.exec(undefined)).toEqual(['OK', 1])
  })
})

describe('call', () => {
  it('sends any command, and gives what it returns', async () => {
    const sent = await one(
      (c) => c.call('FT.SEARCH', 'index', 5, 10n, new Uint8Array([255])),
      array(':1\r\n', bulk('x')),
    )
    expect(sent).toEqual({ words: ['FT.SEARCH', 'index', '5', '10', '\xff'], value: [1, 'x'] })
  })

  it('knows what it sends', async () => {
    const link = new FakeLink(Array.from({ length: 5 }, () => '_\r\n'))
    const client = redisClient(link)
    await client.call('get', 'k')
    await client.call('SET', 'k', 'v', { idempotent: true })
    await client.call('XREAD', 'BLOCK', 100, 'STREAMS', 's', '$')
    await client.call('BLPOP', 'k', 0)
    await client.call('MEMORY', 'PURGE')
    expect(
      link.calls.map(({ name, access, idempotent, on, options }) => ({ name, access, idempotent, on, options })),
    ).toEqual([
      { name: 'GET', access: 'read', idempotent: true, on: 'lane', options: undefined },
      { name: 'SET', access: 'write', idempotent: false, on: 'lane', options: { idempotent: true } },
      { name: 'XREAD', access: 'read', idempotent: true, on: 'session', options: { deadlineMs: 5100 } },
      { name: 'BLPOP', access: 'write', idempotent: false, on: 'session', options: { deadlineMs: 0 } },
      { name: 'MEMORY', access: 'write', idempotent: false, on: 'lane', options: undefined },
    ])
  })

  it('refuses what must not be shared, and names what to use', async () => {
    const client = redisClient(new FakeLink())
    await expect(client.call('select', 3)).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('session()'),
    })
    await expect(client.call('CLIENT', 'reply', 'OFF')).rejects.toThrow('CLIENT REPLY is not sent from here')
    const session = await client.session()
    await expect(session.call('MONITOR')).rejects.toMatchObject({ code: 'REFUSED' })
    const reply = Buffer.from('rePLY')
    await expect(client.call('CLIENT', reply, 'SKIP')).rejects.toThrow('CLIENT REPLY is not sent from here')
    await expect(session.call('CLIENT', reply, 'SKIP')).rejects.toMatchObject({ code: 'REFUSED' })
    expect(() => client.multi().call('CLIENT', reply, 'SKIP')).toThrow('CLIENT REPLY')
  })
})

describe('blocking commands', () => {
  it('take a connection of their own, and a deadline from their timeout', async () => {
    const link = new FakeLink(['_\r\n', '_\r\n', '_\r\n', '_\r\n'])
    const client = redisClient(link)
    await client.blpop('a', 'b', 0)
    await client.brpop('a', 1.5)
    await client.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 10, 'STREAMS', 's', '>', { deadlineMs: 7 })
    await client.xread('STREAMS', 's', '0')
    expect(link.calls.map(({ on, options }) => [on, options?.deadlineMs])).toEqual([
      ['session', 0],
      ['session', 6500],
      ['session', 7],
      ['lane', undefined],
    ])
  })
})

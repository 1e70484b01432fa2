/** Commands against a real server, in both protocol versions. */
import { LocalError } from '@iokernel/core'
import { RedisError } from '@iokernel/redis'
import { expect, it } from 'vitest'
import { inEveryMode } from '../../fixtures/world.ts'

inEveryMode('commands', { protocols: [3, 2] }, (world) => {
  it('keeps text and bytes as they are', async () => {
    const client = world.connect()
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    await client.set(bytes, bytes)
    expect(await client.bytes.get(bytes)).toEqual(bytes)
    await client.set('text', 'ü€𝄞\r\n$5\r\n')
    expect(await client.get('text')).toBe('ü€𝄞\r\n$5\r\n')
    expect(await client.get('')).toBeNull()
    await client.set('', '')
    expect(await client.get('')).toBe('')
  })

  it('keeps integers exact', async () => {
    const client = world.connect()
    await client.set('n', 9223372036854775806n)
    expect(await client.incr('n')).toBe(9223372036854775807n)
    expect(await client.decrby('n', 9223372036854775807n)).toBe(0)
    await expect(client.incrby('n', '9223372036854775808' as never)).rejects.toBeInstanceOf(RedisError)
  })

  it('gives the same for hashes, sets, sorted sets and streams in both versions', async () => {
    const client = world.connect()
    await client.hset('h', 'f', 'v', '__proto__', 2)
    expect({ ...(await client.hgetall('h')) }).toEqual(
      Object.fromEntries([
        ['f', 'v'],
        ['__proto__', '2'],
      ]),
    )
    expect(await client.bytes.hgetall('h')).toHaveLength(2)
    await client.sadd('s', 'a', 'b', 3)
    expect((await client.smembers('s')).sort()).toEqual(['3', 'a', 'b'])
    await client.zadd('z', 1.5, 'a', Number.POSITIVE_INFINITY, 'b', Number.NEGATIVE_INFINITY, 'c')
    expect(await client.zrangeWithScores('z', 0, -1)).toEqual([
      { member: 'c', score: Number.NEGATIVE_INFINITY },
      { member: 'a', score: 1.5 },
      { member: 'b', score: Number.POSITIVE_INFINITY },
    ])
    expect(await client.zmscore('z', 'a', 'nobody')).toEqual([1.5, null])
    expect(await client.zpopmin('z')).toEqual([{ member: 'c', score: Number.NEGATIVE_INFINITY }])
    expect(await client.zpopmax('z', 2)).toHaveLength(2)
    const id = (await client.xadd('x', '*', 'f', 'v')) as string
    expect(await client.xrange('x', '-', '+')).toEqual([{ id, fields: { f: 'v' } }])
    expect(await client.xread('COUNT', 1, 'STREAMS', 'x', '0')).toEqual([
      { stream: 'x', entries: [{ id, fields: { f: 'v' } }] },
    ])
    await client.geoadd('g', 13.361389, 38.115556, 'Palermo')
    expect((await client.geopos('g', 'Palermo', 'nowhere'))[0]?.longitude).toBeCloseTo(13.36, 2)
    expect((await client.configGet('maxmemory', 'port'))['maxmemory']).toBe('0')
    expect(await client.info('server')).toContain('redis_version')
    expect(await client.type('z2')).toBe('none')
    expect(Math.abs((await client.time()).getTime() - Date.now())).toBeLessThan(60_000)
  })

  it('reads what scripts return', async () => {
    const client = world.connect()
    const script = (source: string) => client.call('EVAL', source, 0)
    expect(await script('return {1, "a", {}, {{}}, false, 9007199254740993}')).toEqual([
      1,
      'a',
      [],
      [[]],
      null,
      9007199254740992n,
    ])
    expect(await script("return redis.status_reply('a\tb\x01')")).toBe('a\tb\u0001')
    await expect(script("return redis.error_reply('MY own\tfault')")).rejects.toMatchObject({
      code: 'MY',
      message: 'own\tfault',
    })
    await expect(script("return redis.error_reply('a\\r\\nb')")).rejects.toBeInstanceOf(RedisError)
    expect(await script("return redis.call('SET', 'k', '')")).toBe('OK')
  })

  it('gives errors of the server as they are, and goes on', async () => {
    const client = world.connect()
    await client.set('text', 'x')
    const results = await Promise.allSettled([
      client.incr('text'),
      client.get('text'),
      client.call('NOPE', 1),
      client.get('text'),
    ])
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code))).toEqual([
      'ERR',
      'x',
      'ERR',
      'x',
    ])
  })

  it('finds wrong arguments here, and goes on', async () => {
    const client = world.connect()
    const results = await Promise.allSettled([
      client.set('k', 'v'),
      client.set('k', undefined as never),
      client.get('k'),
    ])
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'ARGUMENT', sent: 'no' } })
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(LocalError)
    expect(results[2]).toMatchObject({ value: 'v' })
  })

  it('answers calls that are not awaited in order', async () => {
    const client = world.connect()
    const calls: Promise<unknown>[] = []
    for (let index = 0; index < 2000; index++) calls.push(client.incr('counter'))
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 2000 }, (_, index) => index + 1))
  })

  it('walks all keys, fields, members and scores', async () => {
    const client = world.connect({ database: 3 })
    await client.mset('a', 1, ...Array.from({ length: 1000 }, (_, index) => [`key:${index}`, index]).flat())
    const keys = new Set<string>()
    for await (const key of client.scan({ match: 'key:*', count: 100 })) keys.add(key)
    expect(keys.size).toBe(1000)
    await client.hset('h', 'f', 'v', ...Array.from({ length: 1000 }, (_, index) => [`f${index}`, index]).flat())
    const fields = new Map<string, string>()
    for await (const [field, value] of client.hscan('h', { count: 50 })) fields.set(field, value)
    expect(fields.get('f999')).toBe('999')
    await client.zadd('z', 1, 'a', 2.5, 'b')
    for await (const { member, score } of client.zscan('z')) expect(score).toBe(member === 'a' ? 1 : 2.5)
  })

  it('calls scripts by their digest, also after the server has forgotten them', async () => {
    const client = world.connect()
    const script = client.script("return {KEYS[1], ARGV[1], 'ü'}")
    expect(await script(['k'], ['v'])).toEqual(['k', 'v', 'ü'])
    await client.scriptFlush()
    expect(await Promise.all([script(['k'], [1]), script(['k'], [2])])).toEqual([
      ['k', '1', 'ü'],
      ['k', '2', 'ü'],
    ])
    await client.functionLoad(
      'REPLACE',
      "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)",
    )
    expect(await client.fcall('twice', 0, 21)).toBe(42)
  })

  it('refuses what would change the connection for others', async () => {
    const client = world.connect()
    const commands = [
      ['SELECT', 3],
      ['CLIENT', 'REPLY', 'OFF'],
      ['MONITOR'],
      ['RESET'],
      ['QUIT'],
      ['HELLO', 2],
      ['MULTI'],
      ['SUBSCRIBE', 'x'],
    ] as const
    for (const [name, ...rest] of commands) {
      await expect(client.call(name, ...rest)).rejects.toMatchObject({ code: 'REFUSED', sent: 'no' })
    }
    expect(await client.ping()).toBe('PONG')
  })
})

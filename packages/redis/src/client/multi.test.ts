/** Batches, sessions and scripts against a link whose other end is the test. */
import { RemoteProtocolError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { FakeLink } from '../../fixtures/link.ts'
import { command } from '../../fixtures/script.ts'
import { redisClient } from '../client.ts'
import { RedisError } from '../codec/errors.ts'

describe('multi', () => {
  it('leaves as one request and gives each command its own result', async () => {
    for (const resp of [2, 3] as const) {
      const score = resp === 3 ? ',1.5\r\n' : '$3\r\n1.5\r\n'
      const link = new FakeLink(
        [`+OK\r\n${'+QUEUED\r\n'.repeat(4)}*4\r\n+OK\r\n-ERR value is not an integer\r\n${score}:1\r\n`],
        resp,
      )
      const results = await redisClient(link)
        .multi()
        .set('k', 'v')
        .incr('k')
        .zscore('z', 'm')
        .call('ANY', 1)
        .exec({ deadlineMs: 9 })
      expect(results[0]).toBe('OK')
      expect(results[1]).toBeInstanceOf(RedisError)
      expect(results.slice(2)).toEqual([1.5, 1])
      const [call] = link.calls
      expect(call?.bytes).toBe(['MULTI', 'SET k v', 'INCR k', 'ZSCORE z m', 'ANY 1', 'EXEC'].map(command).join(''))
      expect(call).toMatchObject({ hint: 5, name: 'MULTI', idempotent: false, options: { deadlineMs: 9 } })
    }
  })

  it('names the command that aborted it', async () => {
    const link = new FakeLink([
      '+OK\r\n+QUEUED\r\n-ERR unknown command\r\n+QUEUED\r\n-EXECABORT Transaction discarded\r\n',
    ])
    const failing = redisClient(link).multi().get('a').call('NOPE').get('b').exec()
    await expect(failing).rejects.toMatchObject({
      code: 'EXECABORT',
      message: 'NOPE, command 1 of the batch, was refused: ERR unknown command',
      fields: { commandIndex: 1, command: 'NOPE' },
      cause: expect.objectContaining({ code: 'ERR' }),
    })
  })

  it('gives MULTI’s own refusal, and an abort that nothing explains, as they are', async () => {
    const refused = new FakeLink(['-NOPERM no\r\n-NOPERM no\r\n-ERR EXEC without MULTI\r\n'])
    await expect(redisClient(refused).multi().get('a').exec()).rejects.toMatchObject({ code: 'NOPERM' })
    const aborted = new FakeLink(['+OK\r\n+QUEUED\r\n-EXECABORT x\r\n'])
    await expect(redisClient(aborted).multi().get('a').exec()).rejects.toMatchObject({
      code: 'EXECABORT',
      message: 'x',
    })
  })

  it('is null when a watched key was changed', async () => {
    for (const nothing of ['_\r\n', '*-1\r\n']) {
      const link = new FakeLink(['+OK\r\n', `+OK\r\n+QUEUED\r\n${nothing}`])
      const session = await redisClient(link).session()
      await session.watch('k')
      expect(await session.multi().get('a').exec()).toBeNull()
    }
  })

  it('may be empty, which still tells whether a watched key was changed', async () => {
    const link = new FakeLink(['+OK\r\n*0\r\n'])
    expect(await redisClient(link).multi().exec()).toEqual([])
    expect(link.calls[0]?.hint).toBe(1)
  })

  it('gives statuses as text in the view of bytes', async () => {
    const link = new FakeLink(['+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nv\r\n'])
    expect(await redisClient(link).bytes.multi().set('k', 'v').get('k').exec()).toEqual(['OK', new Uint8Array([118])])
  })

  it('refuses what does not belong into a batch', () => {
    const multi = redisClient(new FakeLink()).multi()
    expect(() => multi.call('SUBSCRIBE', 'a')).toThrow('subscribe()')
    expect(() => multi.call('WATCH', 'a')).toThrow('session()')
    expect(() => multi.call('SELECT', 1)).toThrow('session()')
    expect(() => multi.get('a', { deadlineMs: 1 })).toThrow('exec()')
    expect(() => multi.get('a', { ttl: 1 } as never)).toThrow('no call option')
    expect(multi.length).toBe(0)
  })

  it('is sent once', async () => {
    const multi = redisClient(new FakeLink(['+OK\r\n*0\r\n'])).multi()
    await multi.exec()
    await expect(multi.exec()).rejects.toThrow('was sent')
    expect(() => multi.get('a')).toThrow('was sent')
  })

  it('finds wrong arguments before anything is written', async () => {
    const link = new FakeLink(['x'])
    await expect(
      redisClient(link)
        .multi()
        .get('a')
        .set('k', undefined as never)
        .exec(),
    ).rejects.toMatchObject({ code: 'ARGUMENT' })
    expect(link.calls).toEqual([])
  })

  it('does not take a wrong number of replies for a result', async () => {
    for (const reply of ['+OK\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n', '+OK\r\n*1\r\n:1\r\n', '+OK\r\n+QUEUED\r\n:1\r\n']) {
      await expect(
        redisClient(new FakeLink([reply]))
          .multi()
          .get('a')
          .exec(),
      ).rejects.toThrow(RemoteProtocolError)
    }
  })
})

describe('session', () => {
  it('is closed when its work ends, also when it fails', async () => {
    const link = new FakeLink(['+OK\r\n'])
    const client = redisClient(link)
    expect(await client.session((session) => session.set('k', 'v'))).toBe('OK')
    expect(link.closed).toBe(1)
    await expect(client.session(() => Promise.reject(new Error('work')))).rejects.toThrow('work')
    expect(link.closed).toBe(2)
  })

  it('may do what a shared connection may not', async () => {
    const link = new FakeLink(['+OK\r\n', ':1\r\n', '+OK\r\n', '$1\r\nv\r\n'])
    const session = await redisClient(link).session()
    await session.call('SELECT', 3)
    expect(await session.call('WAIT', 1, 100)).toBe(1)
    await session.unwatch()
    expect(await session.bytes.get('k')).toEqual(new Uint8Array([118]))
    expect(session.lost).toBe(false)
    await expect(session.watch(...([] as unknown as [string]))).rejects.toMatchObject({ code: 'ARGUMENT' })
    await session.close()
  })
})

describe('scripts', () => {
  const sha1 = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'

  it('are sent by digest, and by source where the server does not know them', async () => {
    const link = new FakeLink([':1\r\n', '-NOSCRIPT No matching script\r\n', ':2\r\n'])
    const script = redisClient(link).script('return 1')
    expect([script.sha1, script.source]).toEqual([sha1, 'return 1'])
    expect(await script(['k'], [5])).toBe(1)
    expect(await script([], [])).toBe(2)
    expect(link.calls.map(({ bytes }) => bytes)).toEqual([
      command(`EVALSHA ${sha1} 1 k 5`),
      command(`EVALSHA ${sha1} 0`),
      '*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n',
    ])
  })

  it('that only read may be sent again', async () => {
    const link = new FakeLink([':1\r\n'])
    await redisClient(link).script('return 1', { readOnly: true })([], [])
    expect(link.calls[0]).toMatchObject({ name: 'EVALSHA_RO', idempotent: true })
  })

  it('give their errors as they are', async () => {
    const link = new FakeLink(['-ERR user_script:1: boom\r\n'])
    await expect(redisClient(link).script('x')([], [])).rejects.toMatchObject({ code: 'ERR' })
  })
})

describe('scan', () => {
  it('walks page by page, with a cursor of 64 bits', async () => {
    const link = new FakeLink([
      '*2\r\n$20\r\n18446744073709551615\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n',
      '*2\r\n$1\r\n7\r\n*0\r\n',
      '*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc\r\n',
    ])
    const keys: string[] = []
    for await (const key of redisClient(link).scan({ match: 'x*', count: 2, type: 'hash', call: { deadlineMs: 5 } }))
      keys.push(key)
    expect(keys).toEqual(['a', 'b', 'c'])
    expect(link.calls.map(({ bytes }) => bytes)).toEqual(
      ['0', '18446744073709551615', '7'].map((cursor) => command(`SCAN ${cursor} TYPE hash MATCH x* COUNT 2`)),
    )
    expect(link.calls[0]?.options).toEqual({ deadlineMs: 5 })
  })

  it('reads fields, members and scores, and stops when its reader does', async () => {
    const link = new FakeLink([
      '*2\r\n$1\r\n0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n',
      '*2\r\n$1\r\n5\r\n*1\r\n$1\r\nm\r\n',
      '*2\r\n$1\r\n0\r\n*2\r\n$1\r\nm\r\n$3\r\n1.5\r\n',
    ])
    const client = redisClient(link)
    for await (const pair of client.hscan('h')) expect(pair).toEqual(['f', 'v'])
    for await (const member of client.sscan('s')) {
      expect(member).toBe('m')
      break
    }
    for await (const entry of client.zscan('z')) expect(entry).toEqual({ member: 'm', score: 1.5 })
    expect(link.calls).toHaveLength(3)
  })
})

/** What one caller does must not be felt by another: the hard cases of a shared connection, against a real server. */
import { describe, expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

inEveryMode('sharing', {}, (world) => {
  describe('blocking commands', () => {
    it('hold nobody else up, and take their own time', async () => {
      const client = world.connect()
      const blocked = client.blpop('queue', 0)
      const soon = client.blpop('nothing', 0.1)
      const started = performance.now()
      for (let index = 0; index < 100; index++) await client.set('k', index)
      expect(performance.now() - started).toBeLessThan(5000)
      expect(await soon).toBeNull()
      await client.rpush('queue', 'element')
      expect(await blocked).toEqual(['queue', 'element'])
    })

    it('are told from their kin by BLOCK', async () => {
      const client = world.connect()
      const id = (await client.clientId()) as number
      const before = await client.info('clients')
      expect(await client.xread('STREAMS', 'nothing', '0')).toBeNull()
      expect(await client.info('clients')).toBe(before)
      const blocked = client.xread('BLOCK', 0, 'STREAMS', 'stream', '$')
      await until(async () => (await client.info('clients')).includes('blocked_clients:1'))
      await client.xadd('stream', '*', 'f', 'v')
      expect(await blocked).toMatchObject([{ stream: 'stream', entries: [{ fields: { f: 'v' } }] }])
      expect(await client.clientId()).toBe(id)
    })

    it('end with their signal', async () => {
      const client = world.connect()
      const controller = new AbortController()
      const blocked = client.blpop('nothing', 0, { signal: controller.signal })
      setTimeout(() => controller.abort(), 50)
      await expect(blocked).rejects.toMatchObject({ name: 'AbortError' })
      expect(await client.ping()).toBe('PONG')
    })
  })

  describe('a call that nobody waits for any more', () => {
    it('keeps its place: every other gets its own reply', async () => {
      const client = world.connect()
      await client.ready()
      const keys = Array.from({ length: 200 }, (_, index) => `own:${index}`)
      await Promise.all(keys.map((key) => client.set(key, key)))
      const session = await client.session()
      // The server stands still, so that the calls behind are written and not answered.
      const stall = session.call('DEBUG', 'SLEEP', '0.3')
      await new Promise((resolve) => setTimeout(resolve, 50))
      const controller = new AbortController()
      const results = keys.map((key, index) =>
        client.get(key, index % 3 === 0 ? { deadlineMs: 40 } : index % 3 === 1 ? { signal: controller.signal } : {}),
      )
      const settled = Promise.allSettled(results)
      setTimeout(() => controller.abort(), 50)
      for (const [index, result] of (await settled).entries()) {
        if (index % 3 === 2) expect(result).toEqual({ status: 'fulfilled', value: keys[index] })
        else
          expect(result).toMatchObject({
            status: 'rejected',
            reason: { name: index % 3 === 0 ? 'TimeoutError' : 'AbortError' },
          })
      }
      await stall
      await session.close()
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys)
    })
  })

  describe('batches', () => {
    it('stay together while others call', async () => {
      const client = world.connect()
      const callers = Array.from({ length: 50 }, async (_, caller) => {
        const noise = Array.from({ length: 5 }, () => client.set('noise', caller))
        const batch = client.multi().set('owner', caller).get('owner').incr('batches').get('owner').exec()
        await Promise.all(noise)
        return await batch
      })
      for (const [caller, results] of (await Promise.all(callers)).entries()) {
        expect(results[1]).toBe(String(caller))
        expect(results[3]).toBe(String(caller))
      }
      expect(await client.get('batches')).toBe('50')
    })

    it('give each command its own error, and the whole an error where one is refused', async () => {
      const client = world.connect()
      const results = await client.multi().set('text', 'x').incr('text').get('text').exec()
      expect(results).toMatchObject(['OK', { code: 'ERR' }, 'x'])
      await client.set('untouched', 'before')
      const refused = client.multi().set('untouched', 'after').call('GET').exec()
      await expect(refused).rejects.toMatchObject({ code: 'EXECABORT', fields: { commandIndex: 1, command: 'GET' } })
      expect(await client.get('untouched')).toBe('before')
    })

    it('find out about a watched key: of two callers at once, one wins', async () => {
      const client = world.connect()
      await client.set('watched', 0)
      const attempt = () =>
        client.session(async (session) => {
          await session.watch('watched')
          const value = Number(await session.get('watched'))
          await new Promise((resolve) => setTimeout(resolve, 30))
          return await session
            .multi()
            .set('watched', value + 1)
            .exec()
        })
      const results = await Promise.all([attempt(), attempt()])
      expect(results.filter((result) => result === null)).toHaveLength(1)
      expect(await client.get('watched')).toBe('1')
    })
  })

  describe('sessions', () => {
    it('leave nothing behind for the next', async () => {
      const client = world.connect({ database: 2, clientName: 'tests' })
      await client.session(async (session) => {
        await session.call('SELECT', 5)
        await session.call('CLIENT', 'SETNAME', 'changed')
        await session.watch('k')
        await session.set('k', 'in 5')
      })
      await client.session(async (session) => {
        const info = await session.clientInfo()
        expect(info).toMatch(/ db=2 /)
        expect(info).toMatch(/ name=tests /)
        expect(info).toMatch(/ resp=3/)
        expect(await session.get('k')).toBeNull()
      })
      expect(await client.get('k')).toBeNull()
    })

    it('run side by side', async () => {
      const client = world.connect()
      const ids = await Promise.all(Array.from({ length: 5 }, () => client.session((session) => session.clientId())))
      expect(ids).toHaveLength(5)
      expect(ids).not.toContain(await client.clientId())
    })

    it('read attributes that a server puts before a reply', async () => {
      await world.connect().session(async (session) => {
        expect(await session.call('DEBUG', 'PROTOCOL', 'ATTRIB')).toBe('Some real reply following the attribute')
        for (const kind of [
          'STRING',
          'INTEGER',
          'DOUBLE',
          'NULL',
          'ARRAY',
          'SET',
          'MAP',
          'BIGNUM',
          'TRUE',
          'FALSE',
          'VERBATIM',
        ]) {
          await session.call('DEBUG', 'PROTOCOL', kind)
        }
        expect(await session.call('DEBUG', 'PROTOCOL', 'BIGNUM')).toBe(1234567999999999999999999999999999999n)
        expect(await session.ping()).toBe('PONG')
      })
    })
  })

  it('carries large values between small ones', async () => {
    const client = world.connect()
    const large = 'x'.repeat(32 << 20)
    await client.set('large', large, { deadlineMs: 0 })
    const calls: Promise<unknown>[] = []
    for (let index = 0; index < 1000; index++) {
      if (index % 250 === 100) calls.push(client.get('large', { deadlineMs: 0 }).then((value) => value === large))
      else calls.push(client.set('small', index).then((value) => value === 'OK'))
    }
    expect((await Promise.all(calls)).every(Boolean)).toBe(true)
  })
})

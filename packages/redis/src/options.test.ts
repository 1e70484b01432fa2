/** Options of every method: what is refused, before anything has happened. */
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { FakeLink } from '../fixtures/link.ts'
import { type RedisClient, redisClient } from './client.ts'

describe('wrong options', () => {
  type Method = (...given: unknown[]) => Loose
  type Loose = Method & { readonly [Name in keyof RedisClient | 'exec']: Method }
  const anyone = () => undefined
  const wrong: [string, (client: Loose) => unknown][] = [
    ['session, an unknown name', (c) => c.session({ bogus: 1 })],
    ['session, no object', (c) => c.session(5)],
    ['session, null', (c) => c.session(null)],
    ['session, too many', (c) => c.session({}, {})],
    ['session with work, an unknown name', (c) => c.session(anyone, { bogus: 1 })],
    ['session with work, too many', (c) => c.session(anyone, {}, 1)],
    ['multi, options', (c) => c.multi({ deadlineMs: 5 })],
    ['exec, an unknown name', (c) => c.multi().exec({ bogus: 1 })],
    ['exec, no signal', (c) => c.multi().exec({ signal: 'x' })],
    ['exec, null', (c) => c.multi().exec(null)],
    ['subscribe, null', (c) => c.subscribe('a', null)],
    ['subscribe, a list', (c) => c.subscribe('a', ['b'])],
    ['subscribe, an unknown name', (c) => c.subscribe('a', { bogus: 1 })],
    ['subscribe, no signal', (c) => c.subscribe('a', { signal: {} })],
    ['psubscribe, a deadline before now', (c) => c.psubscribe('a', { deadlineMs: -1 })],
    ['ssubscribe, no count', (c) => c.ssubscribe('a', { eventsMax: 1.5 })],
    ['subscribe, options first', (c) => c.subscribe({}, 'a')],
    ['invalidations, null', (c) => c.invalidations(null)],
    ['invalidations, an unknown name', (c) => c.invalidations({ prefix: ['a'] })],
    ['invalidations, one text', (c) => c.invalidations({ prefixes: 'ab' })],
    ['invalidations, numbers', (c) => c.invalidations({ prefixes: [5] })],
    ['invalidations, too many', (c) => c.invalidations({}, {})],
    ['scan, null', (c) => c.scan(null)],
    ['scan, an unknown name', (c) => c.scan({ macth: 'x' })],
    ['scan, no count', (c) => c.scan({ count: 'x' })],
    ['scan, a type that is no text', (c) => c.scan({ type: 5 })],
    ['scan, an unknown call option', (c) => c.scan({ call: { bogus: 1 } })],
    ['hscan, no key', (c) => c.hscan()],
    ['hscan, a type', (c) => c.hscan('k', { type: 'hash' })],
    ['sscan, too many', (c) => c.sscan('k', {}, 1)],
    ['zscan, no options', (c) => c.zscan('k', 'x')],
    ['script, no source', (c) => c.script(5)],
    ['script, null for options', (c) => c.script('x', null)],
    ['script, readOnly as text', (c) => c.script('x', { readOnly: 'yes' })],
    ['script, called with nothing', (c) => c.script('x')()],
    ['script, called with a key', (c) => c.script('x')('ab', [])],
    ['script, called with null', (c) => c.script('x')(null, [])],
    ['script, an unknown call option', (c) => c.script('x')([], [], { bogus: 1 })],
    ['ready, an unknown name', (c) => c.ready({ bogus: 1 })],
    ['ready, no signal', (c) => c.ready({ signal: {} })],
    ['close, null', (c) => c.close(null)],
    ['close, a deadline as text', (c) => c.close({ deadlineMs: '5' })],
    ['onState, nothing', (c) => c.onState()],
    ['onState, null', (c) => c.onState(null)],
  ]
  it.each(wrong)('%s: a local error, and nothing has happened', async (_, call) => {
    const link = new FakeLink(['+OK\r\n'])
    const failing = (async () => call(redisClient(link) as unknown as Loose))()
    await expect(failing).rejects.toThrow(LocalError)
    await expect(failing).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    expect([link.calls, link.interests.size, link.closed]).toEqual([[], 0, 0])
  })

  it('are thrown where a method returns at once, and reject where it promises', async () => {
    const client = redisClient(new FakeLink())
    expect(() => client.scan(null as never)).toThrow(LocalError)
    expect(() => client.subscribe('a', null as never)).toThrow(LocalError)
    for (const promise of [
      client.session(null as never),
      client.multi().exec(null as never),
      client.ready(null as never),
    ])
      await expect(promise).rejects.toThrow(LocalError)
  })

  it('do not use up a batch', async () => {
    const batch = redisClient(new FakeLink(['+OK\r\n*0\r\n'])).multi()
    await expect(batch.exec({ deadlineMs: -1 })).rejects.toThrow('deadlineMs')
    expect(await batch.exec()).toEqual([])
  })
})

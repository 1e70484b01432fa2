/** Options of every method: what is refused, before anything has happened. */
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { done, FakeLink } from '../fixtures/link.ts'
import { APP_DEFAULTS } from './app.ts'
import { type PostgresClient, postgresClient } from './client.ts'

type Method = (...given: unknown[]) => Loose
type Loose = Method & { readonly [Name in keyof PostgresClient | 'next' | 'run']: Method }

const work = async () => undefined
const IN = 'copy t from stdin'
const OUT = 'copy t to stdout'

describe('wrong options', () => {
  const wrong: [string, (client: Loose) => unknown][] = [
    ['query, an unknown name', (c) => c.query('select 1', [], { bogus: 1 })],
    ['query, null', (c) => c.query('select 1', [], null)],
    ['query, no object', (c) => c.query('select 1', [], 5)],
    ['query, options for values', (c) => c.query('select 1', { rows: 'arrays' })],
    ['query, too many', (c) => c.query('select 1', [], {}, {})],
    ['query, a template', (c) => c.query(['select 1'])],
    ['simple, values', (c) => c.simple('select 1', [1])],
    ['simple, an option of a query', (c) => c.simple('select 1', { prepare: false })],
    ['simple, too many', (c) => c.simple('select 1', {}, {})],
    [
      'sql, an unknown name',
      (c) => (c.sql as unknown as (s: unknown) => Loose)(Object.assign(['a'], { raw: ['a'] })).run({ b: 1 }),
    ],
    ['stream, an option of a query', (c) => c.stream('select 1', [], { idempotent: true })],
    ['stream, no values', (c) => c.stream('select 1', 5)],
    ['stream, too many', (c) => c.stream('select 1', [], {}, {})],
    ['copyFrom, no source', (c) => c.copyFrom(IN)],
    ['copyFrom, an option of a query', (c) => c.copyFrom(IN, [], { rows: 'arrays' })],
    ['copyFrom, no signal', (c) => c.copyFrom(IN, [], { signal: 'x' })],
    ['copyFrom, too many', (c) => c.copyFrom(IN, [], {}, {})],
    ['copyFrom, no statement', (c) => c.copyFrom(5, [])],
    ['copyTo, null', (c) => c.copyTo(OUT, null)],
    ['copyTo, too many', (c) => c.copyTo(OUT, {}, {})],
    ['transaction, no function', (c) => c.transaction({ retries: 1 })],
    ['transaction, an unknown name', (c) => c.transaction(work, { isolationLevel: 'serializable' })],
    ['transaction, a half retry', (c) => c.transaction(work, { retries: 0.5 })],
    ['transaction, too many', (c) => c.transaction(work, {}, {})],
    ['session, an unknown name', (c) => c.session({ bogus: 1 })],
    ['session, null', (c) => c.session(null)],
    ['session, no object', (c) => c.session(5)],
    ['session, too many', (c) => c.session({}, {})],
    ['session with work, an unknown name', (c) => c.session(work, { bogus: 1 })],
    ['session with work, too many', (c) => c.session(work, {}, 1)],
    ['withLock, no key', (c) => c.withLock('x', work)],
    ['withLock, no function', (c) => c.withLock(1)],
    ['withLock, an unknown name', (c) => c.withLock(1, work, { bogus: 1 })],
    ['listen, null', (c) => c.listen('a', null)],
    ['listen, a list', (c) => c.listen(['a'])],
    ['listen, an unknown name', (c) => c.listen('a', { bogus: 1 })],
    ['listen, no count', (c) => c.listen('a', { eventsMax: 1.5 })],
    ['listen, options first', (c) => c.listen({}, 'a')],
    ['notify, a payload that is no text', (c) => c.notify('a', 5)],
    ['notify, an unknown name', (c) => c.notify('a', 'b', { bogus: 1 })],
    ['ready, an unknown name', (c) => c.ready({ bogus: 1 })],
    ['ready, no signal', (c) => c.ready({ signal: {} })],
    ['close, null', (c) => c.close(null)],
    ['close, a deadline as text', (c) => c.close({ deadlineMs: '5' })],
    ['onState, nothing', (c) => c.onState()],
    ['onPolluted, null', (c) => c.onPolluted(null)],
  ]
  it.each(wrong)('%s: a local error, and nothing has happened', async (_, call) => {
    const link = new FakeLink([done('SELECT 0')])
    const failing = (async () => call(postgresClient(link, APP_DEFAULTS) as unknown as Loose))()
    await expect(failing).rejects.toThrow(LocalError)
    await expect(failing).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    expect([link.calls, link.interests.size, link.sessions, link.closed]).toEqual([[], 0, [], 0])
  })

  it('are thrown where a method returns at once, and reject where it promises', async () => {
    const client = postgresClient(new FakeLink(), APP_DEFAULTS)
    expect(() => client.stream('select 1', [], null as never)).toThrow(LocalError)
    expect(() => client.copyTo(OUT, null as never)).toThrow(LocalError)
    expect(() => client.listen('a', null as never)).toThrow(LocalError)
    for (const promise of [
      client.query('select 1', [], null as never),
      client.simple('select 1', null as never),
      client.session(null as never),
      client.ready(null as never),
      client.copyFrom(IN, [], null as never),
    ]) {
      await expect(promise).rejects.toThrow(LocalError)
    }
  })
})

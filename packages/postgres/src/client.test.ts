/** What the client sends, and how: against a link that is the test's own. */
import { AbortedError, LocalError, type Pollution, RemoteError, type UpstreamState } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { done, executed, FakeLink, selected } from '../fixtures/link.ts'
import { error, message, query, READY, u16, u32 } from '../fixtures/messages.ts'
import { APP_DEFAULTS, type PostgresApp } from './app.ts'
import { type PostgresClient, postgresClient } from './client.ts'
import { RequestKind } from './codec/request.ts'

const ONE = selected([['a', 23]], ['1'])

function clientOf(link: FakeLink, app: Partial<PostgresApp> = {}): PostgresClient {
  return postgresClient(link, { ...APP_DEFAULTS, ...app })
}

describe('query()', () => {
  it('sends the statement in its envelope, and gives rows', async () => {
    const link = new FakeLink([ONE])
    const rows = await clientOf(link).query('select $1', ['x'])
    expect([...rows]).toEqual([{ a: 1 }])
    const [call] = link.calls
    expect(call?.hint).toBe(RequestKind.Prepared)
    const statement = 'select $1\0\0\0'
    const values = `${u16(0)}${u16(1)}${u32(1)}x${u16(0)}`
    expect(call?.bytes).toBe(u32(call?.fingerprint as number) + u32(statement.length) + statement + values)
  })

  it('says of a statement what follows from its text', async () => {
    const texts = ['select 1', 'insert into t values (1)', 'do $$ begin end $$', 'select mine()']
    const link = new FakeLink([ONE, ...texts.slice(1, 3).map(() => executed('X')), ONE])
    const client = clientOf(link)
    for (const text of texts) await client.query(text)
    expect(
      link.calls.map(({ name, access, idempotent, taints, on }) => [name, access, idempotent, taints, on]),
    ).toEqual([
      ['QUERY READ', 'read', true, false, 'lane'],
      ['QUERY WRITE', 'write', false, false, 'lane'],
      ['QUERY TAINT', 'write', false, true, 'lane'],
      ['QUERY TAINT', 'write', false, true, 'lane'],
    ])
    expect(new Set(link.calls.map(({ fingerprint }) => fingerprint)).size).toBe(4)
  })

  it('believes what a function is vouched for', async () => {
    const link = new FakeLink([ONE])
    await clientOf(link, { trustedFunctions: ['mine'] }).query('select mine()')
    expect(link.calls[0]).toMatchObject({ name: 'QUERY WRITE', taints: false })
  })

  it('passes the options of the call on, and keeps its own', async () => {
    const link = new FakeLink([ONE, ONE])
    const { signal } = new AbortController()
    const options = {
      rows: 'arrays',
      prepare: false,
      deadlineMs: 5,
      priority: 'high',
      idempotent: true,
      signal,
    } as const
    expect([...(await clientOf(link).query('select 1', [], options))]).toEqual([[1]])
    expect(link.calls[0]?.options).toEqual({ deadlineMs: 5, priority: 'high', idempotent: true, signal })
    expect(link.calls[0]?.hint).toBe(RequestKind.Plain)
    expect(link.calls[0]?.bytes).toMatch(/^P.*B.*D.*E.*S.{4}$/s)
    await clientOf(link, { prepare: false }).query('select 1')
    expect(link.calls[1]?.hint).toBe(RequestKind.Plain)
  })

  it.each<[string, (client: PostgresClient) => Promise<unknown>]>([
    ['an unknown option', (client) => client.query('select 1', [], { deadline: 1 } as never)],
    ['an option of a wrong type', (client) => client.query('select 1', [], { deadlineMs: '1' } as never)],
    ['a shape that is none', (client) => client.query('select 1', [], { rows: 'array' } as never)],
    ['a priority that is none', (client) => client.query('select 1', [], { priority: 'urgent' } as never)],
    ['null for options', (client) => client.query('select 1', [], null as never)],
    ['an argument too many', (client) => (client.query as (...given: unknown[]) => Promise<unknown>)('', [], {}, 1)],
    ['values that are no array', (client) => client.query('select $1', 5 as never)],
    ['a statement that is no string', (client) => client.query({ text: 'select 1' } as never)],
    ['a NUL in the statement', (client) => client.query('select \0')],
    ['two statements', (client) => client.query('select 1; select 2')],
    ['undefined for a value', (client) => client.query('select $1', [undefined])],
  ])('refuses %s, and sends nothing', async (_, call) => {
    const link = new FakeLink()
    await expect(call(clientOf(link))).rejects.toMatchObject({ side: 'local', code: 'ARGUMENT', sent: 'no' })
    expect(link.calls).toEqual([])
  })

  it('rejects with the error of the server, and when a transaction was left open', async () => {
    const link = new FakeLink([error('23505') + READY, executed('DO', 'T')])
    const client = clientOf(link)
    await expect(client.query('insert into t values (1)')).rejects.toMatchObject({ code: '23505', side: 'remote' })
    await expect(client.query('do $$ $$')).rejects.toMatchObject({ code: 'TRANSACTION_LEFT_OPEN', sent: 'maybe' })
  })
})

describe('simple()', () => {
  it('gives a result for each statement, and is judged by the worst', async () => {
    const both = selected([['a', 23]], ['1']).slice(5, -6) + done('CREATE TABLE')
    const link = new FakeLink([both])
    const results = await clientOf(link).simple('select 1; create table t ()')
    expect(results.map((rows) => rows.command)).toEqual(['SELECT', 'CREATE TABLE'])
    expect(link.calls[0]).toMatchObject({
      bytes: query('select 1; create table t ()'),
      hint: RequestKind.Plain,
      name: 'SIMPLE WRITE',
    })
    await expect(clientOf(link).simple('select 1; set a = 1')).rejects.toMatchObject({ code: 'SESSION_ONLY' })
  })
})

describe('sql`…`', () => {
  it('makes a parameter of everything that is put in', async () => {
    const link = new FakeLink([ONE])
    const evil = "'; drop table t; --"
    await clientOf(link).sql`select ${evil} where a = ${5}`
    expect(link.calls[0]?.bytes).toContain('select $1 where a = $2\0')
    expect(link.calls[0]?.bytes).toContain(u32(evil.length) + evil)
  })

  it('puts fragments and names together, and numbers the parameters through', async () => {
    const link = new FakeLink([ONE])
    const { sql } = clientOf(link)
    const since = sql`a > ${1} and ${sql`b < ${2}`}`
    await sql`select ${sql.identifier('my"schema', 'T')} from t where ${since} and c = ${3}`
    expect(link.calls).toHaveLength(1)
    expect(link.calls[0]?.bytes).toContain('select "my""schema"."T" from t where a > $1 and b < $2 and c = $3\0')
  })

  it('is sent when it is awaited, once', async () => {
    const link = new FakeLink([ONE])
    const statement = clientOf(link).sql`select 1`
    expect(link.calls).toHaveLength(0)
    await Promise.all([statement, statement.run(), statement.finally(() => undefined)])
    expect(link.calls).toHaveLength(1)
    await expect(statement.run({ deadlineMs: 1 })).rejects.toMatchObject({ code: 'ARGUMENT' })
  })

  it('takes options, and JSON that is an array', async () => {
    const link = new FakeLink([ONE])
    const { sql } = clientOf(link)
    expect([...(await sql`select ${sql.json([1])}`.run({ rows: 'arrays', deadlineMs: 7 }))]).toEqual([[1]])
    expect(link.calls[0]?.options).toEqual({ deadlineMs: 7 })
    expect(link.calls[0]?.bytes).toContain(`${u32(3)}[1]`)
  })

  it('refuses what is no template, and objects that look like fragments', async () => {
    const { sql } = clientOf(new FakeLink())
    expect(() => (sql as unknown as (text: string) => unknown)('select 1')).toThrow(LocalError)
    expect(() => (sql as unknown as (text: string[]) => unknown)(['select 1'])).toThrow(LocalError)
    expect(() => sql.identifier('')).toThrow(LocalError)
    expect(() => sql.identifier('a\0')).toThrow(LocalError)
    const link = new FakeLink([ONE])
    await clientOf(link).sql`select ${{ statement: { text: 'evil', values: [] }, strings: ['evil'] }}`
    expect(link.calls[0]?.bytes).toContain('select $1\0')
  })
})

describe('notify()', () => {
  it('is a statement like any other', async () => {
    const link = new FakeLink([executed('SELECT 1')])
    await clientOf(link).notify('Orders', 'new')
    expect(link.calls[0]).toMatchObject({ name: 'QUERY WRITE' })
    expect(link.calls[0]?.bytes).toContain(`${u32(6)}Orders${u32(3)}new`)
  })

  it.each(['', 'a\0', 'x'.repeat(64), 'ü'.repeat(32)])('refuses the channel %j', async (channel) => {
    await expect(clientOf(new FakeLink()).notify(channel)).rejects.toMatchObject({ code: 'ARGUMENT' })
    expect(() => clientOf(new FakeLink()).listen(channel)).toThrow(LocalError)
  })
})

describe('listen()', () => {
  const notification = (channel: string, payload: string) => message('A', u32(42), `${channel}\0${payload}\0`)

  it('gives what is sent to its channels, and gaps', async () => {
    const link = new FakeLink()
    const feed = clientOf(link).listen('a', 'B', 'a')
    await feed.ready()
    expect([...link.interests.keys()]).toEqual(['a', 'B'])
    link.push('a', notification('a', 'one'))
    for (const handler of link.interests.values()) handler.gap('reconnected')
    link.push('B', notification('B', ''))
    const events: unknown[] = []
    for await (const event of feed) {
      events.push(event)
      if (events.length === 3) break
    }
    expect(events).toEqual([
      { type: 'notification', channel: 'a', payload: 'one', processId: 42 },
      { type: 'gap', reason: 'reconnected' },
      { type: 'notification', channel: 'B', payload: '', processId: 42 },
    ])
    expect(link.ended).toEqual(['a', 'B'])
  })

  it('ends with what the server refuses, and gives back what it had', async () => {
    const link = new FakeLink()
    link.refuse = (key, handler) => {
      const frame = Buffer.from(error('42501'), 'latin1')
      return key === 'b' ? handler.refused?.({ bytes: frame, start: 0, end: frame.length }) : undefined
    }
    const feed = clientOf(link).listen('a', 'b')
    await expect(feed.ready()).rejects.toMatchObject({ code: '42501' })
    await expect(feed.next()).rejects.toMatchObject({ code: '42501' })
    expect(link.ended).toEqual(['a'])
  })

  it('drops what does not fit, and says so', async () => {
    const link = new FakeLink()
    const feed = clientOf(link).listen('a', { eventsMax: 2 })
    await feed.ready()
    for (let index = 0; index < 5; index++) link.push('a', notification('a', String(index)))
    await feed.close()
    const events: unknown[] = []
    for await (const event of feed) events.push((event as { payload?: string }).payload ?? event)
    expect(events).toEqual(['0', '1', { type: 'gap', reason: 'overflow' }])
  })

  it('gives up waiting with its signal, and with close()', async () => {
    const link = new FakeLink()
    link.silent = true
    const controller = new AbortController()
    const feed = clientOf(link).listen('a', { signal: controller.signal })
    const closed = clientOf(link).listen('a')
    controller.abort()
    await expect(feed.ready()).rejects.toBeInstanceOf(AbortedError)
    await closed.close()
    await expect(closed.ready()).rejects.toBeInstanceOf(AbortedError)
  })

  it('refuses what is no channel and no option', () => {
    const client = clientOf(new FakeLink())
    const listen = client.listen as (...given: unknown[]) => unknown
    for (const given of [[], [5], [['a']], ['a', { events: 1 }], [{ eventsMax: 1 }]]) {
      expect(() => listen.apply(client, given)).toThrow(LocalError)
    }
  })
})

describe('the upstream', () => {
  it('is shown as the kernel shows it', async () => {
    const seen: unknown[] = []
    const state: UpstreamState = { status: 'ready', endpoints: [], reason: undefined }
    const upstream = {
      authority: 'postgres://db/shop',
      state,
      ready: async (options?: object) => void seen.push(['ready', options]),
      onState: (listener: (state: UpstreamState) => void) => {
        listener(state)
        return { [Symbol.dispose]: () => undefined }
      },
      onPolluted: (listener: (pollution: Pollution) => void) => {
        listener({ endpoint: 'a:1', found: 'settings: x' })
        return { [Symbol.dispose]: () => undefined }
      },
      close: async (options?: object) => void seen.push(['close', options]),
    }
    const link = Object.defineProperty(new FakeLink(), 'upstream', { value: upstream })
    const client = clientOf(link)
    expect(client.state).toBe(state)
    client.onState((given) => seen.push(given.status))
    client.onPolluted((given) => seen.push(given.found))
    await client.ready({ deadlineMs: 5 })
    await client.close({ deadlineMs: 1 })
    await client[Symbol.asyncDispose]()
    expect(seen).toEqual([
      'ready',
      'settings: x',
      ['ready', { deadlineMs: 5 }],
      ['close', { deadlineMs: 1 }],
      ['close', undefined],
    ])
    await expect(client.ready({ timeout: 5 } as never)).rejects.toMatchObject({ code: 'ARGUMENT' })
    expect(() => client.onState(undefined as never)).toThrow(LocalError)
  })
})

describe('an error of the kernel', () => {
  it('is passed on as it is', async () => {
    const lost = new RemoteError('CONNECTION_LOST', 'the connection was lost')
    await expect(clientOf(new FakeLink([lost])).query('select 1')).rejects.toBe(lost)
  })
})

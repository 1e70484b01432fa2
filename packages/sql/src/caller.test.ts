/** What goes out, how it is judged, and what is refused before anything is sent. */
import { FakeLink } from '@iokernel/core/testing'
import { describe, expect, it } from 'vitest'
import { ToyClient, type ToySetup } from '../fixtures/toy.ts'

const ROW = '{"a":1}\n'

function sent(link: FakeLink): string[] {
  return link.calls.map(({ name, bytes }) => `${name}: ${bytes}`)
}

function clientOf(link: FakeLink, setup: ToySetup = {}): ToyClient {
  return new ToyClient(link, setup)
}

describe('a statement', () => {
  it('goes out as what it may do', async () => {
    const link = new FakeLink([ROW, '', '', ''])
    const client = clientOf(link)
    expect(await client.query('select :1', [1])).toEqual({ rows: [{ a: 1 }] })
    await client.query('insert')
    await client.query('call')
    expect(await client.simple('select')).toEqual([{ rows: [] }])
    expect(sent(link)).toEqual([
      'query read: prepared select :1 [1]',
      'query write: prepared insert',
      // The database does not prepare these.
      'query taint: call',
      'simple read: select',
    ])
  })

  it('is not prepared where the call, or the target, says so', async () => {
    const link = new FakeLink(['', '', ''])
    await clientOf(link).query('select', [], { prepare: false })
    const client = clientOf(link, { prepared: false })
    await client.query('select', [], { prepare: true })
    for await (const _ of client.stream('select')) throw new Error('there are no rows')
    expect(link.calls.map(({ bytes }) => bytes)).toEqual(['select', 'select', 'select'])
  })

  it('gives rows as it is asked to', async () => {
    const client = clientOf(new FakeLink([ROW, ROW]))
    expect(await client.query('select', [], { rows: 'arrays' })).toEqual({ rows: [[1]] })
    expect(await client.simple('select', { rows: 'arrays' })).toEqual([{ rows: [[1]] }])
  })

  it('is a template as well', async () => {
    const link = new FakeLink([ROW])
    const { sql } = clientOf(link)
    expect(await sql`select ${1} or ${sql`x = ${2}`}`).toEqual({ rows: [{ a: 1 }] })
    expect(sent(link)).toEqual(['query read: prepared select :1 or x = :2 [1,2]'])
  })

  it('goes out over a session as the caller’s own, whatever it may do', async () => {
    const link = new FakeLink(['', '', ''])
    await using session = await clientOf(link).session()
    await session.query('select')
    await session.query('set x')
    await session.simple('call;call')
    expect(sent(link)).toEqual([
      'query session: prepared select',
      'query session: prepared set x',
      'simple session: call;call',
    ])
  })
})

describe('refused, and nothing is sent', () => {
  const long: [string, string, (client: ToyClient) => Promise<unknown>][] = [
    ['what changes a shared connection', 'SESSION_ONLY', (c) => c.query('set x')],
    ['the same by simple()', 'SESSION_ONLY', (c) => c.simple('set x')],
    ['what no connection takes this way', 'REFUSED', (c) => c.query('copy t')],
    ['the same on a session', 'REFUSED', (c) => c.session((session) => session.simple('copy t'))],
    ['several statements at once', 'ARGUMENT', (c) => c.query('select;select')],
    ['a text that is none', 'ARGUMENT', (c) => c.query(1 as never)],
    ['values that are no array', 'ARGUMENT', (c) => c.query('select', 'a' as never)],
    ['an unknown option', 'ARGUMENT', (c) => c.query('select', [], { limit: 1 } as never)],
    ['an argument too many', 'ARGUMENT', (c) => c.query('select', [], {}, 1)],
    ['an argument too many of simple()', 'ARGUMENT', (c) => c.simple('select', {}, 1)],
  ]
  it.each(long)('%s', async (_, code, call) => {
    const link = new FakeLink()
    await expect(call(clientOf(link))).rejects.toMatchObject({ code })
    expect(link.calls).toEqual([])
  })

  it('several statements over a shared connection, where the database says so', async () => {
    const link = new FakeLink([''])
    const words = { several: 'make two', severalShared: 'use a session', endsTransaction: 'return' }
    const client = clientOf(link, { dialect: { words } })
    await expect(client.simple('select;select')).rejects.toMatchObject({ code: 'SESSION_ONLY' })
    await client.session((session) => session.simple('select;select'))
    expect(sent(link)).toEqual(['simple session: select;select'])
  })

  it('values of simple(), unless the database takes them', async () => {
    const link = new FakeLink([''])
    await expect(clientOf(link).simple('select', [1])).rejects.toMatchObject({ code: 'ARGUMENT' })
    await clientOf(link, { dialect: { simpleTakesValues: true } }).simple('select', [1], { deadlineMs: 5 })
    expect(sent(link)).toEqual(['simple read: select [1]'])
    expect(link.calls[0]?.options).toEqual({ deadlineMs: 5 })
  })
})

describe('a stream', () => {
  it('gives rows as they come, and asks as the statement may', async () => {
    const link = new FakeLink([`${ROW}${ROW}`, ''])
    link.pieceBytes = 3
    const rows: unknown[] = []
    for await (const row of clientOf(link).stream('select', [], { deadlineMs: 5 })) rows.push(row)
    for await (const row of clientOf(link).stream('insert')) rows.push(row)
    expect(rows).toEqual([{ a: 1 }, { a: 1 }])
    expect(sent(link)).toEqual(['stream read: prepared select', 'stream write: prepared insert'])
    expect(link.calls[0]?.options).toEqual({ deadlineMs: 5 })
  })

  it('refuses at once', () => {
    const client = clientOf(new FakeLink())
    expect(() => client.stream('set x')).toThrow(expect.objectContaining({ code: 'SESSION_ONLY' }))
    expect(() => client.stream('select', [], { idempotent: true } as never)).toThrow(/no option of a stream/)
    expect(() => client.stream('select', [], {}, 1)).toThrow(/1 arguments/)
  })
})

describe('a session', () => {
  it('is closed behind its function, whatever that does', async () => {
    const link = new FakeLink()
    const client = clientOf(link)
    expect(await client.session(async () => 'done', { deadlineMs: 5 })).toBe('done')
    await expect(client.session(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    expect(link.closed).toBe(2)
    expect(link.sessions).toEqual([{ deadlineMs: 5 }, undefined])
  })

  it('says when its connection is lost', async () => {
    const link = new FakeLink()
    const session = await clientOf(link).session()
    expect(session.lost).toBe(false)
    link.lost = true
    expect(session.lost).toBe(true)
    await expect(session.close(1)).rejects.toMatchObject({ code: 'ARGUMENT' })
    await session.close()
    expect(link.closed).toBe(1)
  })
})

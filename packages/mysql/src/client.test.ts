/** What the client sends, and how: against a link that is the test's own. */
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { FakeLink } from '../fixtures/link.ts'
import { column, end, err, ok, packet, prepared, query, result, row } from '../fixtures/packets.ts'
import { APP_DEFAULTS, type MysqlApp } from './app.ts'
import { type MysqlClient, mysqlClient } from './client.ts'
import { RequestFlag, RequestKind } from './codec/request.ts'

/** One binary row of one text. */
const ONE = [packet(1, 1), column(2, 'a'), packet(3, '\0\0\x011'), end(4)].join('')
const DONE = ok(1, 2, 1, 5)

function clientOf(link: FakeLink, app: Partial<MysqlApp> = {}): MysqlClient {
  return mysqlClient(link, { ...APP_DEFAULTS, zone: 0, ...app })
}

describe('query()', () => {
  it('sends the statement in its envelope, and gives rows', async () => {
    const link = new FakeLink([ONE])
    const rows = await clientOf(link).query('select ?', ['x'])
    expect([...rows]).toEqual([{ a: '1' }])
    const [call] = link.calls
    expect(call?.hint).toBe(RequestKind.Prepared)
    // All but the hash, which is ours.
    expect(call?.bytes.slice(4)).toBe(prepared('select ?', 'x').slice(4))
  })

  it('says of a statement what follows from its text', async () => {
    const texts = ['select 1', 'insert into t values (1)', 'call p()', 'select mine()', 'show tables']
    const link = new FakeLink([ONE, DONE, DONE, ONE, result(['a'], [['x']])])
    const client = clientOf(link)
    for (const text of texts) await client.query(text)
    expect(link.calls.map(({ name, access, idempotent, on, hint }) => [name, access, idempotent, on, hint])).toEqual([
      ['QUERY READ', 'read', true, 'lane', RequestKind.Prepared],
      ['QUERY WRITE', 'write', false, 'lane', RequestKind.Prepared],
      ['QUERY TAINT', 'write', false, 'session', RequestKind.Prepared],
      ['QUERY TAINT', 'write', false, 'session', RequestKind.Prepared],
      ['QUERY READ', 'read', true, 'lane', RequestKind.Text],
    ])
    expect(new Set(link.calls.map(({ fingerprint }) => fingerprint)).size).toBe(5)
    expect(link.calls.every(({ fingerprint }) => fingerprint > 0)).toBe(true)
  })

  it('believes what a function is vouched for', async () => {
    const link = new FakeLink([ONE])
    await clientOf(link, { trustedFunctions: ['mine'] }).query('select mine()')
    expect(link.calls[0]).toMatchObject({ name: 'QUERY WRITE', on: 'lane' })
  })

  it('writes values into the text where nothing is prepared, and says that it has', async () => {
    const link = new FakeLink([result(['a'], []), result(['a'], [])])
    await clientOf(link, { prepare: false }).query('select ?', ["it's"])
    await clientOf(link).query('select ?', [1], { prepare: false, rows: 'arrays', deadlineMs: 5 })
    expect(link.calls.map(({ bytes, hint }) => [bytes, hint])).toEqual([
      [query("select 'it\\'s'"), RequestKind.Text | RequestFlag.Escaped],
      [query('select 1'), RequestKind.Text | RequestFlag.Escaped],
    ])
    expect(link.calls[1]?.options).toEqual({ deadlineMs: 5 })
  })

  it('tells the connection where a backslash decides what a text says', async () => {
    const link = new FakeLink([ONE, ONE])
    await clientOf(link).query("select 'it\\'s'")
    await clientOf(link).query("select 'a\\nb'")
    expect(link.calls.map(({ hint }) => hint)).toEqual([
      RequestKind.Prepared | RequestFlag.Escaped,
      RequestKind.Prepared,
    ])
  })

  it('refuses what is wrong before anything is sent', async () => {
    const link = new FakeLink()
    const client = clientOf(link) as unknown as { [method: string]: (...given: unknown[]) => Promise<unknown> }
    const wrong: readonly (readonly [method: string, ...given: unknown[]])[] = [
      ['query', 5],
      ['query', 'select 1', 'x'],
      ['query', 'select 1', [], { rows: 'maps' }],
      ['query', 'select 1', [], { deadline: 5 }],
      ['query', 'select 1', [], {}, 'more'],
      ['query', 'select 1; select 2'],
      ['query', 'select \0'],
      ['query', 'select ?', [undefined]],
      ['simple', 'select 1', [], null],
      ['transaction', 'work'],
      ['transaction', async () => undefined, { isolation: 'snapshot' }],
      ['withLock', '', async () => undefined],
      ['withLock', 'x'.repeat(65), async () => undefined],
    ]
    for (const [method, ...given] of wrong) {
      const problem = await Promise.resolve()
        .then(() => (client[method] as (...given: unknown[]) => Promise<unknown>)(...given))
        .catch((error: unknown) => error)
      expect([method, given, problem]).toEqual([method, given, expect.any(LocalError)])
      expect(problem).toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    }
    expect([link.calls, link.sessions]).toEqual([[], []])
  })

  it('says that a transaction was left open', async () => {
    const link = new FakeLink([ok(1, 3)])
    await expect(clientOf(link).query('call p()')).rejects.toMatchObject({
      code: 'TRANSACTION_LEFT_OPEN',
      sent: 'maybe',
    })
  })
})

describe('transaction()', () => {
  const texts = (link: FakeLink): string[] =>
    link.calls.map(({ bytes }) => bytes.slice(bytes.startsWith('\x03', 4) ? 5 : 10))

  it('begins with what was asked for, and ends with COMMIT', async () => {
    const link = new FakeLink([DONE, DONE, DONE, ONE, DONE])
    await clientOf(link).transaction(async (tx) => await tx.query('select 1'), {
      isolation: 'serializable',
      readOnly: true,
      consistentSnapshot: true,
    })
    expect(texts(link)).toEqual([
      'set transaction isolation level serializable',
      'set autocommit = 0',
      'start transaction with consistent snapshot, read only',
      'select 1',
      'commit',
    ])
    expect(link.closed).toBe(1)
  })

  it('rolls back what has failed, and passes the error on', async () => {
    const link = new FakeLink([DONE, DONE, err(1, 1062), DONE])
    const failing = clientOf(link).transaction(async (tx) => await tx.query('insert into t values (1)'))
    await expect(failing).rejects.toMatchObject({ code: '1062' })
    expect(texts(link).at(-1)).toBe('rollback')
  })

  it('commits after an error that was caught, but not after a deadlock', async () => {
    const caught = new FakeLink([DONE, DONE, err(1, 1062), DONE])
    await clientOf(caught).transaction(async (tx) => {
      await tx.query('insert into t values (1)').catch(() => undefined)
    })
    expect(texts(caught).at(-1)).toBe('commit')
    const dead = new FakeLink([DONE, DONE, err(1, 1213), DONE])
    const deadly = clientOf(dead).transaction(async (tx) => {
      await tx.query('insert into t values (1)').catch(() => undefined)
      await expect(tx.query('select 1')).rejects.toMatchObject({ code: 'TRANSACTION_ROLLED_BACK', sent: 'no' })
    })
    await expect(deadly).rejects.toMatchObject({ code: 'TRANSACTION_ROLLED_BACK', cause: { code: '1213' } })
    expect(texts(dead).at(-1)).toBe('rollback')
  })

  it('is done again after a conflict, as often as was said', async () => {
    const attempt = (errno: number): string[] => [DONE, DONE, err(1, errno), DONE]
    const link = new FakeLink([...attempt(1213), ...attempt(1205), DONE, DONE, DONE, DONE])
    let turns = 0
    const work = clientOf(link).transaction(
      async (tx) => {
        turns++
        return (await tx.query('update t set a = 1')).affectedRows
      },
      { retries: 2 },
    )
    expect([await work, turns, link.closed]).toEqual([1, 3, 3])
    const once = new FakeLink([...attempt(1213)])
    await expect(clientOf(once).transaction(async (tx) => await tx.query('update t set a = 1'))).rejects.toMatchObject({
      code: '1213',
    })
  })
})

describe('a call on the client inside its own transaction', () => {
  it('is refused, also from functions that are called there, and not behind it', async () => {
    const link = new FakeLink([DONE, DONE, DONE, ONE])
    const client = clientOf(link)
    const elsewhere = async (): Promise<unknown> => await client.query('select 1')
    await client.transaction(async () => {
      const refused = { code: 'INSIDE_TRANSACTION', sent: 'no' }
      await expect(elsewhere()).rejects.toMatchObject(refused)
      await expect(client.simple('select 1')).rejects.toMatchObject(refused)
      expect(() => client.stream('select 1')).toThrow(expect.objectContaining(refused))
      await expect(client.transaction(async () => undefined)).rejects.toMatchObject(refused)
      await expect(client.session()).rejects.toMatchObject(refused)
    })
    expect(await elsewhere()).toEqual([{ a: '1' }])
  })

  it('joins it where the target says so, and the savepoint that is open', async () => {
    const link = new FakeLink([DONE, DONE, ONE, DONE, ONE, DONE, DONE])
    const client = clientOf(link, { insideTransaction: 'join' })
    await client.transaction(async (tx) => {
      await client.query('select 1')
      await tx.savepoint(async () => await client.query('select 1'))
    })
    expect(link.calls.map(({ name }) => name)).toEqual([
      'SIMPLE SESSION',
      'SIMPLE SESSION',
      'QUERY SESSION',
      'SIMPLE SESSION',
      'QUERY SESSION',
      'SIMPLE SESSION',
      'SIMPLE SESSION',
    ])
  })
})

describe('stream()', () => {
  it('gives rows however they are cut, and an error after the rows before it', async () => {
    const bytes = [packet(1, 1), column(2, 'a'), row(3, 'x'), row(4, 'y'), err(5, 1317)].join('')
    for (let pieceBytes = 1; pieceBytes <= bytes.length; pieceBytes++) {
      const link = new FakeLink([bytes])
      link.pieceBytes = pieceBytes
      const seen: unknown[] = []
      const reading = async (): Promise<void> => {
        for await (const each of clientOf(link).stream('select 1', [], { prepare: false, rows: 'arrays' }))
          seen.push(each)
      }
      await expect(reading()).rejects.toMatchObject({ code: '1317' })
      expect(seen).toEqual([['x'], ['y']])
    }
  })

  it('is closed when its loop is left, and is not opened before it is read', async () => {
    const link = new FakeLink([result(['a'], [['x'], ['y']])])
    const stream = clientOf(link).stream('show tables')
    expect(link.calls).toEqual([])
    for await (const _ of stream) break
    expect([link.calls.length, link.streamsClosed]).toEqual([1, 1])
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a session', () => {
  it('takes several statements in one text, and says so to the connection', async () => {
    const link = new FakeLink([result(['a'], [['1']], 10) + ok(1, 2, 3)])
    const session = await clientOf(link).session()
    const results = await session.simple('select 1; delete from t')
    expect(results.map((rows) => [[...rows], rows.affectedRows])).toEqual([
      [[{ a: '1' }], 0],
      [[], 3],
    ])
    expect(link.calls[0]).toMatchObject({ hint: RequestKind.Multi, bytes: query('select 1; delete from t') })
  })

  it('sends a file in pieces, and its end', async () => {
    const link = new FakeLink([packet(1, 0xfb, 'x') + ok(2, 2, 2)])
    link.pieceBytes = 6
    const session = await clientOf(link, { localInfile: true }).session()
    const { affectedRows } = await session.loadLocal("load data local infile 'x' into table t", [
      'a,',
      Buffer.from('b\n'),
    ])
    expect(affectedRows).toBe(2)
    expect(link.calls.slice(1).map(({ bytes, hint }) => [bytes, hint])).toEqual([
      ['a,b\n', RequestKind.FileData],
      ['', RequestKind.FileData],
    ])
    expect(link.calls[0]?.hint).toBe(RequestKind.LocalInfile)
  })
})

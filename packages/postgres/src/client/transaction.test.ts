/** A transaction commits or rolls back, and nothing goes past it. */
import { LocalError } from '@iokernel/core/plugin'
import { describe, expect, it } from 'vitest'
import { complete, done, executed, FakeLink, rowOf, selected } from '../../fixtures/link.ts'
import { error, message, query } from '../../fixtures/messages.ts'
import { APP_DEFAULTS, type PostgresApp } from '../app.ts'
import { type PostgresClient, postgresClient } from '../client.ts'
import type { PostgresTransaction } from './transaction.ts'

const BEGUN = done('BEGIN', 'T')
const COMMITTED = done('COMMIT')
const ROLLED_BACK = done('ROLLBACK')
const ROW = selected([['a', 23]], ['1']).replace(/I$/, 'T')
const OPEN = message('Z', 'T')
const FAILED = message('Z', 'E')

function clientOf(link: FakeLink, app: Partial<PostgresApp> = {}): PostgresClient {
  return postgresClient(link, { ...APP_DEFAULTS, ...app })
}

/** The statements that were sent, by their text. */
function sent(link: FakeLink): string[] {
  return link.calls.map(({ bytes, name }) => (name === 'SIMPLE SESSION' ? bytes.slice(5, -1) : name))
}

describe('a transaction', () => {
  it('commits when its function has returned, and gives its connection back', async () => {
    const link = new FakeLink([BEGUN, ROW, COMMITTED])
    const result = await clientOf(link).transaction(async (tx) => (await tx.query('select 1'))[0])
    expect(result).toEqual({ a: 1 })
    expect(sent(link)).toEqual(['begin', 'QUERY SESSION', 'commit'])
    expect(link.closed).toBe(1)
  })

  it('rolls back when its function throws, and throws the same', async () => {
    const link = new FakeLink([BEGUN, ROLLED_BACK])
    const failure = new Error('no')
    const work = clientOf(link).transaction(async () => {
      throw failure
    })
    await expect(work).rejects.toBe(failure)
    expect(sent(link)).toEqual(['begin', 'rollback'])
    expect(link.closed).toBe(1)
  })

  it('throws the same also when rolling back fails', async () => {
    const link = new FakeLink([BEGUN, new Error('lost')])
    const failure = new Error('no')
    await expect(clientOf(link).transaction(() => Promise.reject(failure))).rejects.toBe(failure)
    expect(link.closed).toBe(1)
  })

  it('rejects where COMMIT was answered with ROLLBACK, and says why', async () => {
    const link = new FakeLink([BEGUN, error('22012') + FAILED, ROLLED_BACK])
    const work = clientOf(link).transaction((tx) => tx.query('select 1 / 0').catch(() => 'kept to itself'))
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_ROLLED_BACK', cause: { code: '22012' } })
  })

  it.each([
    [{}, 'begin'],
    [{ isolation: 'serializable' }, 'begin isolation level serializable'],
    [
      { isolation: 'repeatable read', readOnly: true, deferrable: false },
      'begin isolation level repeatable read, read only, not deferrable',
    ],
    [{ readOnly: false, deferrable: true }, 'begin read write, deferrable'],
  ] as const)('begins as it is told: %j', async (options, text) => {
    const link = new FakeLink([BEGUN, COMMITTED])
    await clientOf(link).transaction(async () => undefined, options)
    expect(link.calls[0]?.bytes).toBe(query(text))
  })

  it.each([{ isolation: 'snapshot' }, { retries: -1 }, { readonly: true }, { deadlineMs: 'soon' }])(
    'refuses the options %j',
    async (options) => {
      const link = new FakeLink()
      const work = clientOf(link).transaction(async () => undefined, options as never)
      await expect(work).rejects.toMatchObject({ code: 'ARGUMENT' })
      expect(link.sessions).toEqual([])
    },
  )

  it('is not used after its end', async () => {
    const link = new FakeLink([BEGUN, COMMITTED])
    let kept: PostgresTransaction | undefined
    await clientOf(link).transaction(async (tx) => {
      kept = tx
    })
    const tx = kept as PostgresTransaction
    await expect(tx.query('select 1')).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    await expect(tx.savepoint(async () => 1)).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    await expect(tx.copyFrom('copy t from stdin', [])).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    expect(() => tx.stream('select 1')).toThrow(LocalError)
    expect(() => tx.cursor('select 1')).toThrow(LocalError)
    expect(sent(link)).toEqual(['begin', 'commit'])
  })

  it('is not begun or ended by hand', async () => {
    const link = new FakeLink([BEGUN, ROLLED_BACK])
    const work = clientOf(link).transaction((tx) => tx.query('commit'))
    await expect(work).rejects.toMatchObject({ code: 'REFUSED' })
    expect(sent(link)).toEqual(['begin', 'rollback'])
  })

  it('sends calls that are not awaited in their order, and all before COMMIT', async () => {
    const link = new FakeLink([BEGUN, ROW, ROW, COMMITTED])
    await clientOf(link).transaction(async (tx) => {
      void tx.query('select 1 as first')
      void tx.query('select 2 as second')
    })
    expect(sent(link)).toEqual(['begin', 'QUERY SESSION', 'QUERY SESSION', 'commit'])
    expect(link.calls[1]?.bytes).toContain('first')
  })

  it('tells each call how much time is left, and whose signal counts', async () => {
    const link = new FakeLink([BEGUN, ROW, ROW, COMMITTED])
    const controller = new AbortController()
    await clientOf(link).transaction(
      async (tx) => {
        await tx.query('select 1')
        await tx.query('select 1', [], { deadlineMs: 5 })
      },
      { deadlineMs: 1000, signal: controller.signal },
    )
    for (const { options } of link.calls) {
      expect(options?.deadlineMs).toBeGreaterThan(0)
      expect(options?.deadlineMs).toBeLessThanOrEqual(1000)
      expect(options?.signal).toBe(controller.signal)
    }
    expect(link.calls[2]?.options?.deadlineMs).toBeLessThanOrEqual(5)
    expect(link.sessions[0]?.deadlineMs).toBeLessThanOrEqual(1000)
  })
})

describe('retries', () => {
  const conflict = error('40001') + FAILED

  it('run the work again after a conflict, on a session of its own', async () => {
    const link = new FakeLink([BEGUN, conflict, ROLLED_BACK, BEGUN, ROW, COMMITTED])
    let runs = 0
    const work = clientOf(link).transaction(
      async (tx) => {
        runs++
        await tx.query('select 1')
        return runs
      },
      { retries: 2 },
    )
    expect(await work).toBe(2)
    expect(link.sessions).toHaveLength(2)
    expect(link.closed).toBe(2)
  })

  it('also when COMMIT conflicts, and when the work has kept the conflict to itself', async () => {
    const link = new FakeLink([BEGUN, error('40P01') + FAILED, BEGUN, conflict, ROLLED_BACK, BEGUN, ROW, COMMITTED])
    let runs = 0
    await clientOf(link).transaction(
      async (tx) => {
        if (++runs > 1) await tx.query('select 1').catch(() => undefined)
      },
      { retries: 2 },
    )
    expect(runs).toBe(3)
  })

  it('end, and are for conflicts alone', async () => {
    const link = new FakeLink([BEGUN, conflict, ROLLED_BACK, BEGUN, conflict, ROLLED_BACK])
    const work = clientOf(link).transaction((tx) => tx.query('select 1'), { retries: 1 })
    await expect(work).rejects.toMatchObject({ code: '40001' })
    const other = new FakeLink([BEGUN, error('23505') + FAILED, ROLLED_BACK])
    const unique = clientOf(other).transaction((tx) => tx.query('select 1'), { retries: 5 })
    await expect(unique).rejects.toMatchObject({ code: '23505' })
  })
})

describe('a savepoint', () => {
  const saved = done('SAVEPOINT', 'T')
  const released = done('RELEASE', 'T')
  const undone = complete('ROLLBACK') + complete('RELEASE') + OPEN

  it('is released, or undone alone', async () => {
    const link = new FakeLink([BEGUN, saved, ROW, released, saved, error('23505') + FAILED, undone, ROW, COMMITTED])
    await clientOf(link).transaction(async (tx) => {
      await tx.savepoint((inner) => inner.query('select 1'))
      await expect(tx.savepoint((inner) => inner.query('insert into t values (1)'))).rejects.toMatchObject({
        code: '23505',
      })
      await tx.query('select 1')
    })
    expect(sent(link).filter((text) => text !== 'QUERY SESSION')).toEqual([
      'begin',
      'savepoint s1',
      'release s1',
      'savepoint s2',
      'rollback to s2; release s2',
      'commit',
    ])
  })

  it('nests', async () => {
    const link = new FakeLink([BEGUN, saved, saved, released, released, COMMITTED])
    await clientOf(link).transaction((tx) => tx.savepoint((inner) => inner.savepoint(async () => 1)))
    expect(sent(link)).toEqual(['begin', 'savepoint s1', 'savepoint s2', 'release s2', 'release s1', 'commit'])
  })

  it('lets nothing go past it while it is open, and is not used after its end', async () => {
    const link = new FakeLink([BEGUN, saved, released, COMMITTED])
    await clientOf(link).transaction(async (tx) => {
      let kept: PostgresTransaction | undefined
      await tx.savepoint(async (inner) => {
        kept = inner
        await expect(tx.query('select 1')).rejects.toMatchObject({ code: 'SAVEPOINT_OPEN' })
        await expect(tx.savepoint(async () => 1)).rejects.toMatchObject({ code: 'SAVEPOINT_OPEN' })
      })
      await expect(kept?.query('select 1')).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    })
  })
})

describe('inside a transaction', () => {
  it('calls on the client are refused with what to use, also in functions that are called from there', async () => {
    const link = new FakeLink([BEGUN, COMMITTED])
    const client = clientOf(link)
    const nested = async () => {
      await Promise.resolve()
      return await client.query('select 1')
    }
    await client.transaction(async () => {
      const inside = { code: 'INSIDE_TRANSACTION' }
      await expect(nested()).rejects.toMatchObject({ ...inside, message: expect.stringContaining('tx.query()') })
      await expect(client.sql`select 1`.run()).rejects.toMatchObject(inside)
      await expect(client.simple('select 1')).rejects.toMatchObject(inside)
      await expect(client.transaction(async () => 1)).rejects.toThrow(/tx\.savepoint\(\)/)
      await expect(client.session()).rejects.toMatchObject(inside)
      await expect(client.withLock(1, async () => 1)).rejects.toMatchObject(inside)
      await expect(client.copyFrom('copy t from stdin', [])).rejects.toMatchObject(inside)
      expect(() => client.stream('select 1')).toThrow(/tx\.stream\(\)/)
      expect(() => client.copyTo('copy t to stdout')).toThrow(LocalError)
    })
    expect(sent(link)).toEqual(['begin', 'commit'])
  })

  it('other clients and later calls go their own way', async () => {
    const link = new FakeLink([BEGUN, COMMITTED, selected([['a', 23]], ['1'])])
    const other = new FakeLink([selected([['a', 23]], ['2'])])
    const client = clientOf(link)
    let later: Promise<unknown> | undefined
    let go = () => undefined as unknown
    await client.transaction(async () => {
      expect([...(await clientOf(other).query('select 2'))]).toEqual([{ a: 2 }])
      const gate = new Promise((resolve) => {
        go = resolve as () => unknown
      })
      later = gate.then(() => client.query('select 1'))
    })
    go()
    expect(await later).toHaveLength(1)
    expect(link.calls.at(-1)?.name).toBe('QUERY READ')
  })

  it('calls join the savepoint that is open', async () => {
    const link = new FakeLink([BEGUN, done('SAVEPOINT', 'T'), ROW, done('RELEASE', 'T'), COMMITTED])
    const client = clientOf(link, { insideTransaction: 'join' })
    await client.transaction((tx) => tx.savepoint(() => client.query('select 1')))
    expect(sent(link)).toEqual(['begin', 'savepoint s1', 'QUERY SESSION', 'release s1', 'commit'])
  })

  it('calls join it where the target says so', async () => {
    const link = new FakeLink([BEGUN, ROW, ROW, ROW.slice(5), COMMITTED])
    const client = clientOf(link, { insideTransaction: 'join' })
    await client.transaction(async () => {
      await client.query('select 1')
      await client.sql`select 1`
      await client.simple('select 1')
      await expect(client.transaction(async () => 1)).rejects.toThrow(/tx\.savepoint\(\)/)
    })
    expect(sent(link)).toEqual(['begin', 'QUERY SESSION', 'QUERY SESSION', 'select 1', 'commit'])
  })
})

describe('a cursor', () => {
  const columns = [['a', 23]] as const
  const suspended = (rows: string) => `${rows}${message('s')}${OPEN}`
  const opened = selected(columns).slice(0, selected(columns).indexOf('C\0'))
  const rows = (...values: number[]) => values.map((value) => rowOf(String(value))).join('')

  it('asks for a batch when the one before was taken', async () => {
    const link = new FakeLink([
      BEGUN,
      message('1') + suspended(opened + rows(1, 2)),
      suspended(rows(3, 4)),
      rows(5) + done('SELECT 1', 'T'),
      message('3') + OPEN,
      COMMITTED,
    ])
    const batches: unknown[] = []
    await clientOf(link).transaction(async (tx) => {
      for await (const batch of tx.cursor('select a from t where b = $1', ['x'], { batchRows: 2 })) {
        batches.push(batch.map(({ a }) => a))
      }
    })
    expect(batches).toEqual([[1, 2], [3, 4], [5]])
    expect(sent(link)).toEqual(['begin', 'CURSOR OPEN', 'CURSOR NEXT', 'CURSOR NEXT', 'CURSOR CLOSE', 'commit'])
    expect(link.calls[2]?.bytes).toBe(message('E', 'c1\0', 2) + message('S'))
  })

  it('closes its portal when the loop is left, and gives no empty batch', async () => {
    const link = new FakeLink([
      BEGUN,
      message('1') + suspended(opened + rows(1)),
      message('3') + OPEN,
      message('1') + suspended(opened + rows(1)),
      done('SELECT 0', 'T'),
      message('3') + OPEN,
      COMMITTED,
    ])
    await clientOf(link).transaction(async (tx) => {
      for await (const _ of tx.cursor('select 1', [], { batchRows: 1 })) break
      let batches = 0
      for await (const _ of tx.cursor('select 1', [], { batchRows: 1 })) batches++
      expect(batches).toBe(1)
    })
    expect(sent(link).slice(1, 3)).toEqual(['CURSOR OPEN', 'CURSOR CLOSE'])
    expect(link.calls[2]?.bytes).toBe(message('C', 'Pc1\0') + message('S'))
  })

  it('gives the error of the server', async () => {
    const link = new FakeLink([
      BEGUN,
      message('1') + suspended(opened + rows(1)),
      error('22012') + FAILED,
      done('CLOSE', 'E'),
      ROLLED_BACK,
    ])
    const work = clientOf(link).transaction(async (tx) => {
      for await (const _ of tx.cursor('select 1 / a from t'));
    })
    await expect(work).rejects.toMatchObject({ code: '22012' })
  })
})

describe('a session', () => {
  it('runs what a shared connection refuses, and is given back', async () => {
    const link = new FakeLink([executed('SET'), executed('BEGIN', 'T')])
    const session = await clientOf(link).session({ deadlineMs: 5 })
    await session.query('set search_path = a')
    await session.query('begin')
    await expect(session.query('listen a')).rejects.toMatchObject({ code: 'REFUSED' })
    await expect(session.query('copy t from stdin')).rejects.toThrow(/copyFrom/)
    await session.close()
    expect(link.sessions).toEqual([{ deadlineMs: 5 }])
    expect(sent(link)).toEqual(['QUERY SESSION', 'QUERY SESSION'])
    expect(link.closed).toBe(1)
  })

  it('is given back also when the work with it fails', async () => {
    const link = new FakeLink()
    await expect(clientOf(link).session(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(link.closed).toBe(1)
  })

  it('locks by keys of one number and of two', async () => {
    const locked = selected([['l', 16]], ['t'])
    const link = new FakeLink([locked, locked, locked, locked])
    await clientOf(link).session(async (session) => {
      await session.lock(5n, { deadlineMs: 7 })
      expect(await session.tryLock([1, -2])).toBe(true)
      expect(await session.unlock(5)).toBe(true)
      for (const key of [1.5, [1], [1, 2, 3], [1, 2 ** 31], 2n ** 63n, 'x', Number.MAX_VALUE]) {
        await expect(session.lock(key as never)).rejects.toMatchObject({ code: 'ARGUMENT' })
      }
    })
    expect(link.calls[0]?.bytes).toContain('select pg_advisory_lock($1::int8)')
    expect(link.calls[0]?.options).toEqual({ deadlineMs: 7 })
    expect(link.calls[1]?.bytes).toContain('select pg_try_advisory_lock($1::int4, $2::int4)')
    expect(await clientOf(link).withLock(1, async () => 'done')).toBe('done')
    expect(link.closed).toBe(2)
  })
})

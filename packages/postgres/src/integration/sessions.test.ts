/** Transactions, sessions, streams, copies and channels against a real server. */
import type { PostgresTransaction } from '@iokernel/postgres'
import { expect, it } from 'vitest'
import { inEveryMode, until } from '../../fixtures/world.ts'

inEveryMode('sessions', {}, (world) => {
  async function counter(): Promise<ReturnType<typeof world.connect>> {
    const db = world.connect()
    await db.simple('create table if not exists counter (id int primary key, n int); truncate counter')
    await db.query('insert into counter values (1, 0)')
    return db
  }

  const current = async (db: ReturnType<typeof world.connect>) =>
    (await db.query<{ n: number }>('select n from counter where id = 1'))[0]?.n

  it('commit what they did, or nothing of it', async () => {
    const db = await counter()
    await db.transaction(async (tx) => {
      await tx.query('update counter set n = n + 1')
      await tx.sql`update counter set n = n + ${10}`
    })
    expect(await current(db)).toBe(11)
    const failing = db.transaction(async (tx) => {
      await tx.query('update counter set n = 99')
      await tx.query('select 1 / 0')
    })
    await expect(failing).rejects.toMatchObject({ code: '22012' })
    expect(await current(db)).toBe(11)
    const swallowed = db.transaction(async (tx) => {
      await tx.query('update counter set n = 99')
      await tx.query('select 1 / 0').catch(() => undefined)
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'TRANSACTION_ROLLED_BACK', cause: { code: '22012' } })
    expect(await current(db)).toBe(11)
  })

  it('undo a savepoint alone', async () => {
    const db = await counter()
    await db.transaction(async (tx) => {
      await tx.query('update counter set n = 1')
      await tx
        .savepoint(async (inner) => {
          await inner.query('update counter set n = 2')
          await inner.savepoint((deepest) => deepest.query('update counter set n = 3'))
          await inner.query('select 1 / 0')
        })
        .catch(() => undefined)
      await tx.query('update counter set n = n + 10')
    })
    expect(await current(db)).toBe(11)
  })

  it('are as isolated as they are told, and are done again after a conflict', async () => {
    const db = await counter()
    const level = (options: object) =>
      db.transaction(
        async (tx) => (await tx.query('show transaction_isolation'))[0]?.['transaction_isolation'],
        options,
      )
    expect(await level({ isolation: 'serializable' })).toBe('serializable')
    expect(await level({ isolation: 'repeatable read' })).toBe('repeatable read')
    const readOnly = db.transaction((tx) => tx.query('update counter set n = 5'), { readOnly: true })
    await expect(readOnly).rejects.toMatchObject({ code: '25006' })
    const add = (retries: number) =>
      db.transaction(
        async (tx) => {
          const [row] = await tx.query<{ n: number }>('select n from counter where id = 1')
          await tx.query('update counter set n = $1', [(row?.n ?? 0) + 1])
        },
        { isolation: 'serializable', retries },
      )
    await Promise.all(Array.from({ length: 6 }, () => add(50)))
    expect(await current(db)).toBe(6)
  })

  it('give up at their deadline, and leave nothing locked', async () => {
    const db = await counter()
    const late = db.transaction(
      async (tx) => {
        await tx.query('update counter set n = 5')
        await tx.query('select pg_sleep(5)')
      },
      { deadlineMs: 200 },
    )
    await expect(late).rejects.toMatchObject({ name: 'TimeoutError' })
    await db.query('update counter set n = 7')
    expect(await current(db)).toBe(7)
  })

  it('stop on the server what they have given up, and go on', async () => {
    const db = world.connect()
    const controller = new AbortController()
    const running = `select count(*)::int as n from pg_stat_activity
      where state = 'active' and query like '%pg_sleep(31)%' and pid <> pg_backend_pid()`
    const isRunning = async () => (await db.query<{ n: number }>(running))[0]?.n === 1
    await db.session(async (session) => {
      const given = session.query('select pg_sleep(31)', [], { signal: controller.signal, deadlineMs: 0 })
      const outcome = given.catch((error: unknown) => error)
      await until(isRunning)
      controller.abort()
      expect(await outcome).toMatchObject({ name: 'AbortError' })
      expect((await session.query('select 1 as a'))[0]).toEqual({ a: 1 })
      expect(await isRunning()).toBe(false)
    })
  })

  it('refuse calls on the client from inside, where they would wait for ever', async () => {
    const db = world.connect({}, { connectionsMax: 2 })
    const work = db.transaction(async (tx) => {
      await tx.query('select 1')
      return await db.query('select 2')
    })
    await expect(work).rejects.toMatchObject({ code: 'INSIDE_TRANSACTION' })
    const joined = world.connect({ insideTransaction: 'join' }, { connectionsMax: 2 })
    const [inside] = await joined.transaction(
      async () => await joined.query('select txid_current() = txid_current() as same'),
    )
    expect(inside).toEqual({ same: true })
  })

  it('read with a cursor while other statements run in between', async () => {
    const db = await counter()
    const sizes: number[] = []
    await db.transaction(async (tx) => {
      for await (const batch of tx.cursor<{ g: number }>('select g from generate_series(1, $1::int) g', [25], {
        batchRows: 10,
      })) {
        sizes.push(batch.length)
        await tx.query('update counter set n = n + $1', [batch.length])
      }
      for await (const _ of tx.cursor('select g from generate_series(1, 1000000) g')) break
      expect((await tx.query("select count(*)::int as n from pg_cursors where name <> ''"))[0]).toEqual({ n: 0 })
    })
    expect(sizes).toEqual([10, 10, 5])
    expect(await current(db)).toBe(25)
  })

  it('stream more rows than anybody would hold, on a connection of their own', async () => {
    const db = world.connect()
    let sum = 0
    for await (const { g } of db.stream<{ g: number }>(
      'select g, repeat($1, 100) as pad from generate_series(1, 200000) g',
      ['x'],
    )) {
      sum += g
      if (g % 50_000 === 0) expect((await db.query('select 1 as a'))[0]).toEqual({ a: 1 })
    }
    expect(sum).toBe((200_000 * 200_001) / 2)
    let count = 0
    for await (const _ of db.stream('select g from generate_series(1, 10000000) g')) if (++count === 10) break
    expect(count).toBe(10)
    const failing = async () => {
      for await (const _ of db.stream('select 1 / (500 - g) from generate_series(1, 1000) g')) count++
    }
    await expect(failing()).rejects.toMatchObject({ code: '22012' })
    await db.transaction(async (tx) => {
      let rows = 0
      for await (const _ of tx.stream('select * from generate_series(1, 1000)')) rows++
      expect(rows).toBe(1000)
      expect((await tx.query('select 5 as a'))[0]).toEqual({ a: 5 })
    })
  })

  it('copy in and out, and undo a copy whose source fails', async () => {
    const db = world.connect()
    await db.simple('drop table if exists copied; create table copied (a int, b text)')
    async function* lines(count: number, failAt = -1) {
      for (let index = 0; index < count; index++) {
        if (index === failAt) throw new Error('the source fails')
        yield `${index}\tvalue ${index}\n`
      }
    }
    expect(await db.copyFrom('copy copied from stdin', lines(50_000))).toBe(50_000)
    let text = ''
    for await (const chunk of db.copyTo('copy (select * from copied order by a limit 3) to stdout with (format csv)')) {
      text += chunk.toString()
    }
    expect(text).toBe('0,value 0\n1,value 1\n2,value 2\n')
    await expect(db.copyFrom('copy copied from stdin', lines(50_000, 40_000))).rejects.toThrow('the source fails')
    await expect(db.copyFrom('copy copied from stdin', ['not a number\n'])).rejects.toMatchObject({ code: '22P02' })
    await expect(db.copyFrom('copy nowhere from stdin', lines(1_000_000))).rejects.toMatchObject({ code: '42P01' })
    await db.transaction(async (tx) => {
      expect(await tx.copyFrom('copy copied from stdin', ['1\tone\n', '2\ttwo\n'])).toBe(2)
      await tx.query('delete from copied where b = $1', ['two'])
    })
    expect((await db.query('select count(*)::int as n from copied'))[0]).toEqual({ n: 50_001 })
  })

  it('end a copy that is aborted while it waits for its source, and leave nothing of it', async () => {
    const db = world.connect()
    await db.simple('create table if not exists aborted (id int); truncate aborted')
    const abort = new AbortController()
    async function* endless(): AsyncGenerator<string> {
      yield '1\n'
      abort.abort()
      await new Promise(() => undefined)
    }
    const copy = db.copyFrom('copy aborted from stdin', endless(), { signal: abort.signal })
    await expect(copy).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await db.query('select * from aborted')).toEqual([])
    expect(await db.copyFrom('copy aborted from stdin', ['1\n'])).toBe(1)
  })

  it('hear what is notified, in order, and in no other channel', async () => {
    const db = world.connect()
    const feed = db.listen('Orders', 'other')
    await feed.ready()
    await db.notify('orders', 'in small letters')
    for (let index = 0; index < 5; index++) await db.notify('Orders', String(index))
    await db.transaction((tx) => tx.query("select pg_notify('other', 'from a transaction')"))
    const events: unknown[] = []
    for await (const event of feed) {
      events.push(event.type === 'notification' ? `${event.channel}: ${event.payload}` : event)
      if (events.length === 6) break
    }
    expect(events).toEqual([
      ...Array.from({ length: 5 }, (_, index) => `Orders: ${index}`),
      'other: from a transaction',
    ])
  })

  it('are heard again after a reconnect, with a gap', async () => {
    const db = world.connect()
    const feed = db.listen('again')
    await feed.ready()
    await db.simple(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%' and pid <> pg_backend_pid()",
    )
    expect((await feed.next()).value).toEqual({ type: 'gap', reason: 'reconnected' })
    const heard = feed.next()
    let settled = false
    void heard.then(() => {
      settled = true
    })
    await until(async () => {
      await db.notify('again', 'back')
      return settled
    })
    expect((await heard).value).toMatchObject({ type: 'notification', payload: 'back' })
    await feed.close()
  })

  it('hold a lock while their work lasts', async () => {
    const db = world.connect()
    const order: string[] = []
    let release = () => undefined as unknown
    const gate = new Promise((resolve) => {
      release = resolve as () => unknown
    })
    const first = db.withLock(42, async (session) => {
      order.push('first begins')
      expect((await session.query('select 1 as a'))[0]).toEqual({ a: 1 })
      await gate
      order.push('first ends')
    })
    await until(() => order.length === 1)
    await db.session(async (session) => expect(await session.tryLock(42)).toBe(false))
    const second = db.withLock(42n, async () => void order.push('second'))
    release()
    await Promise.all([first, second])
    expect(order).toEqual(['first begins', 'first ends', 'second'])
  })

  it('are given back when they are forgotten, with what they held', async () => {
    const db = world.connect({}, { connectionsMax: 2 })
    const collect = (globalThis as { gc?: () => void }).gc
    // Without --expose-gc the collector cannot be asked; setFlags lets it.
    const { setFlagsFromString } = await import('node:v8')
    const { runInNewContext } = await import('node:vm')
    setFlagsFromString('--expose-gc')
    const gc = collect ?? (runInNewContext('gc') as () => void)
    await (async () => {
      const session = await db.session()
      await session.query('begin')
      await session.query('select pg_advisory_xact_lock(4711)')
    })()
    await until(async () => {
      gc()
      await new Promise((resolve) => setImmediate(resolve))
      const [row] = await db.query<{ free: boolean }>('select pg_try_advisory_xact_lock(4711) as free')
      return row?.free === true
    })
  })

  it('say so when their connection is lost', async () => {
    const db = world.connect()
    let kept: PostgresTransaction | undefined
    const lost = db.transaction(async (tx) => {
      kept = tx
      const [row] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      const other = world.connect({ applicationName: 'other' })
      await other.query('select pg_terminate_backend($1)', [row?.pid])
      await tx.query('select 1')
    })
    // Whether the server's last word or its silence comes first.
    await expect(lost).rejects.toMatchObject({ code: expect.stringMatching(/^(SESSION_LOST|CONNECTION_LOST|57P01)$/) })
    await expect(kept?.query('select 1')).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
    expect((await db.query('select 1 as a'))[0]).toEqual({ a: 1 })
  })
})

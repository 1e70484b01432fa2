/** Transactions, sessions, streams and files, against a real server. */
import { type MysqlClient, MysqlError } from '@iokernel/mysql'
import { expect, it } from 'vitest'
import { inEveryMode } from '../../fixtures/world.ts'

inEveryMode('a connection to oneself', { databases: ['shop'], configLines: ['local_infile = ON'] }, (world) => {
  const table = async (client: MysqlClient, name: string): Promise<void> => {
    await client.query(`drop table if exists ${name}`)
    await client.query(`create table ${name} (id int primary key, n int not null default 0)`)
  }
  const count = async (client: MysqlClient, name: string): Promise<unknown> =>
    (await client.query(`select count(*) as c from ${name}`))[0]?.['c']

  it('a transaction is committed when its function returns, and rolled back when it throws', async () => {
    const db = world.connect()
    await table(db, 'a')
    expect(await db.transaction(async (tx) => (await tx.query('insert into a values (1, 1)')).affectedRows)).toBe(1)
    const failure = new Error('no')
    const failing = db.transaction(async (tx) => {
      await tx.query('insert into a values (2, 2)')
      throw failure
    })
    await expect(failing).rejects.toBe(failure)
    expect(await count(db, 'a')).toBe(1)
  })

  it('it has the isolation and the mode that were asked for', async () => {
    const db = world.connect()
    await table(db, 'm')
    const readOnly = db.transaction(async (tx) => await tx.query('insert into m values (1, 1)'), { readOnly: true })
    await expect(readOnly).rejects.toMatchObject({ code: '1792' })
    await db.transaction(
      async (tx) => {
        await tx.query('select * from m')
        await db.session(async () => undefined).catch((error) => expect(error.code).toBe('INSIDE_TRANSACTION'))
        const other = world.connect()
        await other.query('insert into m values (9, 9)')
        expect((await tx.query('select count(*) as c from m'))[0]).toEqual({ c: 1 })
      },
      { isolation: 'read committed' },
    )
    await db.transaction(
      async (tx) => {
        await world.connect().query('insert into m values (10, 9)')
        expect((await tx.query('select count(*) as c from m'))[0]).toEqual({ c: 1 })
      },
      { isolation: 'repeatable read', consistentSnapshot: true },
    )
  })

  it('a savepoint is undone alone', async () => {
    const db = world.connect()
    await table(db, 's')
    await db.transaction(async (tx) => {
      await tx.query('insert into s values (1, 1)')
      const inner = tx.savepoint(async (point) => {
        await point.query('insert into s values (2, 2)')
        await expect(tx.query('select 1')).rejects.toMatchObject({ code: 'SAVEPOINT_OPEN' })
        throw new Error('undo')
      })
      await expect(inner).rejects.toThrow('undo')
      await tx.savepoint(async (point) => await point.query('insert into s values (3, 3)'))
    })
    expect(await db.query('select id from s order by id', [], { rows: 'arrays' })).toEqual([[1], [3]])
  })

  it('what would end it by the way is refused, and nothing is sent', async () => {
    const db = world.connect()
    await table(db, 'r')
    await db.transaction(async (tx) => {
      await tx.query('insert into r values (1, 1)')
      for (const text of [
        'commit',
        'rollback',
        'create table x (a int)',
        'truncate r',
        'lock tables r write',
        'set autocommit = 1',
      ]) {
        await expect(tx.query(text)).rejects.toMatchObject({ code: 'REFUSED', sent: 'no' })
      }
      await tx.query('create temporary table y (a int)')
      await tx.query('set @x = 5')
      expect((await tx.query('select @x as x'))[0]).toEqual({ x: 5 })
      await expect(db.query('select 1')).rejects.toMatchObject({ code: 'INSIDE_TRANSACTION' })
    })
    expect(await count(db, 'r')).toBe(1)
  })

  it('a deadlock keeps nothing of it, not even of statements that were on their way; retries begin anew', async () => {
    const db = world.connect()
    await table(db, 'd')
    await db.query('insert into d values (1, 0), (2, 0)')
    /** Each takes one row and then wants the other's. */
    const duel = async (options: { retries?: number }, rounds: number[]): Promise<PromiseSettledResult<unknown>[]> => {
      let ready = 0
      let go: () => void = () => undefined
      const both = new Promise<void>((resolve) => {
        go = resolve
      })
      const fighter = (mine: number, other: number) =>
        db.transaction(async (tx) => {
          rounds.push(mine)
          await tx.query('update d set n = n + 1 where id = ?', [mine])
          if (++ready >= 2) go()
          await both
          const calls = [
            tx.query('update d set n = n + 1 where id = ?', [other]),
            tx.query('insert into d values (?, 1) on duplicate key update n = n + 1', [100 + mine]),
          ]
          // Its error is swallowed: the transaction must say so itself.
          await Promise.allSettled(calls)
        }, options)
      return await Promise.allSettled([fighter(1, 2), fighter(2, 1)])
    }
    const rounds: number[] = []
    const results = await duel({}, rounds)
    const lost = results.filter((result) => result.status === 'rejected')
    expect(lost).toHaveLength(1)
    const { reason } = lost[0] as PromiseRejectedResult
    expect(reason.code).toBe('TRANSACTION_ROLLED_BACK')
    expect(reason.cause).toBeInstanceOf(MysqlError)
    expect(await db.query('select sum(n) as n, count(*) as c from d')).toMatchObject([{ n: '3', c: 3 }])
    await db.query('delete from d where id > 2')
    const again: number[] = []
    expect((await duel({ retries: 3 }, again)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    expect(again.length).toBeGreaterThan(2)
  })

  it('one that is given up does not go on', async () => {
    const db = world.connect()
    await table(db, 'g')
    const slow = db.transaction(
      async (tx) => {
        await tx.query('insert into g values (1, 1)')
        await tx.query('select sleep(30)')
      },
      { deadlineMs: 200 },
    )
    await expect(slow).rejects.toMatchObject({ code: 'DEADLINE' })
    expect(await count(db, 'g')).toBe(0)
    await db.query('insert into g values (1, 2)')
  })

  it('a session runs several statements in one text, and CALL gives all its results', async () => {
    const db = world.connect()
    await db.query('create or replace procedure two() begin select 1 as a; select 2 as b, 3 as c; end')
    await db.session(async (session) => {
      const results = await session.simple('select 1 as x; set @a = 5; select @a as y; do 0')
      expect(results.map((rows) => [...rows])).toEqual([[{ x: 1 }], [], [{ y: 5 }], []])
      await expect(session.simple('select 1; select nope; select 3')).rejects.toMatchObject({ code: '1054' })
      expect(await session.query('select 1 as still')).toEqual([{ still: 1 }])
    })
    const rows = await db.query('call two()')
    expect(rows).toEqual([{ a: 1 }])
    expect(rows.results.map((each) => [...each])).toEqual([[{ a: 1 }], [{ b: 2, c: 3 }], []])
    expect((await db.simple('call two()')).map((each) => [...each])).toEqual([[{ a: 1 }], [{ b: 2, c: 3 }], []])
  })

  it('a result says what it did', async () => {
    const db = world.connect()
    await table(db, 'o')
    await db.query('insert into o values (1, 1), (2, 2), (3, 3)')
    const changed = await db.query('update o set n = 2')
    expect([changed.affectedRows, changed.changedRows, changed.info]).toEqual([
      2,
      2,
      'Rows matched: 3  Changed: 2  Warnings: 0',
    ])
    const found = await world.connect({ foundRows: true }).query('update o set n = 2')
    expect([found.affectedRows, found.changedRows]).toEqual([3, 0])
    expect((await db.query("select 1 + 'x' as a")).warnings).toBe(1)
    await db.query('create or replace table big (id bigint unsigned auto_increment primary key)')
    await db.query('insert into big values (9007199254740993)')
    expect((await db.query('insert into big values ()')).insertId).toBe(9007199254740994n)
    await db.query('delete from big where id > 0')
  })

  it('a stream gives every row in order, has the server wait, and is given up by leaving it', async () => {
    const db = world.connect({}, { streamBytesMax: 64 * 1024 })
    for (const prepare of [true, false]) {
      let next = 1
      for await (const { seq } of db.stream<{ seq: number }>('select seq from seq_1_to_200000', [], { prepare })) {
        if (seq !== next++) throw new Error(`${seq} where ${next - 1} was due`)
      }
      expect(next).toBe(200_001)
    }
    let taken = 0
    for await (const _ of db.stream('select seq, repeat("x", 1000) from seq_1_to_1000000')) if (++taken === 10) break
    expect(taken).toBe(10)
    const broken = async () => {
      let rows = 0
      try {
        const text =
          'select t.seq, (select s.seq from seq_1_to_2 s where s.seq <= if(t.seq = 5000, 2, 1)) from seq_1_to_9000 t'
        for await (const _ of db.stream(text)) rows++
      } catch (error) {
        return [rows > 0, (error as MysqlError).code]
      }
      return [rows, 'no error']
    }
    expect(await broken()).toEqual([true, '1242'])
    expect(await db.query('select 1 as still')).toEqual([{ still: 1 }])
  })

  it('a lock is held by one session at a time', async () => {
    const db = world.connect()
    await db.withLock('till', async (session) => {
      const other = await db.session()
      expect(await other.tryLock('till')).toBe(false)
      expect(await session.unlock('till')).toBe(true)
      expect(await session.unlock('till')).toBe(false)
      expect(await other.tryLock('till')).toBe(true)
      await other.close()
    })
    await db.withLock('till', async () => undefined)
  })

  it('a file is what the call gives, and only where the target allows it', async () => {
    const db = world.connect({ localInfile: true })
    await table(db, 'l')
    const text = "load data local infile '/etc/passwd' into table l fields terminated by ','"
    await db.session(async (session) => {
      async function* lines() {
        for (let id = 1; id <= 50_000; id++) yield `${id},${id * 2}\n`
      }
      const { affectedRows, info } = await session.loadLocal(text, lines())
      expect([affectedRows, info.startsWith('Records: 50000')]).toEqual([50_000, true])
      expect((await session.query('select sum(n) as n from l'))[0]).toEqual({ n: '2500050000' })
      expect((await session.loadLocal(text, '60001,1\n60002,2\n')).affectedRows).toBe(2)
      expect((await session.loadLocal(text, [])).affectedRows).toBe(0)
      await expect(session.loadLocal('load data local infile "x" into table nowhere', 'x')).rejects.toMatchObject({
        code: '1146',
      })
      expect(await session.query('select 1 as still')).toEqual([{ still: 1 }])
      await expect(session.query(text)).rejects.toMatchObject({ code: 'REFUSED', sent: 'no' })
      await expect(session.loadLocal('select 1', 'x')).rejects.toMatchObject({ code: 'ARGUMENT' })
    })
    const failing = await db.session()
    const source = function* () {
      yield '70001,1\n'
      throw new Error('the source broke')
    }
    await expect(failing.loadLocal(text, source())).rejects.toThrow('the source broke')
    await failing.close()
    expect((await db.query('select count(*) as c from l where id = 70001'))[0]).toEqual({ c: 0 })
    const without = await world.connect().session()
    await expect(without.loadLocal(text, 'x')).rejects.toMatchObject({ code: 'REFUSED', sent: 'no' })
    await without.close()
  })

  it('templates and names are data', async () => {
    const db = world.connect()
    const evil = "x' or 1=1 -- `"
    const { sql } = db
    expect(await sql`select ${evil} as ${sql.identifier(evil)}`).toEqual([{ [evil]: evil }])
    expect(await db.simple('select ? as ??', [evil, evil])).toEqual([[{ [evil]: evil }]])
    const ids = [1, 2]
    expect(await sql`select seq from seq_1_to_5 where seq in (${sql.list(ids)}) ${sql`and seq > ${1}`}`).toEqual([
      { seq: 2 },
    ])
    expect((await sql`select ${sql.json({ a: [evil] })} as j`)[0]).toEqual({ j: JSON.stringify({ a: [evil] }) })
    expect(await db.simple('select seq from seq_1_to_5 where seq in (?)', [ids])).toEqual([[{ seq: 1 }, { seq: 2 }]])
  })

  it('values are never written into a text whose backslashes the server takes otherwise', async () => {
    const db = world.connect({ variables: { sql_mode: 'NO_BACKSLASH_ESCAPES' } })
    const evil = "\\' or 1=1 -- "
    expect(await db.query('select ? as v', [evil])).toEqual([{ v: evil }])
    await expect(db.simple('select ? as v', [evil])).rejects.toMatchObject({ code: 'NO_BACKSLASH_ESCAPES' })
    await expect(db.query("select 'a\\', ?, '", ['x'])).rejects.toMatchObject({ side: 'local' })
    await db.session(async (session) => {
      await session.query('set sql_mode = ""')
      expect(await session.simple('select ? as v', [evil])).toEqual([[{ v: evil }]])
    })
  })

  it('a request that is longer than the server takes is not sent, and nobody else feels it', async () => {
    const db = world.connect({}, { connectionsMax: 2, requestBytesMax: 2 ** 26 })
    const [row] = await db.query('select @@max_allowed_packet as max')
    const max = row?.['max'] as number
    const refused = expect.objectContaining({ code: 'REQUEST_TOO_LARGE', sent: 'no' })
    const calls = [
      db.query('select 1 as a'),
      expect(db.query('select length(?) as l', ['x'.repeat(max)])).rejects.toEqual(refused),
      expect(db.simple('select length(?) as l', ['x'.repeat(max)])).rejects.toEqual(refused),
      expect(db.query(`select 1 /* ${'x'.repeat(max)} */`)).rejects.toEqual(refused),
      db.query('select 2 as b'),
    ]
    const [first, , , , last] = await Promise.all(calls)
    expect([first, last]).toEqual([[{ a: 1 }], [{ b: 2 }]])
    const fits = 'x'.repeat(max - 100)
    expect(await db.query('select length(?) as l', [fits])).toEqual([{ l: fits.length }])
    expect(await db.simple('select length(?) as l', [fits])).toEqual([[{ l: fits.length }]])
  })

  it('as many values as placeholders, or nothing is sent', async () => {
    const db = world.connect()
    for (const values of [[], [1], [1, 2, 3]]) {
      await expect(db.query('select ?, ?', values)).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
      await expect(db.simple('select ?, ?', values)).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    }
  })
})

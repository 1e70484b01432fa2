/** The I/O half against a real server, without a kernel: logins, statements, what leaks, resets and cancels. */
import { Live, type LiveOptions } from '@iokernel/core/testing'
import { startMariadb } from '@iokernel/servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PLAIN } from '../../fixtures/options.ts'
import { close, prepared, query } from '../../fixtures/packets.ts'
import { until } from '../../fixtures/world.ts'
import { mysqlError } from '../codec/errors.ts'
import type { MysqlFacts } from '../codec/facts.ts'
import { RequestKind } from '../codec/request.ts'
import io, { type MysqlIo } from '../io.ts'

const { Text, Prepared, Multi, LocalInfile, FileData } = RequestKind
const ERROR = 4
const CLOSE = 8
const DIRTY = 64
let server: Awaited<ReturnType<typeof startMariadb>>

beforeAll(async () => {
  server = await startMariadb({
    databases: ['shop', 'other'],
    tls: true,
    password: 'of the superuser',
    users: [
      { name: 'native', password: 'sécret' },
      { name: 'signer', password: 'sécret', plugin: 'ed25519' },
      { name: 'nobody', password: '' },
      { name: 'secure', password: 'sécret', tls: 'required' },
    ],
    configLines: ['local_infile = 1'],
  })
})
afterAll(() => server.stop())

function open(given: Partial<MysqlIo> = {}, options: LiveOptions = {}): Promise<Live> {
  const root = { user: 'root', password: 'of the superuser', database: 'shop' }
  return Live.open(
    io,
    {
      host: server.host,
      port: server.port,
      io: { ...PLAIN, ...root, ...given },
      tls: { ca: server.tls?.ca ?? '', servername: 'localhost' },
    },
    options,
  )
}

const bytes = (latin1: string): Buffer => Buffer.from(latin1, 'latin1')
const ask = async (live: Live, sql: string, kind: number = Text) => await live.request(bytes(query(sql)), kind)
const run = async (live: Live, sql: string, ...values: readonly string[]) =>
  await live.request(bytes(prepared(sql, ...values)), Prepared)
/** Where the text stands in a reply there is a value; enough for what is asked here. */
const says = (reply: { readonly bytes: Buffer }) => reply.bytes.toString('latin1')

describe('logins', () => {
  test.each([
    ['native', 'sécret'],
    ['signer', 'sécret'],
    ['nobody', undefined],
  ])('%s', async (user, password) => {
    const live = await open({ user, password })
    const facts = live.facts as MysqlFacts
    expect(facts).toMatchObject({ server: 'mariadb', version: expect.stringMatching(/^10\./), role: 'primary' })
    expect(facts).toMatchObject({ deprecateEof: true, sessionTrack: true, extendedMetadata: true, timeZone: '+00:00' })
    expect(says(await ask(live, 'SELECT CURRENT_USER()'))).toContain(`${user}@%`)
    live.end()
  })

  test.each(['prefer', 'require', 'verify-ca', 'verify-full'] as const)('TLS: %s', async (sslMode) => {
    const live = await open({ user: 'secure', password: 'sécret', sslMode })
    expect(says(await ask(live, "SHOW STATUS LIKE 'Ssl_version'"))).toContain('TLSv1.')
    live.end()
  })

  test.each([
    ['native', 'wrong', '1045'],
    ['signer', 'wrong', '1045'],
    ['native', undefined, '1045'],
    ['secure', 'sécret', '1045'],
  ])('%s is refused with the password %s', async (user, password, code) => {
    const failure = await open({ user, password }).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ name: 'RefusedError', code })
    expect(String(failure)).not.toContain(user)
  })

  test('no such database', async () => {
    await expect(open({ database: 'nowhere' })).rejects.toMatchObject({ name: 'RefusedError', code: '1049' })
  })

  test('a variable that the server does not know', async () => {
    await expect(open({ variables: { nonsense: 1 } })).rejects.toMatchObject({ name: 'RefusedError', code: '1193' })
  })
})

describe('statements', () => {
  test('are prepared once, however many come at once, and replies come in order', async () => {
    const live = await open()
    const replies = await Promise.all([
      run(live, 'SELECT ? AS a', 'one'),
      run(live, 'SELECT ? AS a', 'two'),
      ask(live, "SELECT 'three'"),
      run(live, 'SELECT ? AS b, ?', 'four', 'x'),
      run(live, 'SELECT ? AS a', 'five'),
    ])
    expect(
      replies.map((reply) => ['one', 'two', 'three', 'four', 'five'].filter((word) => says(reply).includes(word))),
    ).toEqual([['one'], ['two'], ['three'], ['four'], ['five']])
    expect(says(await ask(live, "SHOW STATUS LIKE 'Com_stmt_prepare'"))).toContain('\x012')
    live.end()
  })

  test('one that cannot be prepared fails by itself', async () => {
    const live = await open()
    const [bad, worse, good] = await Promise.all([
      run(live, 'SELECT nope'),
      run(live, 'SELECT nope'),
      run(live, 'SELECT ?', 'fine'),
    ])
    for (const reply of [bad, worse]) {
      expect(mysqlError(reply.bytes, 0, reply.bytes.length)).toMatchObject({ code: '1054', sqlState: '42S22' })
      expect(reply.verdict).toBe('call')
    }
    expect(says(good)).toContain('fine')
    live.end()
  })

  test('another number of values than it takes is never executed', async () => {
    const live = await open()
    const first = await run(live, 'SELECT ?, ?', 'one')
    expect(mysqlError(first.bytes, 0, first.bytes.length)).toMatchObject({ code: '1835' })
    await expect(run(live, 'SELECT ?, ?', 'one')).rejects.toMatchObject({ code: 'ARGUMENT', sent: 'no' })
    expect(says(await run(live, 'SELECT ?, ?', 'one', 'two'))).toContain('two')
    live.end()
  })

  test('when the server has no room for more, no other is executed in its place', async () => {
    const live = await open()
    await run(live, "SELECT 'the one before'")
    await ask(live, 'SET GLOBAL max_prepared_stmt_count = 0')
    const reply = await run(live, "SELECT 'another'")
    await ask(live, 'SET GLOBAL max_prepared_stmt_count = DEFAULT')
    expect(says(reply)).not.toContain('before')
    expect(mysqlError(reply.bytes, 0, reply.bytes.length)).toMatchObject({ code: '1461' })
    expect(says(await run(live, "SELECT 'another'"))).toContain('another')
    live.end()
  })

  test('the least used goes when the cache is full', async () => {
    const live = await open({ statementsMax: 2 })
    for (const word of ['a', 'b', 'a', 'c', 'a', 'b']) await run(live, `SELECT '${word}', ?`, word)
    expect(says(await ask(live, "SHOW STATUS LIKE 'Com_stmt_prepare'"))).toContain('\x014')
    expect(says(await ask(live, "SHOW STATUS LIKE 'Com_stmt_close'"))).toContain('\x012')
    live.end()
  })

  test('a statement that the server has forgotten is to be sent again', async () => {
    const live = await open()
    await run(live, 'SELECT ?', 'one')
    // Which number it has is the server's business, and nobody else has any here.
    for (let id = 1; id <= 50; id++) live.write((out) => out.copy(bytes(close(id))))
    expect(await run(live, 'SELECT ?', 'two')).toMatchObject({ verdict: 'stale' })
    expect(says(await run(live, 'SELECT ?', 'two'))).toContain('two')
    live.end()
  })
})

describe('large replies', () => {
  test.each([16_777_210, 16_777_214, 16_777_215, 16_777_216, 33_554_430, 40_000_000])(
    'a value of %i bytes, and the reply behind it',
    async (length) => {
      const live = await open()
      await ask(live, 'SET GLOBAL max_allowed_packet = 1073741824')
      live.end()
      const wide = await open()
      const [large, small] = await Promise.all([
        ask(wide, `SELECT REPEAT('a', ${length})`),
        ask(wide, "SELECT 'behind'"),
      ])
      expect(large.bytes.length).toBeGreaterThan(length)
      expect(says(small)).toContain('behind')
      wide.end()
    },
  )

  test('a request of more than 16 MB, and of exactly one packet', async () => {
    const live = await open()
    for (const length of [0xffffff - 1, 0xffffff, 0xffffff + 1, 2 * 0xffffff]) {
      const sql = "SELECT LENGTH('".padEnd(length - 4, 'x')
      const reply = await ask(live, `${sql}')`)
      expect(says(reply)).toContain(String(length - 4 - "SELECT LENGTH('".length))
    }
    const value = 'y'.repeat(20_000_000)
    expect(says(await run(live, 'SELECT LENGTH(?)', value))).toContain('\0\0')
    live.end()
  })
})

describe('what is left behind', () => {
  test.each([
    ['SET @x = 1'],
    ['USE other'],
    ['SET sql_mode = DEFAULT, time_zone = "+05:00"'],
    ['SET autocommit = 0'],
    ['BEGIN'],
    ['CREATE TEMPORARY TABLE left_behind (a int)'],
    ["PREPARE s FROM 'SELECT 1'"],
  ])('%s is seen at once, and is gone after a reset', async (sql) => {
    const live = await open()
    const reply = await ask(live, sql)
    expect(reply.flags & DIRTY).toBe(DIRTY)
    expect(await live.run(live.connection.audit?.() as never)).toBeTypeOf('string')
    await live.run(live.connection.reset?.() as never)
    expect(await live.run(live.connection.audit?.() as never)).toBeUndefined()
    expect((await ask(live, 'SELECT DATABASE()')).flags & DIRTY).toBe(0)
    live.end()
  })

  test.each([
    ['SELECT @y := 5', 'user variables'],
    ['SELECT 5 INTO @z', 'user variables'],
    ["SELECT GET_LOCK('a', 0)", 'locks'],
    ['LOCK TABLES mysql.db READ', 'locked tables'],
  ])('%s is found by an audit', async (sql, found) => {
    const live = await open()
    await ask(live, sql)
    expect(await live.run(live.connection.audit?.() as never)).toBe(found)
    await live.run(live.connection.reset?.() as never)
    expect(await live.run(live.connection.audit?.() as never)).toBeUndefined()
    live.end()
  })

  test('reads leave nothing where the server begins a transaction for each', async () => {
    const owner = await open()
    await ask(owner, 'SET GLOBAL autocommit = 0')
    const live = await open()
    await ask(owner, 'SET GLOBAL autocommit = 1')
    owner.end()
    expect((await ask(live, 'SELECT * FROM mysql.db')).flags & DIRTY).toBe(0)
    live.end()
  })

  test('reads and writes leave nothing', async () => {
    const live = await open()
    await ask(live, 'CREATE TABLE IF NOT EXISTS kept (a int primary key auto_increment, b int)')
    for (const sql of ['INSERT INTO kept (b) VALUES (1)', 'SELECT * FROM kept', 'SELECT 1/0', 'DELETE FROM kept']) {
      expect((await ask(live, sql)).flags & DIRTY).toBe(0)
    }
    expect(await live.run(live.connection.audit?.() as never)).toBeUndefined()
    live.end()
  })
})

describe('sessions', () => {
  test('several statements at once, one at a time again, and none after a reset', async () => {
    const live = await open({}, { purpose: 'session' })
    const reply = await ask(live, "SELECT 'a'; SELECT 'b'; SELECT nope; SELECT 'c'", Multi)
    expect(reply.flags & ERROR).toBe(ERROR)
    expect(says(reply)).toContain('nope')
    expect((await ask(live, "SELECT 'a'; SELECT 'b'")).verdict).toBe('call')
    expect(says(await ask(live, "SELECT 'a'; SELECT 'b'", Multi))).toContain('b')
    await live.run(live.connection.reset?.() as never)
    expect((await ask(live, "SELECT 'a'; SELECT 'b'")).verdict).toBe('call')
    live.end()
  })

  test('a file', async () => {
    const live = await open({ localInfile: true }, { purpose: 'session' })
    await ask(live, 'CREATE TEMPORARY TABLE loaded (a int, b varchar(20))')
    const reply = ask(live, "LOAD DATA LOCAL INFILE 'x' INTO TABLE loaded", LocalInfile)
    await live.begun()
    for (const piece of ['1\tone\n2', '\ttwo\n', ''])
      live.write((out) => live.connection.submit?.(bytes(piece), FileData, 0, out))
    const behind = ask(live, 'SELECT COUNT(*), MAX(b) FROM loaded')
    expect((await reply).flags & ERROR).toBe(0)
    expect(says(await behind)).toContain('\x012\x03two')
    live.end()
  })

  test('a file that nobody has offered is not sent', async () => {
    const live = await open({ localInfile: true }, { purpose: 'session' })
    await ask(live, 'CREATE TEMPORARY TABLE loaded (a int)')
    const reply = await ask(live, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE loaded")
    expect(reply.flags & (ERROR | CLOSE)).toBe(ERROR | CLOSE)
    const lane = await open({ localInfile: true })
    const refused = await ask(lane, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE kept")
    expect(mysqlError(refused.bytes, 0, refused.bytes.length).code).toMatch(/^(1148|4166)$/)
    lane.end()
  })

  test('what runs is cancelled, and the session goes on', async () => {
    const live = await open({}, { purpose: 'session' })
    const reply = ask(live, 'SELECT SLEEP(20)')
    const watch = await open()
    const running = "SELECT COUNT(*) AS c FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(20)'"
    await until(async () => says(await ask(watch, running)).includes('\x011'))
    watch.end()
    const cancels = live.connection.cancel?.()
    const cancel = await open({}, { purpose: 'cancel', cancels })
    expect(cancel.facts).toEqual({ killed: true })
    cancel.end()
    await reply
    expect(says(await ask(live, "SELECT 'on'"))).toContain('on')
    live.end()
  })
})

/** What a statement may do to its connection, by its text alone; in doubt the worse. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { analyzer } from './analysis.ts'

const analyze = analyzer(['trusted_fn', 'App.Ok', 'geo_*'])

const READ = [
  'select 1',
  "select 'it''s; set @x = 1'",
  "select 'back\\'slash @x'",
  'select "double @x"',
  'select `back @x` from t',
  '-- set @x = 1\nselect 1',
  '# set @x = 1\nselect 1',
  '/* set @x = 1 */ select 1',
  'select 1 --1',
  'select lower(x) from t where id in (1,2)',
  'select count(*), sum(a) over (partition by b order by c) from t',
  'with recursive a (x) as (select 1 union all select x + 1 from a), b as (select 3) select * from a, b',
  'explain select * from t',
  'explain format = json select * from t where a = ?',
  'describe t',
  'desc t column_name',
  'explain insert into t values (1)',
  'explain for connection 5',
  'values row(1, 2), row(3, 4)',
  'table t',
  "select * from json_table('[1]', '$[*]' columns (a int path '$', b for ordinality)) as j (c, d)",
  'select cast(a as decimal(10,2)), convert(b using utf8mb4), convert(c, char(10)) from t',
  'select extract(year from d), trim(both "x" from y), position("a" in b) from t',
  'select * from t use index (i), u force index for join (j) where a = ? and exists (select 1 from u)',
  'select date_add(d, interval (1) day) from t',
  'select * from a join b using (id) left join c on (c.id = b.id)',
  'select match (a, b) against (? in boolean mode) from t',
  "select group_concat(distinct a order by b separator ',') from t",
  'select case when (a) then (b) else (c) end from t where not (x) and (a, b) in ((1, 2))',
  'select * from (select 1 as a) x (b)',
  'select @@version, @@session.sql_mode, @@global.max_connections',
  'show tables',
  'show grants for root@localhost',
  'show full columns from t',
  'select * from t limit 5 offset ?',
  'select json_extract(a, "$.b"), a->>"$.c" from t',
  'select row_number() over w from t window w as (order by a)',
  'select /*+ set_var(sort_buffer_size = 16M) */ 1',
  'set statement max_statement_time = 1 for select 1',
  'select 1 as set_x, last_insert_id, found_rows from t',
  '',
  ';;',
]

const WRITE = [
  'insert into t (a, b) values (?, lower(?)) on duplicate key update b = values(b)',
  'insert ignore t (a) values (1)',
  'replace t (a) values (1)',
  'insert into s.t (a) select a from u',
  'update t set a = 1 where id = ?',
  'delete from t where a in (?)',
  'select * from t for update',
  'select * from t for share skip locked',
  'select * from t lock in share mode',
  "select * from t into outfile '/x'",
  'select rand(), uuid(), sleep(1)',
  'select trusted_fn(1), app.ok(2), geo_any(3)',
  'update s set id = last_insert_id(id + 1)',
  'select nextval(s), next value for s',
  'create table t (a int default (1), b varchar(10), key (a))',
  'create or replace view v as select 1',
  'create table x as select a from t',
  'alter table t add index i (a)',
  'truncate t',
  'drop table t',
  'grant select on db.* to app@localhost',
  "create user 'app'@'%' identified by 'x'",
  'create definer = root@localhost procedure p() begin set @x = 1; select @y; end',
  'analyze table t',
  'optimize table t',
  'flush privileges',
  "load data infile '/x' into table t",
  'do sleep(1)',
]

const TAINT = [
  'call p()',
  'select my_fn(1)',
  'select app.my_fn(1)',
  'select `my_fn`(1)',
  'select my_fn (1)',
  'insert into t values (my_fn(1))',
  'create table x as select my_fn(1)',
  'explain select my_fn()',
  'select a from t where my_fn(a) = 1',
  'select sys.last_insert_id()',
  'select distinct my_fn(a) from t',
  'select high_priority my_fn(a) from t',
  'select sql_no_cache my_fn(a) from t',
  'select a like my_fn(a), a div my_fn(a), binary my_fn(a) from t',
  'frobnicate t',
  'select 1 /* open',
  "select 'open",
]

const REFUSED = [
  'set @x = 1',
  'select @x',
  'select @x := 1',
  "select @'x'",
  'select @`x`',
  'select distinct @x',
  'create table x as select @y',
  'create table x as select distinct @y',
  'select a into @x from t',
  'set autocommit = 0',
  'SET NAMES latin1',
  'set global max_connections = 5',
  'set session sql_mode = ""',
  'set role admin',
  'set transaction isolation level serializable',
  'use other',
  'begin',
  'begin work',
  'begin not atomic set x = 1; end',
  'if 1 then begin not atomic select 1; end; end if',
  'start transaction',
  'start slave',
  'commit',
  'rollback',
  'rollback to savepoint a',
  'savepoint a',
  'release savepoint a',
  'lock tables t write',
  'lock table t read',
  'unlock tables',
  'flush tables with read lock',
  'flush tables t for export',
  'create temporary table t (a int)',
  'create or replace temporary table t (a int)',
  'drop temporary table t',
  "select get_lock('a', 1)",
  "select GET_LOCK ('a', 1)",
  "do release_lock('a')",
  'select release_all_locks()',
  'select last_insert_id()',
  'select `last_insert_id`()',
  'insert into child values (last_insert_id( ))',
  'select found_rows()',
  'select row_count()',
  'select sql_calc_found_rows * from t',
  'select lastval(s)',
  'select previous value for s',
  'select @@identity',
  'select @@last_insert_id',
  'select @@session.warning_count',
  'select @@`identity`',
  'show warnings',
  'show errors limit 5',
  'show count(*) warnings',
  'show profiles',
  'get diagnostics condition 1 x = message_text',
  "prepare s from 'select 1'",
  'execute s',
  "execute immediate 'set x = 1'",
  'deallocate prepare s',
  'handler t open',
  "xa start 'x'",
  'kill 5',
  'backup stage start',
  "load data local infile 'x' into table t",
  "load xml low_priority local infile 'x' into table t",
  '/*!50000 set @x = 1 */',
  '/*! set @x = 1 */',
  '/*M!100100 set @x = 1 */ select 1',
  'select 1 /*!99999 , @x */',
  'select 1 /*!50000 /* @a */ , @x */',
  'select 1; set @x = 1',
  'select (select last_insert_id())',
  'explain select get_lock("a", 1)',
  'with a as (select release_lock("x") as r) select * from a',
  'insert into t values (1) on duplicate key update a = last_insert_id()',
  "select 'a\\\\', @x",
  'select "a" "b", @x',
  'select "a\\" , @x , "b"',
  'select@x',
  'select 1 into@x',
  'select 1.@x',
  'select/**/@x',
  'select 1 --1, @x',
  '/* /* */ select @x',
]

describe('a statement is', () => {
  it.each(READ)('a read: %s', (text) => expect(analyze(text).kind).toBe('read'))
  it.each(WRITE)('a write: %s', (text) => expect(analyze(text)).toMatchObject({ kind: 'write', refusal: undefined }))
  it.each(TAINT)('not known: %s', (text) => expect(analyze(text).kind).toBe('taint'))
  it.each(REFUSED)('refused, with what to use instead: %s', (text) => {
    const { kind, refusal } = analyze(text)
    expect(kind).toBe('refused')
    expect(refusal).toMatch(/use |session|result/)
  })

  it('the same in capital letters, and with white space of any kind in between', () => {
    for (const [kind, texts] of Object.entries({ read: READ, write: WRITE, refused: REFUSED })) {
      for (const text of texts.filter((each) => !/['"`#\n-]|\/\*|for connection/.test(each))) {
        expect([text, analyze(text.toUpperCase().replaceAll(' ', '\t\r\n')).kind]).toEqual([text, kind])
      }
    }
  })

  it('refused wherever something that is refused is put beside it', () => {
    for (const text of READ.filter((each) => /^(select|with)/.test(each) && !each.includes('limit'))) {
      const { kind } = analyze(`${text}; ${REFUSED[0]}`)
      expect([text, kind]).toEqual([text, 'refused'])
    }
  })

  it('judged in a time that its length bounds, whatever it is', () => {
    const pieces = [
      '(',
      ')',
      "'",
      '"',
      '`',
      '/*',
      '*/',
      '/*!',
      '--',
      '#',
      '\\',
      '@',
      '?',
      ';',
      ' ',
      'select',
      'x',
      '1',
      '.',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 400 }), (parts) => {
        const { kind, placeholders } = analyze(parts.join(''))
        expect(['read', 'write', 'taint', 'refused']).toContain(kind)
        for (const at of placeholders ?? []) expect(parts.join('')[at]).toBe('?')
      }),
      { seed: Number(process.env.SEED ?? Date.now()), numRuns: 300, verbose: 1 },
    )
    const began = performance.now()
    for (const piece of pieces) analyze(piece.repeat(20_000))
    // 20 000 of each took some 100 ms in all where this was written; a square of it would take minutes.
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('placeholders', () => {
  it('are found where the server finds them, and nowhere else', () => {
    const text = `select ?, '?', "?", \`?\`, /* ? */ ?? -- ?\n, ? # ?`
    const { placeholders } = analyze(text)
    expect(placeholders?.map((at) => text.slice(at, at + 2))).toEqual(['?,', '??', '? '])
  })

  it('behind a backslash are the usual ones, and the connection is told', () => {
    expect(analyze("select 'it\\'s', ?")).toMatchObject({ needsBackslashes: true, placeholders: [16] })
    expect(analyze("select 'a\\nb', ?")).toMatchObject({ needsBackslashes: false, placeholders: [15] })
    expect(analyze("select '\\', @x, '")).toMatchObject({ kind: 'read', needsBackslashes: true })
  })

  it('that only some versions see cannot be counted', () => {
    expect(analyze('select ? /*!80000 , ? */').placeholders).toBeUndefined()
    expect(analyze('select ? /*!80000 , 1 */').placeholders).toEqual([7])
  })
})

describe('a text', () => {
  it('is as many statements as the server sees', () => {
    expect(analyze('select 1;').statements).toBe(1)
    expect(analyze("select ';'; select 2").statements).toBe(2)
    expect(analyze('create procedure p() begin select 1; select 2; end').statements).toBe(1)
    expect(analyze('create table t (`function` int); set @x = 1').statements).toBe(2)
    expect(analyze('create table t (function int); set @x = 1')).toMatchObject({ statements: 2, kind: 'refused' })
  })

  it('that ends or commits a transaction says so', () => {
    for (const text of [
      'commit',
      'begin',
      'create table t (a int)',
      'lock tables t write',
      'set autocommit = 1',
      'truncate t',
    ])
      expect([text, analyze(text).controlsTransaction]).toEqual([text, true])
    for (const text of ['set @x = 1', 'savepoint a', 'create temporary table t (a int)', 'insert into t values (1)'])
      expect([text, analyze(text).controlsTransaction]).toEqual([text, false])
  })

  it('is prepared where every server prepares it', () => {
    for (const text of ['select 1', 'insert into t values (1)', '(select 1)'])
      expect(analyze(text).isPreparable).toBe(true)
    for (const text of ['show tables', 'use x', 'select 1; select 2']) expect(analyze(text).isPreparable).toBe(false)
  })

  it('that asks for a file is known as one', () => {
    expect(analyze("load data local infile 'x' into table t")).toMatchObject({ loadsLocal: true })
    expect(analyze("load data infile 'local' into table t")).toMatchObject({ loadsLocal: false, kind: 'write' })
  })
})

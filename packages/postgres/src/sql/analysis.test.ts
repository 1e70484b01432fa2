/** What a statement may do to its connection, by its text alone; in doubt the worse. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { analyzer } from './analysis.ts'

const analyze = analyzer(['trusted_fn', 'App.Ok', 'st_*'])

const READ = [
  'select 1',
  'select $$ set_config( $$',
  "select E'\\' set_config('",
  "select 'it''s; set x'",
  '/* /* nested */ set */ select 1',
  '-- set\nselect 1',
  'select lower(x) from t where id in (1,2)',
  'select count(*) filter (where a > 1) over (partition by b order by c) from t',
  'with a(x,y) as (select 1,2), b as materialized (select 3) select * from a,b',
  'explain insert into t values (1)',
  'explain (analyze false) delete from t',
  'values (1,2)',
  'table t',
  'select * from generate_series(1,3) g(x)',
  'select * from json_to_recordset($1) as x(a int, b text)',
  'select distinct on (a) lower(b) from t',
  'select x::numeric(10,2), y::vector(3), cast(z as varchar(5)) from t',
  'select extract(year from d), substring(a from 1 for 2), trim(both from x) from t',
  'select a."update" from t a',
  'select t.update from t',
  'select * from t where a = any($1) and exists (select 1 from u) and (a,b) in ((1,2))',
  '',
  ';;',
  'show search_path',
  'select $1::text',
  'select a$b from t',
  'select 1 as x, set_config',
  'select array[1,2], array(select 1), row(1,2), (select max(x) from t)',
  'select row_number() over w from t window w as (order by a)',
  'select "weird (" from t',
  'with recursive r(n) as (select 1 union all select n+1 from r) search depth first by n set o select * from r',
  'select * from a, lateral (select 1) b(x)',
  "select interval '1 day' + now()",
  "select to_char(d, 'YYYY') from t group by rollup (a), cube (b), grouping sets ((a),())",
  'select percentile_cont(0.5) within group (order by x) from t',
  "select * from xmltable('/a' passing x columns a int path 'b')",
]

const WRITE = [
  'select trusted_fn(1)',
  'select app.ok(1)',
  'select st_area(g) from t',
  'with x as (insert into t(a) values (1) returning *) select * from x',
  'insert into t(a,b) values (1,lower($1)) on conflict (a) do update set b = excluded.b returning id',
  'update t set (a,b) = (1,2) where id = $1',
  'select * from t for update',
  'select * from t for no key update',
  'select * into x from t',
  'create table x(a int, b numeric(10,2), c vector(3))',
  'explain analyze insert into t values(1)',
  'explain (analyze, buffers) delete from t',
  "commit prepared 'x'",
  'select now(), random()',
  "select nextval('s')",
  "copy t from '/x'",
  'select pg_advisory_xact_lock(1)',
  'select * from t tablesample bernoulli(10)',
  'create function f() returns int language sql begin atomic select 1; select case when true then 2 else 3 end; end',
  'refresh materialized view v',
  'notify x',
  'grant select on t to x',
  'alter table t add primary key (a)',
  'merge into t using s on t.a=s.a when matched then update set b=s.b when not matched then insert (a) values (s.a)',
]

const TAINT = [
  'select my_fn(1)',
  'create table x as select my_fn(1)',
  'explain select my_fn()',
  'do $$ begin perform 1; end $$',
  'call p()',
  'select distinct on (a) my_fn(b) from t',
  'select 1 operator(pg_catalog.+) my_fn(2)',
  "select unterminated '",
  'select f.* from my_fn() f',
  'select * from a join my_fn(1) on true',
  'select * from a left join lateral my_fn(1) x(a) on true',
  'foo bar',
  'select coalesce(a, my_fn(b)) from t',
  'select case when my_fn(1) then 1 end',
  'insert into t select my_fn(1)',
  'alter table t add column c vector(3) default my_fn(1)',
  'select x.y(1)',
  'select ſet_config(1)',
]

const REFUSED = [
  "SELECT set_config('a','b',false)",
  'select/**/set_config(1)',
  'select "set_config"(1)',
  'select pg_catalog.set_config(1)',
  'select pg_catalog . /* x */ "set_config" /* y */ (1)',
  'select U&"set\\005fconfig"(1)',
  'select U&"set!005fconfig" UESCAPE \'!\' (1)',
  "select E'a'\n'b\\'c', set_config('x','y',false) --'",
  'set statement_timeout = 5',
  'select * into temp x from t',
  'create temp table x(a int)',
  'create local temporary table x()',
  'create or replace temp view v as select 1',
  'create table pg_temp.x(a int)',
  'begin',
  "select currval('s')",
  'copy t from stdin',
  'copy t(a,b) to stdout',
  'listen a',
  'select pg_advisory_lock(1)',
  'select pg_try_advisory_lock_shared(1)',
  'select 1; set x = 1',
  'savepoint a',
  '(select 1) union (select set_config(1,2,3))',
  'lock table t',
  'prepare x as select 1',
  "select dblink_connect('x')",
  "select U&'d!0061' uescape '!', set_config(1)",
  'select SET_CONFIG(1)',
  'explain (analyze) execute foo',
  'create table x as execute foo',
]

const ALL = [...READ, ...WRITE, ...TAINT, ...REFUSED]

describe('a statement', () => {
  it.each(READ)('reads: %s', (sql) => expect(analyze(sql).kind).toBe('read'))
  it.each(WRITE)('writes: %s', (sql) => expect(analyze(sql).kind).toBe('write'))
  it.each(TAINT)('may do anything: %s', (sql) => expect(analyze(sql).kind).toBe('taint'))
  it.each(REFUSED)('is refused: %s', (sql) => {
    const { kind, refusal } = analyze(sql)
    expect(kind).toBe('refused')
    expect(refusal).toMatch(/use /)
  })

  it('is the same however it is laid out', () => {
    const plain = ALL.filter((sql) => !/['"$]|[^ -~]/.test(sql) && !sql.includes('--') && !sql.includes('/*'))
    expect(plain.length).toBeGreaterThan(60)
    const gap = fc.constantFrom(' ', '\n', '\t', '/* set x */', '/* /* ( */ ; */', '--; begin\n', ' \r\n ')
    fc.assert(
      fc.property(
        fc.constantFrom(...plain),
        fc.array(gap, { minLength: 8, maxLength: 8 }),
        fc.boolean(),
        (sql, gaps, up) => {
          let turn = 0
          const laidOut = (up ? sql.toUpperCase() : sql).replace(/ |(?=[(),;.])|(?<=[(),;])/g, (space) => {
            const with_ = gaps[turn++ % gaps.length] as string
            return space === ' ' || with_ !== ' ' ? with_ : ''
          })
          expect([laidOut, analyze(laidOut).kind]).toEqual([laidOut, analyze(sql).kind])
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('is judged by the worst of several', () => {
    const rank = { read: 0, write: 1, taint: 2, refused: 3 }
    const whole = ALL.filter((sql) => !sql.includes('unterminated'))
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...whole), { minLength: 1, maxLength: 4 }), (list) => {
        const each = list.map((sql) => analyze(sql))
        const together = analyze(list.join('\n;\n'))
        expect(rank[together.kind]).toBe(Math.max(...each.map(({ kind }) => rank[kind])))
        expect(together.statements).toBe(each.reduce((sum, { statements }) => sum + statements, 0))
      }),
    )
  })

  it('hides nothing in what surrounds a call', () => {
    const call = fc.constantFrom('set_config($1,$2,false)', 'pg_catalog . "set_config" ($1)', 'PG_ADVISORY_LOCK(1)')
    const around = fc.constantFrom(
      'select @',
      'select 1, @',
      'select a from b where c = @',
      'select case when @ then 1 end',
      'select (@)::text',
      'with x as (select @) select 1',
      'with x(a) as (select 1), y as (select @) select 1',
      'values (@)',
      'insert into t(a) values (@)',
      'insert into t select @',
      'update t set a = @',
      'update t set (a,b) = (1,@)',
      'delete from t where @',
      'select * from t join @ on true',
      'select * from t, lateral @ x(a)',
      'select * from @ as x(a)',
      'select * from rows from (@, lower(x)) as y',
      'select count(*) filter (where @) over (order by @) from t',
      'select distinct on (a) @ from t',
      'select 1 operator(pg_catalog.+) @',
      'select * from t order by @ limit @',
      'select array[@]',
      'select array(select @)',
      'select row(@)',
      'select coalesce(null, @)',
      'select -@',
      'select not @',
      'select 1 between @ and 2',
      'select a like @',
      'select a is distinct from @',
      'select a at time zone @',
      'select * from t fetch first @ rows only',
      'select sum(a) over (rows @ preceding) from t',
      'explain analyze select @',
      'create table x as select @',
      'create materialized view x as (select @)',
      'call p(@)',
      'select x[@]',
      'select f(v => @)',
      'insert into t(a) values (1) on conflict (a) do update set b = @ returning @',
      'select * from t where (a) in (@)',
      'select $1 :: text || @',
      'select substring(a from @ for 2)',
      'select trim(both @ from a)',
      'table t order by @',
      'select xmlparse(document @)',
      'select all @',
      'select a from t group by @ having @',
      'select * into x from @',
      'merge into t using @ s on true when matched then update set a = @',
      'select a escape @',
      'alter table t alter a type int using @',
      'select 1 union select @',
      '(select @)',
      'select exists (select @)',
      'select * from t tablesample system (@)',
      'select a collate "C", @ from t',
      'select a <> all (select @)',
      'do $$ begin end $$; select @',
      'select variadic_(variadic @)',
    )
    fc.assert(
      fc.property(around, call, (text, given) => {
        const sql = text.replaceAll('@', given)
        expect([sql, analyze(sql).kind]).toEqual([sql, 'refused'])
      }),
      { numRuns: 1000 },
    )
  })

  it('says where the data of a COPY goes, and that a transaction is begun or ended', () => {
    expect(analyze('copy t (a) from stdin with (format csv)').copy).toBe('in')
    expect(analyze('COPY (select 1 from t) TO STDOUT').copy).toBe('out')
    expect(analyze("copy t from '/x'").copy).toBeUndefined()
    expect(analyze('copy t from stdin; copy t to stdout').copy).toBeUndefined()
    const controls = ['begin', 'start transaction', 'COMMIT', 'end', 'rollback', 'abort', "prepare transaction 'x'"]
    for (const sql of controls) expect([sql, analyze(sql).controlsTransaction]).toEqual([sql, true])
    for (const sql of ['rollback to a', 'rollback work to savepoint a', "commit prepared 'x'", 'select 1 as begin']) {
      expect([sql, analyze(sql).controlsTransaction]).toEqual([sql, false])
    }
  })

  it('counts no empty ones', () => {
    expect(analyze(' ; ;; select 1 ; -- nothing').statements).toBe(1)
    expect(analyze('').statements).toBe(0)
    expect(
      analyze('create rule r as on insert to t do also (insert into u values (1); delete from v)').statements,
    ).toBe(1)
  })

  it('ends, whatever it is given', () => {
    const word = fc.constantFrom(
      'select',
      'with',
      '(',
      ')',
      'as',
      ',',
      'f',
      '.',
      'explain',
      'create',
      'table',
      ';',
      'case',
      'end',
      'begin',
      'atomic',
      'copy',
      'from',
      'stdin',
      '::',
      '"',
      "'",
      '$$',
      '/*',
      'prepare',
      'into',
      'temp',
      'or',
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        expect(['read', 'write', 'taint', 'refused']).toContain(analyze(words.join(' ')).kind)
      }),
      { numRuns: 2000 },
    )
  })
})

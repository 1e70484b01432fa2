/**
 * The tables of the Postgres suites and their statements: one place for the server that makes them and the clients that
 * ask. The tables have names of their own: the server may be somebody else's.
 */
import { ACCOUNTS, BALANCE_MAX, BALANCE_STEP, balanceOf, noteLengthOf } from './accounts.ts'

export const SELECT_ACCOUNT = 'select id, name, balance, created, note from iokernel_bench_accounts where id = $1'

export const SELECT_ALL_ACCOUNTS = 'select id, name, balance, created, note from iokernel_bench_accounts'

/** What a program writes for an audit: a key of two numbers, an amount, a time, a line of text. */
export const INSERT_ENTRY =
  'insert into iokernel_bench_entries (writer, number, amount, note) values ($1, $2, $3, $4) returning number'

export const COUNT_ENTRIES = 'select count(*)::int as entries from iokernel_bench_entries where writer = $1'

/**
 * A read of every account that waits 10 ms at each of twenty of them, as one waits for a disk. One that computes for
 * 200 ms would take a core of the machine's two at five a second, and everybody would be measured by what is left.
 */
export const SLOW_READ: string = `select count(*)::int as accounts, sum(balance)::int as balance
  from iokernel_bench_accounts
  where case when id % ${ACCOUNTS / 20} = 0 then pg_sleep(0.01) is not null else false end`

export const SLOW_READ_ANSWER: { readonly accounts: number; readonly balance: number } = {
  accounts: 20,
  balance: Array.from({ length: 20 }, (_, index) => balanceOf((index + 1) * (ACCOUNTS / 20))).reduce(
    (one, other) => one + other,
  ),
}

/** Statements that make the tables anew. Vacuumed, so that no reader is the first to mark rows as visible. */
export function tableStatements(bytes: number): readonly string[] {
  const length = noteLengthOf(bytes)
  return [
    ...DROP_STATEMENTS,
    `create table iokernel_bench_accounts (id int primary key, name text not null, balance int not null,
       created timestamptz not null, note text not null)`,
    `insert into iokernel_bench_accounts
       select id, 'account ' || id, id * ${BALANCE_STEP} % ${BALANCE_MAX},
         timestamptz '2024-01-01 00:00:00+00' + id * interval '1 minute', left(repeat(id || '-', ${length}), ${length})
       from generate_series(1, ${ACCOUNTS}) as id`,
    'vacuum (freeze, analyze) iokernel_bench_accounts',
    `create table iokernel_bench_entries (writer int, number int, amount int not null,
       created timestamptz not null default now(), note text not null, primary key (writer, number))`,
  ]
}

export const DROP_STATEMENTS: readonly string[] = [
  'drop table if exists iokernel_bench_accounts',
  'drop table if exists iokernel_bench_entries',
]

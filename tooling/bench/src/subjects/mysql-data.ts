/**
 * The tables of the MySQL suite and their statements: one place for the server that makes them and the clients that
 * ask.
 *
 * Rules: the rows are those of the Postgres suite. The tables have names of their own: the server may be somebody
 * else's. Times are UTC, and every client is told so.
 */
import { ACCOUNTS, accountOf } from './accounts.ts'

export const SELECT_ACCOUNT = 'select id, name, balance, created, note from iokernel_bench_accounts where id = ?'

export const SELECT_ALL_ACCOUNTS = 'select id, name, balance, created, note from iokernel_bench_accounts'

export const INSERT_ENTRY = 'insert into iokernel_bench_entries (writer, number, amount, note) values (?, ?, ?, ?)'

export const COUNT_ENTRIES = 'select count(*) as entries from iokernel_bench_entries where writer = ?'

/** Statements that make the tables anew. */
export function tableStatements(bytes: number): readonly string[] {
  return [
    ...DROP_STATEMENTS,
    `create table iokernel_bench_accounts (id int primary key, name varchar(40) not null, balance int not null,
       created datetime not null, note text not null) engine = InnoDB default charset = utf8mb4`,
    ...batches().map((ids) => `insert into iokernel_bench_accounts values ${ids.map((id) => tuple(id, bytes))}`),
    'analyze table iokernel_bench_accounts',
    `create table iokernel_bench_entries (writer int, number int, amount int not null,
       created timestamp not null default current_timestamp, note text not null, primary key (writer, number))
       engine = InnoDB default charset = utf8mb4`,
  ]
}

export const DROP_STATEMENTS: readonly string[] = [
  'drop table if exists iokernel_bench_accounts',
  'drop table if exists iokernel_bench_entries',
]

function batches(): readonly (readonly number[])[] {
  return Array.from({ length: ACCOUNTS / BATCH_ROWS }, (_, batch) =>
    Array.from({ length: BATCH_ROWS }, (_, index) => batch * BATCH_ROWS + index + 1),
  )
}

function tuple(id: number, bytes: number): string {
  const { name, balance, created, note } = accountOf(id, bytes)
  const time = created.toISOString().replace('T', ' ').slice(0, 19)
  return `(${id}, '${name}', ${balance}, '${time}', '${note}')`
}

/** A statement of 100 KB with rows of 100 bytes, far from MariaDB's 16 MB. */
const BATCH_ROWS = 1_000

/**
 * The tables of the gateway, in a database of their own, made when it connects.
 *
 * Rules:
 * 1. What is up to date is not touched and needs no right to change anything. Otherwise the steps that are missing run
 *    one by one, under a lock of the server's: of two gateways that start at once, the second finds the work done.
 * 2. MySQL commits each statement about a table by itself, so a step may be found half done: each is one that may run
 *    again. One that was ever released is never changed: what is to be different is a further step.
 * 3. What was ordered is what was taken from the stock, whatever wrote it: an order and its lines are one transaction.
 */
import type { MysqlClient } from '@iokernel/mysql'

export async function prepareSchema(client: MysqlClient, options: { readonly deadlineMs: number }): Promise<void> {
  const [table] = await client.query<{ found: number }>(FIND_STEPS, [], options)
  if (table?.found === 1 && (await stepsDone(client, options)) >= STEPS.length) return
  const prepare = async (session: Parameters<Parameters<MysqlClient['withLock']>[1]>[0]): Promise<void> => {
    for (const text of BEGINNING) await session.simple(text, [], options)
    const done = await stepsDone(session, options)
    for (const [index, step] of STEPS.entries()) {
      if (index < done) continue
      for (const text of step) await session.simple(text, [], options)
      await session.query('insert into gateway.steps values (?)', [index + 1], options)
    }
  }
  await client.withLock('gateway.steps', prepare, options)
}

async function stepsDone(
  queries: Pick<MysqlClient, 'query'>,
  options: { readonly deadlineMs: number },
): Promise<number> {
  const [last] = await queries.query<{ done: number | null }>(
    'select max(number) as done from gateway.steps',
    [],
    options,
  )
  return last?.done ?? 0
}

const FIND_STEPS = `
  select count(*) as found from information_schema.tables where table_schema = 'gateway' and table_name = 'steps'`

const BEGINNING: readonly string[] = [
  'create database if not exists gateway character set utf8mb4',
  'create table if not exists gateway.steps (number int primary key) engine = InnoDB',
]

/** Compared byte by byte; the longest that a client may choose. */
const ID = 'varchar(64) character set ascii collate ascii_bin not null'

const STEPS: readonly (readonly string[])[] = [
  [
    `create table if not exists gateway.items (
      id ${ID} primary key,
      name varchar(200) character set utf8mb4 not null,
      price decimal(20, 2) not null,
      stock int unsigned not null,
      changed_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)
    ) engine = InnoDB`,
    `create table if not exists gateway.orders (
      id ${ID} primary key,
      -- Of what was asked for: the same order again, or another one under its id.
      contents char(64) character set ascii collate ascii_bin not null,
      total decimal(30, 2) not null default 0,
      at timestamp(6) not null default current_timestamp(6)
    ) engine = InnoDB`,
    // Without a reference to the item: what was ordered stays known when it is gone.
    `create table if not exists gateway.order_lines (
      order_id ${ID},
      number smallint unsigned not null,
      item ${ID},
      quantity int unsigned not null,
      price decimal(20, 2) not null,
      primary key (order_id, number),
      key (item),
      foreign key (order_id) references gateway.orders (id) on delete cascade
    ) engine = InnoDB`,
  ],
]

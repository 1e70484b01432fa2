/**
 * The tables of the gateway, in a schema of their own, made when it connects.
 *
 * Rules:
 * 1. What is up to date is not touched and needs no right to change anything. Otherwise all steps that are missing run
 *    in one transaction, under an advisory lock: of two gateways that start at once, the second finds the work done.
 * 2. A step that was ever released is never changed: what is to be different is a further step.
 * 3. The sum of an account's entries is its balance, whatever wrote it: every statement that changes a balance writes
 *    the entries as well. Balances are exact (numeric) and never negative.
 *
 * Limit: PostgreSQL 13 or later (`gen_random_uuid`).
 */
import type { PostgresClient } from '@iokernel/postgres'
import { SEGMENTS_TAKEN } from './account-fields.ts'

/** Where changes of accounts are told. */
export const CHANGES_CHANNEL = 'gateway_accounts'

export async function prepareSchema(client: PostgresClient, options: { readonly deadlineMs: number }): Promise<void> {
  const [found] = await client.query(`select to_regclass('gateway.steps') is not null as found`, [], options)
  if (found?.['found'] === true) {
    const [last] = await client.query<{ done: number }>('select max(number) as done from gateway.steps', [], options)
    if ((last?.done ?? 0) >= STEPS.length) return
  }
  await client.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1::int8)', [LOCK_KEY])
    await tx.simple(
      'create schema if not exists gateway; create table if not exists gateway.steps (number int primary key)',
    )
    const [last] = await tx.query<{ done: number | null }>('select max(number) as done from gateway.steps')
    const done = last?.done ?? 0
    for (const [index, step] of STEPS.entries()) {
      if (index < done) continue
      await tx.simple(step)
      await tx.query('insert into gateway.steps values ($1)', [index + 1])
    }
  }, options)
}

/** The letters "gateway", so that nobody else has it by chance. */
const LOCK_KEY = 0x67617465776179n

/** Above this many rows at once, one notification tells the number: an import is no flood. */
const TOLD_ROWS_MAX = 100

const TAKEN = SEGMENTS_TAKEN.map((segment) => `'${segment}'`).join(', ')

const STEPS: readonly string[] = [
  `
  create table gateway.accounts (
    id text collate "C" primary key,
    owner text not null check (length(owner) <= 200),
    -- NaN is above every number.
    balance numeric(20, 2) not null check (balance >= 0 and balance < 1e18),
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    constraint accounts_id check (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' and id not in (${TAKEN}))
  );

  -- Without references: what was done stays known when an account is gone, and its id is not used again.
  create table gateway.transfers (
    id text collate "C" primary key check (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    from_account text not null,
    to_account text not null,
    amount numeric(20, 2) not null check (amount > 0 and amount < 1e18),
    at timestamptz not null default now()
  );

  create table gateway.entries (
    id bigint generated always as identity primary key,
    account text collate "C" not null references gateway.accounts on delete cascade,
    transfer text,
    amount numeric(20, 2) not null,
    balance numeric(20, 2) not null,
    note text not null default '' check (length(note) <= 1000),
    at timestamptz not null default now()
  );
  create index on gateway.entries (account, id);

  create function gateway.tell() returns trigger language plpgsql as $$
  declare
    total bigint := (select count(*) from changed);
  begin
    if total > ${TOLD_ROWS_MAX} then
      perform pg_notify('${CHANGES_CHANNEL}', json_build_object('change', tg_argv[0], 'count', total)::text);
    else
      perform pg_notify('${CHANGES_CHANNEL}',
        json_build_object('change', tg_argv[0], 'id', id, 'balance', balance::text)::text) from changed;
    end if;
    return null;
  end $$;
  create trigger tell_created after insert on gateway.accounts
    referencing new table as changed for each statement execute function gateway.tell('created');
  create trigger tell_updated after update on gateway.accounts
    referencing new table as changed for each statement execute function gateway.tell('updated');
  create trigger tell_deleted after delete on gateway.accounts
    referencing old table as changed for each statement execute function gateway.tell('deleted');
  `,
]

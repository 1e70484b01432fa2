/**
 * Accounts as files: many at once in, all of them out.
 *
 * Rules:
 * 1. In: all of them or none, in one transaction. Rows go through a temporary table, where they are judged before any
 *    account is made, so amounts are never rounded and each opening balance has its entry.
 * 2. Out: what an import takes, as of one moment.
 * 3. Both stream, at the pace of the slower side.
 */
import type { PostgresClient } from '@iokernel/postgres'
import { type Answer, json } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { amountIn, type Fields } from '../../http/fields.ts'
import { pieceStream } from '../../http/piece-stream.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { accountIn, ownerIn } from './account-fields.ts'
import { type RowFormat, rowSource } from './row-source.ts'

export function bulkRoutes(client: PostgresClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/accounts/import',
      summary: 'makes accounts of CSV or JSON lines, all of them or none',
      example: `-H 'Content-Type: text/csv' --data-binary $'id,owner,balance\\nbob,Bob,5.00\\n' %/accounts/import`,
      handle: (request) => importAccounts(client, streams, request),
    },
    {
      method: 'GET',
      path: '/accounts/export',
      summary: 'all accounts as CSV, in the form that an import takes',
      example: '%/accounts/export',
      handle: (request) => exportAccounts(client, streams, request),
    },
  ]
}

const FORMAT: RowFormat = {
  columns: ['id', 'owner', 'balance'],
  values: (fields: Fields) => [
    Object.hasOwn(fields, 'id') ? accountIn(fields, 'id') : null,
    Object.hasOwn(fields, 'owner') ? ownerIn(fields) : null,
    Object.hasOwn(fields, 'balance') ? amountIn(fields, 'balance') : null,
  ],
}

async function importAccounts(client: PostgresClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  using _seat = streams.take()
  const source = await rowSource(request, FORMAT)
  const call = request.call({ deadlineMs: request.limits.importDeadlineMs })
  try {
    const imported = await client.transaction(async (tx) => {
      await tx.query(INCOMING, [], call)
      const count = await tx.copyFrom(
        `copy incoming (${source.columns.join(', ')}) from stdin (format csv)`,
        source.csv,
      )
      const [taken] = await tx.query<{ id: string }>(TAKEN, [], call)
      if (taken !== undefined) {
        throw new RequestError(409, 'ACCOUNT_EXISTS', `there is an account ${JSON.stringify(taken.id)}: none was made`)
      }
      await tx.query(MAKE, [], call)
      return count
    })
    return json({ imported })
  } finally {
    source.drop()
  }
}

function exportAccounts(client: PostgresClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const { callDeadlineMs: deadlineMs } = request.limits
  const seat = streams.take()
  const pieces = client.copyTo(EXPORT, { deadlineMs, signal: request.signal })
  return pieceStream(
    { pieces, seat, left: request.signal },
    { 'content-type': 'text/csv; charset=utf-8', 'content-disposition': 'attachment; filename="accounts.csv"' },
  )
}

/** Numbers of any precision, so that one with three digits behind the point is seen, and not rounded. */
const INCOMING = `
  create temporary table incoming (
    id text, owner text,
    balance numeric constraint "two digits behind the point" check (scale(balance) <= 2)
  ) on commit drop`

const TAKEN = 'select id from incoming join gateway.accounts using (id) limit 1'

const MAKE = `
  with made as (
    insert into gateway.accounts (id, owner, balance)
    select coalesce(id, gen_random_uuid()::text), coalesce(owner, ''), coalesce(balance, 0) from incoming
    returning id, balance
  )
  insert into gateway.entries (account, amount, balance, note)
  select id, balance, balance, 'opening' from made where balance > 0`

const EXPORT = `
  copy (select id, owner, balance from gateway.accounts order by id) to stdout (format csv, header true)`

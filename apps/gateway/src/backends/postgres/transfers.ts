/**
 * Transfers: money from one account to another, once.
 *
 * Rules:
 * 1. The client chooses the transfer's id, so it may repeat a request whose answer it has not seen: the same transfer
 *    is done once and answered 200, another one under its id is a conflict.
 * 2. Both accounts are locked in the order of their ids, so transfers that cross do not wait for each other in a
 *    circle; what conflicts all the same is tried again. The sum of all balances never changes.
 * 3. What is refused has changed nothing, and its id is still free.
 */
import type { PostgresClient, PostgresTransaction } from '@iokernel/postgres'
import { type Answer, json } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { amountIn, checkFields, idIn, wrong } from '../../http/fields.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import { accountIn, unknownAccount } from './account-fields.ts'

export function transferRoutes(client: PostgresClient): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/transfers',
      summary: 'moves money, once for each id that you choose; 409 when there is too little',
      example: `--data '{"id":"t-1","from":"ada","to":"bob","amount":"12.50"}' %/transfers`,
      handle: (request) => post(client, request),
    },
  ]
}

interface Transfer {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly amount: string
}

interface Done {
  readonly transfer: TransferRow
  readonly isRepeated: boolean
}

interface TransferRow {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly at: Date
  /** As in this request; in the database's eyes, to which 5 is 5.00. */
  readonly same: boolean
}

async function post(client: PostgresClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const given = await request.jsonObject()
  checkFields(given, ['id', 'from', 'to', 'amount'])
  const transfer = {
    id: idIn(given, 'id'),
    from: accountIn(given, 'from'),
    to: accountIn(given, 'to'),
    amount: amountIn(given, 'amount'),
  }
  if (transfer.from === transfer.to) throw wrong('from and to are two accounts')
  if (!/[1-9]/.test(transfer.amount)) throw wrong('amount is more than nothing')
  const { deadlineMs, signal, onTiming } = request.call()
  const done = await client.transaction((tx) => make(tx, transfer, onTiming), {
    retries: request.limits.transferRetriesMax,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(signal === undefined ? {} : { signal }),
  })
  const { id, from, to, amount, at } = done.transfer
  return json({ id, from, to, amount, at, repeated: done.isRepeated }, done.isRepeated ? 200 : 201)
}

type OnTiming = ReturnType<GatewayRequest['call']>['onTiming']

async function make(tx: PostgresTransaction, transfer: Transfer, onTiming: OnTiming): Promise<Done> {
  const options = onTiming === undefined ? {} : { onTiming }
  const { id, from, to, amount } = transfer
  const values = [id, from, to, amount]
  const [[begun], found] = await Promise.all([
    // Waits for whoever is doing the same transfer right now.
    tx.query<TransferRow>(BEGIN_TRANSFER, values, options),
    // Leaves with it, which saves a round trip.
    tx.query<{ id: string; suffices: boolean }>(LOCK_ACCOUNTS, [from, to, amount], options),
  ])
  if (begun === undefined) {
    const [known] = await tx.query<TransferRow>(KNOWN_TRANSFER, values, options)
    if (known?.same !== true) {
      throw new RequestError(409, 'TRANSFER_ID_TAKEN', 'another transfer has this id: choose one for each')
    }
    return { transfer: known, isRepeated: true }
  }
  const missing = [from, to].find((account) => !found.some((row) => row.id === account))
  if (missing !== undefined) throw unknownAccount(missing)
  if (found.find((row) => row.id === from)?.suffices !== true) {
    throw new RequestError(409, 'INSUFFICIENT_FUNDS', `the account ${JSON.stringify(from)} holds less than ${amount}`)
  }
  await tx.query(MOVE, values, options)
  return { transfer: begun, isRepeated: false }
}

const TRANSFER_COLUMNS = 'id, from_account as "from", to_account as "to", amount, at'

const BEGIN_TRANSFER = `
  insert into gateway.transfers (id, from_account, to_account, amount) values ($1, $2, $3, $4)
  on conflict do nothing returning ${TRANSFER_COLUMNS}, true as same`

const KNOWN_TRANSFER = `
  select ${TRANSFER_COLUMNS}, (from_account, to_account, amount) = ($2, $3, $4::numeric) as same
  from gateway.transfers where id = $1`

const LOCK_ACCOUNTS = `
  select id, balance >= $3::numeric as suffices from gateway.accounts where id in ($1, $2) order by id for update`

const MOVE = `
  with moved as (
    update gateway.accounts
    set balance = balance + case id when $2 then -$4::numeric else $4::numeric end, changed_at = now()
    where id in ($2, $3)
    returning id, balance
  )
  insert into gateway.entries (account, transfer, amount, balance)
  select id, $1, case id when $2 then -$4::numeric else $4::numeric end, balance from moved`

/**
 * Accounts: made, read, renamed, removed, listed page by page. Balances change by transfers and entries alone.
 *
 * Rules: each is one statement, so each is all or nothing without a transaction, and a listing costs the same on the
 * last page as on the first (the key it goes on from, no offset).
 */
import { randomUUID } from 'node:crypto'
import type { PostgresClient } from '@iokernel/postgres'
import { type Answer, json, noContent } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { amountIn, checkFields, isId, wrong } from '../../http/fields.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import {
  ACCOUNT_COLUMNS,
  type AccountRow,
  accountIn,
  idInPath,
  ownerIn,
  shownAccount,
  unknownAccount,
} from './account-fields.ts'

export function accountRoutes(client: PostgresClient): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/accounts',
      summary: 'makes an account; without an id it gets one',
      example: `--data '{"id":"ada","owner":"Ada","balance":"100.00"}' %/accounts`,
      handle: (request) => create(client, request),
    },
    {
      method: 'GET',
      path: '/accounts',
      summary: 'accounts by id, those ?after= one, at most ?limit=',
      example: `'%/accounts?limit=10'`,
      handle: (request) => list(client, request),
    },
    {
      method: 'GET',
      path: '/accounts/:id',
      summary: 'an account; its balance is exact, and a string',
      example: '%/accounts/ada',
      handle: (request) => get(client, request),
    },
    {
      method: 'PATCH',
      path: '/accounts/:id',
      summary: 'changes the owner',
      example: `-X PATCH --data '{"owner":"Ada Lovelace"}' %/accounts/ada`,
      handle: (request) => patch(client, request),
    },
    {
      method: 'DELETE',
      path: '/accounts/:id',
      summary: 'removes it with its entries; 409 while it holds money, unless ?force=true',
      example: `-X DELETE '%/accounts/ada?force=true'`,
      handle: (request) => remove(client, request),
    },
  ]
}

async function create(client: PostgresClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const given = { owner: '', balance: '0', ...(await request.jsonObject()) }
  checkFields(given, ['id', 'owner', 'balance'])
  const id = Object.hasOwn(given, 'id') ? accountIn(given, 'id') : randomUUID()
  const values = [id, ownerIn(given), amountIn(given, 'balance')]
  const [row] = await client.query<AccountRow>(CREATE, values, request.call())
  if (row === undefined) throw new RequestError(409, 'ACCOUNT_EXISTS', `there is an account ${JSON.stringify(id)}`)
  return json(shownAccount(row), 201, { location: `/accounts/${id}` })
}

async function get(client: PostgresClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const id = idInPath(request.name('id'))
  const text = `select ${ACCOUNT_COLUMNS} from gateway.accounts where id = $1`
  const [row] = await client.query<AccountRow>(text, [id], request.call())
  if (row === undefined) throw unknownAccount(id)
  return json(shownAccount(row))
}

async function patch(client: PostgresClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const id = idInPath(request.name('id'))
  const given = await request.jsonObject()
  checkFields(given, ['owner'])
  const [row] = await client.query<AccountRow>(RENAME, [id, ownerIn(given)], request.call())
  if (row === undefined) throw unknownAccount(id)
  return json(shownAccount(row))
}

async function remove(client: PostgresClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('force')
  const id = idInPath(request.name('id'))
  const force = request.textQuery('force') ?? 'false'
  if (force !== 'true' && force !== 'false') throw wrong('force is true or false')
  const { count } = await client.query(REMOVE, [id, force === 'true'], request.call())
  if (count > 0) return noContent()
  const { count: found } = await client.query('select from gateway.accounts where id = $1', [id], request.call())
  if (found === 0) throw unknownAccount(id)
  throw new RequestError(409, 'ACCOUNT_NOT_EMPTY', 'this account holds money: transfer it, or say ?force=true')
}

async function list(client: PostgresClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('after', 'limit')
  const { listedAccountsMax } = request.limits
  const limit = request.integerQuery('limit', 1, listedAccountsMax) ?? Math.min(LISTED_DEFAULT, listedAccountsMax)
  const after = request.textQuery('after') ?? ''
  if (after !== '' && !isId(after)) throw wrong('after is the id of an account')
  // One more than asked for says whether there are more.
  const rows = await client.query<AccountRow>(LIST, [after, limit + 1], request.call())
  const page = rows.slice(0, limit)
  const next = rows.length > limit ? page.at(-1)?.id : undefined
  return json({ accounts: page.map(shownAccount), next: next ?? null })
}

const CREATE = `
  with account as (
    insert into gateway.accounts (id, owner, balance) values ($1, $2, $3) on conflict do nothing
    returning ${ACCOUNT_COLUMNS}
  ), opening as (
    insert into gateway.entries (account, amount, balance, note)
    select id, balance, balance, 'opening' from account where balance > 0
  )
  select ${ACCOUNT_COLUMNS} from account`

const RENAME = `
  update gateway.accounts set owner = $2, changed_at = now() where id = $1 returning ${ACCOUNT_COLUMNS}`

const REMOVE = 'delete from gateway.accounts where id = $1 and ($2::boolean or balance = 0)'

const LIST = `select ${ACCOUNT_COLUMNS} from gateway.accounts where id > $1 order by id limit $2`

const LISTED_DEFAULT = 100

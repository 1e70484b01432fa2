/** What Postgres adds to an answer made of several upstreams: the account of that name. */
import type { CallOptions } from '@iokernel/core'
import type { PostgresClient } from '@iokernel/postgres'
import { isId } from '../../http/fields.ts'
import { type AccountRow, shownAccount } from './account-fields.ts'

export async function postgresPart(client: PostgresClient, key: Buffer, options: CallOptions): Promise<unknown> {
  const id = key.toString('latin1')
  if (!isId(id)) return { found: false }
  const [row] = await client.query<AccountRow & { readonly entries: bigint }>(ACCOUNT, [id], options)
  if (row === undefined) return { found: false }
  return { found: true, account: shownAccount(row), entries: String(row.entries) }
}

const ACCOUNT = `
  select accounts.*, (select count(*) from gateway.entries where account = accounts.id) as entries
  from gateway.accounts where id = $1`

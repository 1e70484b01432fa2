/** What MySQL adds to an answer made of several upstreams: the item of that name. */
import type { CallOptions } from '@iokernel/core'
import type { MysqlClient } from '@iokernel/mysql'
import { isId } from '../../http/fields.ts'
import { type ItemRow, shownItem } from './items.ts'

export async function mysqlPart(client: MysqlClient, key: Buffer, options: CallOptions): Promise<unknown> {
  const id = key.toString('latin1')
  if (!isId(id)) return { found: false }
  const [row] = await client.query<ItemRow & { readonly ordered: string }>(ITEM, [id], options)
  if (row === undefined) return { found: false }
  return { found: true, item: shownItem(row), ordered: row.ordered }
}

const ITEM = `
  select items.*, (select coalesce(sum(quantity), 0) from gateway.order_lines where item = items.id) as ordered
  from gateway.items where id = ?`

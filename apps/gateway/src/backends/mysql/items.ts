/** Items: kept, read, removed. Each is a statement or two, and all or nothing without a transaction. */
import type { MysqlClient } from '@iokernel/mysql'
import { type Answer, json, noContent } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { amountIn, checkFields, type Fields, integerIn, isId, textIn } from '../../http/fields.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'

export function itemRoutes(client: MysqlClient): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/items/:id',
      summary: 'keeps an item with its price and its stock',
      example: `-X PUT --data '{"name":"Tea","price":"2.50","stock":100}' %/items/tea`,
      handle: (request) => put(client, request),
    },
    {
      method: 'GET',
      path: '/items/:id',
      summary: 'an item, and what is left of it; the price is exact, and a string',
      example: '%/items/tea',
      handle: (request) => get(client, request),
    },
    {
      method: 'DELETE',
      path: '/items/:id',
      summary: 'removes it; orders of it stay',
      example: '-X DELETE %/items/tea',
      handle: (request) => remove(client, request),
    },
  ]
}

export interface ItemRow {
  readonly id: string
  readonly name: string
  readonly price: string
  readonly stock: number
  readonly changed_at: Date
}

export const ITEM_COLUMNS = 'id, name, price, stock, changed_at'

export function shownItem({ id, name, price, stock, changed_at: changedAt }: ItemRow): Fields {
  return { id, name, price, stock, changedAt }
}

export function unknownItem(id: string): RequestError {
  return new RequestError(404, 'NO_ITEM', `there is no item ${JSON.stringify(id)}`)
}

async function put(client: MysqlClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const id = idInPath(request.name('id'))
  const given = { name: '', ...(await request.jsonObject()) }
  checkFields(given, ['name', 'price', 'stock'])
  const name = textIn(given, 'name', NAME_CHARACTERS_MAX)
  const values = [id, name, amountIn(given, 'price'), integerIn(given, 'stock', 0, STOCK_MAX)]
  const { affectedRows } = await client.query(KEEP, values, request.call())
  return json(shownItem(await found(client, id, request)), affectedRows === 1 ? 201 : 200)
}

async function get(client: MysqlClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  return json(shownItem(await found(client, idInPath(request.name('id')), request)))
}

async function remove(client: MysqlClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const id = idInPath(request.name('id'))
  const { affectedRows } = await client.query('delete from gateway.items where id = ?', [id], request.call())
  if (affectedRows === 0) throw unknownItem(id)
  return noContent()
}

async function found(client: MysqlClient, id: string, request: GatewayRequest): Promise<ItemRow> {
  const text = `select ${ITEM_COLUMNS} from gateway.items where id = ?`
  const [row] = await client.query<ItemRow>(text, [id], request.call())
  if (row === undefined) throw unknownItem(id)
  return row
}

/** One that cannot be is not there. */
function idInPath(name: Buffer): string {
  const id = name.toString('latin1')
  if (!isId(id)) throw unknownItem(id)
  return id
}

/** 1 row: it is new. 2: it was there and is another now. 0: it was there, the same. */
const KEEP = `
  insert into gateway.items (id, name, price, stock) values (?, ?, ?, ?)
  on duplicate key update name = values(name), price = values(price), stock = values(stock)`

const NAME_CHARACTERS_MAX = 200
/** Far below what the column holds: a stock plus what is given back stays within it. */
const STOCK_MAX = 1_000_000_000

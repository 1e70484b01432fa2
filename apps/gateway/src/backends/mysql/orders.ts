/**
 * Orders: what they name is taken from the stock, once.
 *
 * Rules:
 * 1. The client chooses the order's id, so it may repeat a request whose answer it has not seen: the same order is made
 *    once and answered 200, another one under its id is a conflict.
 * 2. Items are locked in the order of their ids, so orders that cross do not wait for each other in a circle; what
 *    conflicts all the same is tried again. An order is made whole or not at all, and no stock falls below nothing.
 * 3. What is ordered is streamed row by row as MySQL sends it, at the client's pace; who leaves ends the query.
 */
import { createHash } from 'node:crypto'
import type { CallOptions } from '@iokernel/core'
import type { MysqlClient, MysqlTransaction } from '@iokernel/mysql'
import { type Answer, json, noContent } from '../../http/answer.ts'
import { RequestError } from '../../http/failures.ts'
import { checkFields, idIn, isId, wrong } from '../../http/fields.ts'
import { pieceStream } from '../../http/piece-stream.ts'
import type { GatewayRequest } from '../../http/request.ts'
import type { Route } from '../../http/router.ts'
import type { Seats } from '../../http/seats.ts'
import { unknownItem } from './items.ts'
import { linesIn, type OrderLine } from './order-lines.ts'

export function orderRoutes(client: MysqlClient, streams: Seats): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/orders',
      summary: 'takes items from the stock, once for each id that you choose; 409 when there are too few',
      example: `--data '{"id":"o-1","lines":[{"item":"tea","quantity":2}]}' %/orders`,
      handle: (request) => post(client, request),
    },
    {
      method: 'GET',
      path: '/orders',
      summary: 'the lines of all orders as JSON lines, as they arrive; ?item= those of one',
      example: `-N '%/orders?item=tea'`,
      handle: (request) => stream(client, streams, request),
    },
    {
      method: 'GET',
      path: '/orders/:id',
      summary: 'an order with its lines; the total is exact, and a string',
      example: '%/orders/o-1',
      handle: (request) => get(client, request),
    },
    {
      method: 'DELETE',
      path: '/orders/:id',
      summary: 'takes it back: its items are in stock again',
      example: '-X DELETE %/orders/o-1',
      handle: (request) => takeBack(client, request),
    },
  ]
}

interface Order {
  readonly id: string
  readonly lines: readonly OrderLine[]
  /** A digest of the lines. */
  readonly contents: string
}

async function post(client: MysqlClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const given = await request.jsonObject()
  checkFields(given, ['id', 'lines'])
  const lines = linesIn(given)
  const contents = createHash('sha256').update(JSON.stringify(lines)).digest('hex')
  const order = { id: idIn(given, 'id'), lines, contents }
  const isRepeated = await inTransaction(client, request, (tx, call) => make(tx, order, call))
  return json({ ...(await found(client, order.id, request)), repeated: isRepeated }, isRepeated ? 200 : 201)
}

/** True if it had been made before. */
async function make(tx: MysqlTransaction, { id, lines, contents }: Order, call: CallOptions): Promise<boolean> {
  // Waits for whoever is making the same order right now.
  const { affectedRows } = await tx.query(BEGIN_ORDER, [id, contents], call)
  if (affectedRows === 0) {
    const [known] = await tx.query<{ contents: string }>(CONTENTS, [id], call)
    if (known?.contents === contents) return true
    throw new RequestError(409, 'ORDER_ID_TAKEN', 'another order has this id: choose one for each')
  }
  // Here and below, all leave at once, one behind the other where the server bears it, and are done in this order.
  await Promise.all([...lines].sort(byItem).map((line) => lock(tx, line, call)))
  await Promise.all(
    lines.flatMap(({ item, quantity }, index) => [
      tx.query('update gateway.items set stock = stock - ? where id = ?', [quantity, item], call),
      tx.query(ADD_LINE, [id, index + 1, quantity, item], call),
    ]),
  )
  await tx.query(ADD_UP, [id, id], call)
  return false
}

/** Throws where there is too little of it. */
async function lock(tx: MysqlTransaction, { item, quantity }: OrderLine, call: CallOptions): Promise<void> {
  const [row] = await tx.query<{ stock: number }>(LOCK_ITEM, [item], call)
  if (row === undefined) throw unknownItem(item)
  if (row.stock >= quantity) return
  throw new RequestError(409, 'OUT_OF_STOCK', `of ${JSON.stringify(item)} there are ${row.stock} left`)
}

async function takeBack(client: MysqlClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  const id = idInPath(request.name('id'))
  await inTransaction(client, request, async (tx, call) => {
    const [order] = await tx.query('select id from gateway.orders where id = ? for update', [id], call)
    if (order === undefined) throw unknownOrder(id)
    const lines = await tx.query<OrderLine>(LINES_BY_ITEM, [id], call)
    for (const { item, quantity } of lines) {
      await tx.query('update gateway.items set stock = stock + ? where id = ?', [quantity, item], call)
    }
    await tx.query('delete from gateway.orders where id = ?', [id], call)
  })
  return noContent()
}

async function get(client: MysqlClient, request: GatewayRequest): Promise<Answer> {
  request.queryOnly()
  return json(await found(client, idInPath(request.name('id')), request))
}

async function found(client: MysqlClient, id: string, request: GatewayRequest): Promise<object> {
  const [[order], lines] = await Promise.all([
    client.query<object>('select id, total, at from gateway.orders where id = ?', [id], request.call()),
    client.query<object>(LINES, [id], request.call()),
  ])
  if (order === undefined) throw unknownOrder(id)
  return { ...order, lines }
}

function stream(client: MysqlClient, streams: Seats, request: GatewayRequest): Promise<Answer> {
  request.queryOnly('item')
  const item = request.textQuery('item')
  if (item !== undefined && !isId(item)) throw wrong('item is the id of an item')
  const { callDeadlineMs: deadlineMs } = request.limits
  const seat = streams.take()
  const [text, values] = item === undefined ? [ALL_LINES, []] : [LINES_OF_ITEM, [item]]
  const rows = client.stream<object>(text, values, { deadlineMs, signal: request.signal })
  return pieceStream(
    { pieces: jsonLines(rows), seat, left: request.signal },
    { 'content-type': 'application/x-ndjson; charset=utf-8' },
  )
}

/** Several rows a piece: a write for each would cost more than the row. */
async function* jsonLines(rows: AsyncIterable<object>): AsyncGenerator<Uint8Array, void, undefined> {
  let lines = ''
  for await (const row of rows) {
    lines += `${JSON.stringify(row)}\n`
    if (lines.length < PIECE_CHARACTERS) continue
    yield Buffer.from(lines)
    lines = ''
  }
  if (lines !== '') yield Buffer.from(lines)
}

/** Its statements' times are the request's; START TRANSACTION and COMMIT are not told. */
function inTransaction<Result>(
  client: MysqlClient,
  request: GatewayRequest,
  work: (tx: MysqlTransaction, call: CallOptions) => Promise<Result>,
): Promise<Result> {
  const { deadlineMs, signal, onTiming } = request.call()
  const call = onTiming === undefined ? {} : { onTiming }
  return client.transaction((tx) => work(tx, call), {
    // What was committed meanwhile is seen, so that a repeated order finds the first.
    isolation: 'read committed',
    retries: request.limits.orderRetriesMax,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(signal === undefined ? {} : { signal }),
  })
}

function byItem(one: OrderLine, other: OrderLine): number {
  return one.item < other.item ? -1 : 1
}

/** One that cannot be is not there. */
function idInPath(name: Buffer): string {
  const id = name.toString('latin1')
  if (!isId(id)) throw unknownOrder(id)
  return id
}

function unknownOrder(id: string): RequestError {
  return new RequestError(404, 'NO_ORDER', `there is no order ${JSON.stringify(id)}`)
}

/** 0 rows: there is one of this id. */
const BEGIN_ORDER = 'insert into gateway.orders (id, contents) values (?, ?) on duplicate key update id = id'

const CONTENTS = 'select contents from gateway.orders where id = ?'

const LOCK_ITEM = 'select stock from gateway.items where id = ? for update'

const ADD_LINE = `
  insert into gateway.order_lines (order_id, number, item, quantity, price)
  select ?, ?, id, ?, price from gateway.items where id = ?`

const ADD_UP = `
  update gateway.orders set total = (select sum(quantity * price) from gateway.order_lines where order_id = ?)
  where id = ?`

const LINES = 'select item, quantity, price from gateway.order_lines where order_id = ? order by number'

const LINES_BY_ITEM = 'select item, quantity from gateway.order_lines where order_id = ? order by item'

const LINE_COLUMNS = 'order_id as `order`, number, item, quantity, price'

const ALL_LINES = `select ${LINE_COLUMNS} from gateway.order_lines order by order_id, number`

const LINES_OF_ITEM = `select ${LINE_COLUMNS} from gateway.order_lines where item = ? order by order_id, number`

/** Four pages of memory, a few packets. */
const PIECE_CHARACTERS = 16 << 10

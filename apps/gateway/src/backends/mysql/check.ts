/**
 * What the gateway promises for MySQL, asked of it over HTTP: nothing is sold twice by orders at the same time, what
 * was ordered streams, and who is slow delays nobody.
 *
 * Rules: the server may be somebody's, so every item and order has a name of its own and is removed again.
 */
import { randomUUID } from 'node:crypto'
import type { Caller } from '../../check/caller.ts'
import { expectEqual } from '../../check/expect-equal.ts'
import { staysFast } from '../../check/stays-fast.ts'

export async function checkMysql(caller: Caller): Promise<string> {
  const name = `gateway-check-${randomUUID()}`
  const items = Array.from({ length: ITEMS }, (_, index) => `${name}-${index}`)
  const orders = Array.from({ length: ORDERS }, (_, index) => `${name}-o${index}`)
  try {
    const kept = await keepsItems(caller, items)
    const ordered = await takesOrders(caller, items, orders)
    const streamed = await streams(caller, items)
    const returned = await takesBack(caller, items, orders)
    const waited = await staysFast(caller, { slow: '/mysql/slow', fast: `/items/${items[0]}` })
    return [kept, ordered, streamed, returned, waited].join(', ')
  } finally {
    // One behind the other: nobody waits for locks here.
    for (const id of orders) await caller.send('DELETE', `/orders/${id}`, [204, 404]).catch(() => undefined)
    for (const id of items) await caller.send('DELETE', `/items/${id}`, [204, 404]).catch(() => undefined)
  }
}

async function keepsItems(caller: Caller, items: readonly string[]): Promise<string> {
  const body = JSON.stringify({ name: 'Käse 🧀', price: PRICE, stock: STOCK })
  for (const id of items) await caller.send('PUT', `/items/${id}`, 201, { body })
  await caller.send('PUT', `/items/${items[0]}`, 200, { body })
  const { name, price } = await caller.json('GET', `/items/${items[0]}`)
  expectEqual(name, 'Käse 🧀', 'the name')
  expectEqual(price, PRICE, 'the price')
  const { parts } = (await caller.json('GET', `/overview/${items[0]}`)) as { parts: { mysql: { found: boolean } } }
  expectEqual(parts.mysql.found, true, 'whether the overview has the item')
  return `price ${price} exact`
}

/** More than there is, all at once, each of two items; each tenth is sent twice. */
async function takesOrders(caller: Caller, items: readonly string[], orders: readonly string[]): Promise<string> {
  const bodies = orders.map((id, index) => {
    const [one, other] = [items[index % ITEMS], items[(index * 3 + 1) % ITEMS]]
    const lines = [one, ...(other === one ? [] : [other])].map((item) => ({ item, quantity: QUANTITY }))
    return JSON.stringify({ id, lines })
  })
  const repeated = bodies.filter((_, index) => index % 10 === 0)
  const replies = await Promise.all(
    [...bodies, ...repeated].map((body) => caller.send('POST', '/orders', [200, 201, 409], { body })),
  )
  const count = (status: number): number => replies.filter((reply) => reply.status === status).length
  const made = count(201)
  if (made === 0 || count(409) === 0) throw new Error(`${made} orders were made and ${count(409)} refused`)
  const lines = await streamedLines(caller, items)
  for (const id of items) {
    const { stock } = await caller.json('GET', `/items/${id}`)
    const sold = lines.filter(({ item }) => item === id).reduce((sum, { quantity }) => sum + quantity, 0)
    expectEqual(Number(stock) + sold, STOCK, 'what is in stock and what was ordered, together,')
  }
  return `${made} orders made, ${count(200)} repeated, ${count(409)} refused, the stock exact`
}

async function streams(caller: Caller, items: readonly string[]): Promise<string> {
  const lines = await streamedLines(caller, items)
  if (lines.some(({ price }) => price !== PRICE)) throw new Error('a price has changed on its way')
  return `${lines.length} lines streamed`
}

async function takesBack(caller: Caller, items: readonly string[], orders: readonly string[]): Promise<string> {
  const replies = await Promise.all(orders.map((id) => caller.send('DELETE', `/orders/${id}`, [204, 404])))
  for (const id of items) expectEqual((await caller.json('GET', `/items/${id}`))['stock'], STOCK, 'the stock')
  return `${replies.filter(({ status }) => status === 204).length} taken back`
}

interface Line {
  readonly item: string
  readonly quantity: number
  readonly price: string
}

async function streamedLines(caller: Caller, items: readonly string[]): Promise<readonly Line[]> {
  const texts = await Promise.all(items.map((id) => caller.send('GET', `/orders?item=${id}`, 200)))
  const lines = texts.flatMap(({ body }) =>
    body
      .toString()
      .split('\n')
      .filter((line) => line !== ''),
  )
  return lines.map((line) => JSON.parse(line) as Line)
}

/** No number holds it exactly. */
const PRICE = '90071992547409930.25'
/** Few enough that every order meets others at both of its items. */
const ITEMS = 5
const ORDERS = 60
const QUANTITY = 7
/** Less than all orders want of an item: 24 of them, or 12, at 7. */
const STOCK = 100

/** Items and orders over HTTP and a real MariaDB: exact, whole, once. */
import { type MariadbServer, startMariadb } from '@iokernel/servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import type { GatewayLimits } from '../../limits.ts'
import { openGateway, THREADS, type Thread } from '../../testing/gateways.ts'
import { until } from '../../testing/until.ts'
import type { Backend } from '../backend.ts'
import { mysqlBackend } from '../mysql.ts'

let server: MariadbServer
beforeAll(async () => {
  server = await startMariadb()
})
afterAll(() => server.stop())

let tests = 0

/** A gateway, and a beginning of names that no other test has. */
async function open(
  thread: Thread,
  limits: Partial<GatewayLimits> = {},
): Promise<{ readonly caller: Caller; readonly url: string; readonly own: string }> {
  const { url: serverUrl, version, source } = server
  const backend: Backend = {
    ...mysqlBackend,
    startServer: async () => ({ url: serverUrl, version, source, stop: async () => {} }),
  }
  const { url } = await openGateway(thread, { backends: [backend], limits })
  return { caller: new Caller(url), url, own: `t${++tests}` }
}

async function keep(caller: Caller, id: string, stock: number, price = '2.50'): Promise<void> {
  await caller.send('PUT', `/items/${id}`, [200, 201], { body: JSON.stringify({ name: id, price, stock }) })
}

function order(
  id: string,
  ...lines: readonly (readonly [item: string, quantity: number])[]
): { readonly body: string } {
  return { body: JSON.stringify({ id, lines: lines.map(([item, quantity]) => ({ item, quantity })) }) }
}

async function stockOf(caller: Caller, id: string): Promise<unknown> {
  return (await caller.json('GET', `/items/${id}`))['stock']
}

describe.each(THREADS)('%s', (thread) => {
  test('an item is kept, changed, read, removed', async () => {
    const { caller, own } = await open(thread)
    const path = `/items/${own}`
    const item = { name: 'Grüner Tee 🍵 "sencha"', price: '999999999999999999.99', stock: 0 }
    const { body: made } = await caller.send('PUT', path, 201, { body: JSON.stringify(item) })
    expect(JSON.parse(made.toString())).toEqual({ id: own, ...item, changedAt: expect.any(String) })
    expect(await caller.json('PUT', path, { body: JSON.stringify(item) })).toMatchObject(item)
    expect(await caller.json('PUT', path, { body: '{"price":"1","stock":5}' })).toMatchObject({
      name: '',
      price: '1.00',
    })
    const { changedAt } = await caller.json('GET', path)
    expect(Math.abs(Date.parse(changedAt as string) - Date.now())).toBeLessThan(60_000)
    await caller.send('DELETE', path, 204)
    await caller.send('DELETE', path, 404)
    await caller.send('GET', path, 404)
  })

  test('refuses what would not be exact, or was not meant', async () => {
    const { caller, own } = await open(thread)
    const items = [
      { price: 1, stock: 1 },
      { price: '1.001', stock: 1 },
      { price: '-1', stock: 1 },
      { price: '1', stock: -1 },
      { price: '1', stock: 1.5 },
      { price: '1' },
      { price: '1', stock: 1, name: 'a\0b' },
      { price: '1', stock: 1, prise: '1' },
    ]
    for (const item of items) await caller.send('PUT', `/items/${own}`, 400, { body: JSON.stringify(item) })
    await caller.send('PUT', '/items/a%2Fb', 404, { body: '{"price":"1","stock":1}' })
    await keep(caller, own, 5)
    const orders = [
      { id: own },
      { id: own, lines: [] },
      { id: own, lines: [null] },
      { id: own, lines: [{ item: own, quantity: 0 }] },
      {
        id: own,
        lines: [
          { item: own, quantity: 1 },
          { item: own, quantity: 1 },
        ],
      },
      { id: own, lines: [{ item: "x' or 1=1 -- ", quantity: 1 }] },
      { id: 'a b', lines: [{ item: own, quantity: 1 }] },
      { id: own, lines: Array.from({ length: 101 }, (_, index) => ({ item: `i${index}`, quantity: 1 })) },
    ]
    for (const one of orders) await caller.send('POST', '/orders', 400, { body: JSON.stringify(one) })
    expect(await stockOf(caller, own)).toBe(5)
  })

  test('an order is made once, however often it is sent, and can be taken back', async () => {
    const { caller, own } = await open(thread)
    const [tea, milk] = [`${own}-tea`, `${own}-milk`]
    await keep(caller, tea, 10, '90071992547409.93')
    await keep(caller, milk, 10, '0.07')
    const given = order(own, [tea, 3], [milk, 1])
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => caller.send('POST', '/orders', [200, 201], given)),
    )
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
    const lines = [
      { item: tea, quantity: 3, price: '90071992547409.93' },
      { item: milk, quantity: 1, price: '0.07' },
    ]
    const found = { id: own, total: '270215977642229.86', at: expect.any(String), lines }
    expect(await caller.json('POST', '/orders', given)).toEqual({ ...found, repeated: true })
    expect(await caller.json('GET', `/orders/${own}`)).toEqual(found)
    expect([await stockOf(caller, tea), await stockOf(caller, milk)]).toEqual([7, 9])
    await caller.send('POST', '/orders', 409, order(own, [tea, 4], [milk, 1]))
    await caller.send('DELETE', `/orders/${own}`, 204)
    await caller.send('DELETE', `/orders/${own}`, 404)
    await caller.send('GET', `/orders/${own}`, 404)
    expect([await stockOf(caller, tea), await stockOf(caller, milk)]).toEqual([10, 10])
  })

  test('what is refused changes nothing, and its id is free again', async () => {
    const { caller, own } = await open(thread)
    const [tea, milk] = [`${own}-tea`, `${own}-milk`]
    await keep(caller, tea, 10)
    await keep(caller, milk, 1)
    const poor = await caller.send('POST', '/orders', 409, order(own, [tea, 3], [milk, 2]))
    expect(JSON.parse(poor.body.toString())).toMatchObject({ code: 'OUT_OF_STOCK' })
    await caller.send('POST', '/orders', 404, order(own, [tea, 3], [`${own}-none`, 1]))
    expect([await stockOf(caller, tea), await stockOf(caller, milk)]).toEqual([10, 1])
    await caller.send('POST', '/orders', 201, order(own, [tea, 3], [milk, 1]))
  })

  test('of orders that cross, at once, none is lost, none sells what is not there, and none gets stuck', async () => {
    const { caller, own } = await open(thread)
    const [tea, milk] = [`${own}-tea`, `${own}-milk`]
    await keep(caller, tea, 25)
    await keep(caller, milk, 100)
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const lines: [string, number][] = [
          [tea, 1],
          [milk, 2],
        ]
        const given = order(`${own}-${index}`, ...(index % 2 === 0 ? lines : lines.reverse()))
        return caller.send('POST', '/orders', [201, 409], given)
      }),
    )
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(25)
    expect([await stockOf(caller, tea), await stockOf(caller, milk)]).toEqual([0, 50])
    const { body } = await caller.send('GET', `/orders?item=${milk}`, 200)
    const lines = body
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(25)
    expect(lines[0]).toEqual({
      order: expect.any(String),
      number: expect.any(Number),
      item: milk,
      quantity: 2,
      price: '2.50',
    })
    const everything = (await caller.send('GET', '/orders', 200)).body.toString().trimEnd().split('\n')
    expect(everything.length).toBeGreaterThanOrEqual(50)
  })

  test('streams and slow queries have seats, and others stay fast beside them', async () => {
    const { caller, url, own } = await open(thread, { slowCallsMax: 1, slowMsMax: 2_000, mysqlStreamsMax: 1 })
    await keep(caller, own, 1)
    let isOver = false
    const slow = caller.send('GET', '/mysql/slow?ms=2000', 200).finally(() => {
      isOver = true
    })
    for (let count = 0; count < 20; count++) await caller.json('GET', `/items/${own}`)
    await caller.send('GET', '/mysql/slow?ms=0', 503)
    expect(isOver).toBe(false)
    await slow
    await caller.send('GET', '/mysql/slow?ms=2001', 400)
    await until('the seat is free', async () => (await fetch(`${url}/mysql/slow?ms=0`)).status === 200)
    for (let count = 0; count < 5; count++) {
      await until('a stream has a seat', async () => {
        return (await caller.send('GET', `/orders?item=${own}`, [200, 503])).status === 200
      })
    }
  })
})

test('two gateways that start at once find one database, made once', async () => {
  const own = await startMariadb()
  try {
    const { url: serverUrl, version, source } = own
    const backend: Backend = {
      ...mysqlBackend,
      startServer: async () => ({ url: serverUrl, version, source, stop: async () => {} }),
    }
    const gateways = await Promise.all(THREADS.map((thread) => openGateway(thread, { backends: [backend] })))
    const [first, second] = gateways.map(({ url }) => new Caller(url)) as [Caller, Caller]
    await keep(first, 'tea', 1)
    expect(await stockOf(second, 'tea')).toBe(1)
  } finally {
    await own.stop()
  }
})

/** Accounts and transfers over HTTP and a real Postgres: exact, whole, once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import type { GatewayLimits } from '../../limits.ts'
import { openGateway, THREADS, type Thread } from '../../testing/gateways.ts'
import { startTestPostgres, type TestPostgres } from '../../testing/postgres.ts'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

async function open(thread: Thread, limits: Partial<GatewayLimits> = {}): Promise<Caller> {
  const { backend } = await database.emptyDatabase()
  return new Caller((await openGateway(thread, { backends: [backend], limits })).url)
}

async function make(caller: Caller, ...accounts: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  for (const account of accounts) await caller.send('POST', '/accounts', 201, { body: JSON.stringify(account) })
}

describe.each(THREADS)('%s', (thread) => {
  test('an account is made, read, renamed, removed', async () => {
    const caller = await open(thread)
    const body = JSON.stringify({ id: 'ada', owner: 'Ada "the first" Löve', balance: '90071992547409930.01' })
    const made = await caller.send('POST', '/accounts', 201, { body })
    expect(JSON.parse(made.body.toString())).toMatchObject({ id: 'ada', balance: '90071992547409930.01' })
    await caller.send('POST', '/accounts', 409, { body })
    expect(await caller.json('PATCH', '/accounts/ada', { body: '{"owner":""}' })).toMatchObject({ owner: '' })
    expect(await caller.json('GET', '/accounts/ada')).toMatchObject({ owner: '', balance: '90071992547409930.01' })
    await caller.send('DELETE', '/accounts/ada', 409)
    await caller.send('DELETE', '/accounts/ada?force=true', 204)
    await caller.send('DELETE', '/accounts/ada', 404)
    await caller.send('GET', '/accounts/ada', 404)
    await caller.send('PATCH', '/accounts/ada', 404, { body: '{"owner":"x"}' })
  })

  test('an account without an id gets one, and the answer says where it is', async () => {
    const { backend } = await database.emptyDatabase()
    const { url } = await openGateway(thread, { backends: [backend] })
    const made = await fetch(`${url}/accounts`, { method: 'POST', body: '{}' })
    expect(made.status).toBe(201)
    const account = await (await fetch(`${url}${made.headers.get('location')}`)).json()
    expect(account).toMatchObject({ owner: '', balance: '0.00' })
  })

  test('refuses what would not be exact, not be found again, or was not meant', async () => {
    const caller = await open(thread)
    const wrong: readonly unknown[] = [
      { id: 'a', balance: 1 },
      { id: 'a', balance: '1.001' },
      { id: 'a', balance: '-1' },
      { id: 'a', balance: 'NaN' },
      { id: 'a/b' },
      { id: 'export' },
      { id: 'a', balanse: '1' },
      { id: 'a', owner: 'a\0b' },
      [],
    ]
    for (const account of wrong) await caller.send('POST', '/accounts', 400, { body: JSON.stringify(account) })
    expect(await caller.json('GET', '/accounts')).toEqual({ accounts: [], next: null })
  })

  test('pages go on where the last one ended', async () => {
    const caller = await open(thread, { listedAccountsMax: 2 })
    const ids = ['B', 'a', 'b', 'c-1', 'c.1']
    await make(caller, ...ids.map((id) => ({ id })))
    const found: string[] = []
    let after: unknown = ''
    while (typeof after === 'string') {
      const page = await caller.json('GET', `/accounts?after=${after}&limit=2`)
      found.push(...(page['accounts'] as readonly { readonly id: string }[]).map(({ id }) => id))
      after = page['next']
    }
    expect(found).toEqual(ids)
    await caller.send('GET', '/accounts?limit=3', 400)
    await caller.send('GET', '/accounts?after=%2F', 400)
  })

  test('a transfer is made once, however often it is sent', async () => {
    const caller = await open(thread)
    await make(caller, { id: 'a', balance: '10' }, { id: 'b' })
    const body = JSON.stringify({ id: 't', from: 'a', to: 'b', amount: '2.5' })
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => caller.send('POST', '/transfers', [200, 201], { body })),
    )
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
    const again = await caller.json('POST', '/transfers', { body: body.replace('2.5', '2.50') })
    expect(again).toMatchObject({ id: 't', from: 'a', to: 'b', amount: '2.50', repeated: true })
    expect(await caller.json('GET', '/accounts/a')).toMatchObject({ balance: '7.50' })
    expect(await caller.json('GET', '/accounts/b')).toMatchObject({ balance: '2.50' })
    await caller.send('POST', '/transfers', 409, { body: body.replace('2.5', '2.51') })
  })

  test('what is refused changes nothing, and its id is free again', async () => {
    const caller = await open(thread)
    await make(caller, { id: 'a', balance: '1.00' }, { id: 'b' })
    const transfer = { id: 't', from: 'a', to: 'b', amount: '1.01' }
    const poor = await caller.send('POST', '/transfers', 409, { body: JSON.stringify(transfer) })
    expect(JSON.parse(poor.body.toString())).toMatchObject({ code: 'INSUFFICIENT_FUNDS' })
    await caller.send('POST', '/transfers', 404, { body: JSON.stringify({ ...transfer, to: 'nobody' }) })
    await caller.send('POST', '/transfers', 400, { body: JSON.stringify({ ...transfer, to: 'a' }) })
    await caller.send('POST', '/transfers', 400, { body: JSON.stringify({ ...transfer, amount: '0.00' }) })
    await caller.send('POST', '/transfers', 201, { body: JSON.stringify({ ...transfer, amount: '1' }) })
    expect(await caller.json('GET', '/accounts/a')).toMatchObject({ balance: '0.00' })
  })

  test('of transfers that cross, at once, none is lost and none gets stuck', async () => {
    const caller = await open(thread)
    await make(caller, { id: 'a', balance: '50' }, { id: 'b', balance: '50' })
    const bodies = Array.from({ length: 100 }, (_, index) => {
      const [from, to] = index % 2 === 0 ? ['a', 'b'] : ['b', 'a']
      return JSON.stringify({ id: `t${index}`, from, to, amount: index % 2 === 0 ? '0.02' : '0.01' })
    })
    await Promise.all(bodies.map((body) => caller.send('POST', '/transfers', 201, { body })))
    expect(await caller.json('GET', '/accounts/a')).toMatchObject({ balance: '49.50' })
    expect(await caller.json('GET', '/accounts/b')).toMatchObject({ balance: '50.50' })
  })

  test('slow queries have seats, and others stay fast beside them', async () => {
    const caller = await open(thread, { slowCallsMax: 1, slowMsMax: 2_000 })
    await make(caller, { id: 'a' })
    let isOver = false
    const slow = caller.send('GET', '/postgres/slow?ms=2000', 200).finally(() => {
      isOver = true
    })
    for (let count = 0; count < 20; count++) await caller.json('GET', '/accounts/a')
    await caller.send('GET', '/postgres/slow?ms=0', 503)
    expect(isOver).toBe(false)
    await slow
    await caller.send('GET', '/postgres/slow?ms=2001', 400)
    await caller.send('GET', '/postgres/slow?ms=0', 200)
  })
})

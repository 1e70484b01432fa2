/** Changes as events: whoever makes them, when they are committed, across a lost connection. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import { openGateway, THREADS } from '../../testing/gateways.ts'
import { startTestPostgres, type TestPostgres } from '../../testing/postgres.ts'
import { until } from '../../testing/until.ts'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

const CSV = { 'content-type': 'text/csv' }

describe.each(THREADS)('%s', (thread) => {
  test('everybody hears everything, also what another program changes; many at once are a number', async () => {
    const { backend, url: databaseUrl } = await database.emptyDatabase()
    const caller = new Caller((await openGateway(thread, { backends: [backend] })).url)
    await using first = await caller.events('/accounts/changes')
    await using second = await caller.events('/accounts/changes')
    await caller.send('POST', '/accounts', 201, { body: '{"id":"a","balance":"1"}' })
    const program = database.connect(databaseUrl)
    await program.query(`update gateway.accounts set balance = 2 where id = 'a'`)
    await program.notify('gateway_accounts', 'no JSON')
    await program.close()
    const lines = Array.from({ length: 101 }, (_, index) => `b${index}\n`)
    await caller.json('POST', '/accounts/import', { body: `id\n${lines.join('')}`, headers: CSV })
    await caller.send('DELETE', '/accounts/a?force=true', 204)
    for (const events of [first, second]) {
      expect(await events.next()).toEqual({ change: 'created', id: 'a', balance: '1.00' })
      expect(await events.next()).toEqual({ change: 'updated', id: 'a', balance: '2.00' })
      expect(await events.next()).toEqual({ change: 'unknown', payload: 'no JSON' })
      expect(await events.next()).toEqual({ change: 'created', count: 101 })
      expect(await events.next()).toEqual({ change: 'deleted', id: 'a', balance: '2.00' })
    }
  })

  test('what is undone is not told', async () => {
    const { backend } = await database.emptyDatabase()
    const caller = new Caller((await openGateway(thread, { backends: [backend] })).url)
    await using events = await caller.events('/accounts/changes')
    await caller.send('POST', '/accounts/import', 422, { body: 'id,balance\na,1\nb,-1\n', headers: CSV })
    await caller.send('POST', '/accounts', 201, { body: '{"id":"c"}' })
    expect(await events.next()).toMatchObject({ id: 'c' })
  })

  test('a lost connection shows as a gap, and events go on', async () => {
    const { backend, url: databaseUrl } = await database.emptyDatabase()
    const caller = new Caller((await openGateway(thread, { backends: [backend] })).url)
    await using events = await caller.events('/accounts/changes')
    const name = new URL(databaseUrl).pathname.slice(1)
    await database.admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
    expect(await events.next()).toEqual({ reason: 'reconnected' })
    await until('an account can be made', async () => {
      const { status } = await caller.send('POST', '/accounts', [201, 409, 502, 503], { body: '{"id":"a"}' })
      return status === 201 || status === 409
    })
    expect(await events.next()).toMatchObject({ change: 'created', id: 'a' })
  })

  test('seats are limited and given back', async () => {
    const { backend } = await database.emptyDatabase()
    const { url } = await openGateway(thread, { backends: [backend], limits: { eventStreamsMax: 1 } })
    const caller = new Caller(url)
    const events = await caller.events('/accounts/changes')
    await caller.send('GET', '/accounts/changes', 503)
    await events[Symbol.asyncDispose]()
    await until('the seat is free', async () => {
      const leaving = new AbortController()
      const { status } = await fetch(`${url}/accounts/changes`, { signal: leaving.signal })
      leaving.abort()
      return status === 200
    })
  })
})

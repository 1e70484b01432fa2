/** The gateway's tables: made once, whoever comes first, and left alone when they are there. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Caller } from '../../check/caller.ts'
import { openGateway } from '../../testing/gateways.ts'
import { backendAt, startTestPostgres, type TestPostgres } from '../../testing/postgres.ts'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

test('gateways that start at once on an empty server agree', async () => {
  const { backend } = await database.emptyDatabase()
  const gateways = await Promise.all([1, 2, 3, 4].map(() => openGateway('inline', { backends: [backend] })))
  const [first, ...others] = gateways.map(({ url }) => new Caller(url)) as [Caller, ...Caller[]]
  await first.send('POST', '/accounts', 201, { body: '{"id":"a","balance":"1"}' })
  for (const other of others) expect(await other.json('GET', '/accounts/a')).toMatchObject({ balance: '1.00' })
})

test('where the tables are, no right to make any is needed', async () => {
  const { backend, url } = await database.emptyDatabase()
  const first = await openGateway('inline', { backends: [backend] })
  await new Caller(first.url).send('POST', '/accounts', 201, { body: '{"id":"a"}' })
  await first.close()
  const owner = database.connect(url)
  await owner.simple(`
    create role guest login;
    grant usage on schema gateway to guest;
    grant select, insert, update, delete on all tables in schema gateway to guest`)
  const asGuest = url.replace(/\/\/[^@]*@/, '//guest@')
  const second = await openGateway('inline', { backends: [backendAt(database.server, asGuest)] })
  const caller = new Caller(second.url)
  expect(await caller.json('GET', '/accounts/a')).toMatchObject({ balance: '0.00' })
  await caller.send('POST', '/accounts', 201, { body: '{"id":"b","balance":"1"}' })
  await caller.send('POST', '/transfers', 201, { body: '{"id":"t","from":"b","to":"a","amount":"1"}' })
})

/** One request, several upstreams: each with its part and its time, whatever becomes of the others. */
import { createServer } from 'node:net'
import { ServerUnavailableError, startPostgres, startRedis } from '@iokernel/servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../backends/backend.ts'
import { httpBackend } from '../backends/http.ts'
import { msgpackRpcBackend } from '../backends/msgpack-rpc.ts'
import { mysqlBackend } from '../backends/mysql.ts'
import { postgresBackend } from '../backends/postgres.ts'
import { redisBackend } from '../backends/redis.ts'
import { Caller } from '../check/caller.ts'
import { openGateway, ownRedis, THREADS } from '../testing/gateways.ts'
import { ownServer } from '../testing/own-server.ts'
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts'
import { until } from '../testing/until.ts'

let database: TestPostgres
beforeAll(async () => {
  database = await startTestPostgres()
})
afterAll(() => database.stop())

interface Overview {
  readonly parts: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly partial: boolean
  readonly timing: Readonly<Record<string, Readonly<Record<string, number>>>>
}

async function overview(url: string, key: string): Promise<{ response: Response; body: Overview }> {
  const response = await fetch(`${url}/overview/${key}`)
  return { response, body: (await response.json()) as Overview }
}

const PARTS = ['queuedMs', 'upstreamMs', 'waitingMs', 'applicationMs']

describe.each(THREADS)('%s', (thread) => {
  test('both upstreams in one answer, and the time of each', async () => {
    const { backend } = await database.emptyDatabase()
    const { url } = await openGateway(thread, { backends: [redisBackend, backend] })
    const caller = new Caller(url)
    await caller.send('PUT', '/kv/ada?ttlMs=60000', 204, { body: 'v'.repeat(2_000) })
    await caller.send('POST', '/accounts', 201, { body: '{"id":"ada","balance":"1"}' })
    const { response, body } = await overview(url, 'ada')
    expect(response.status).toBe(200)
    expect(body.partial).toBe(false)
    expect(body.parts['redis']).toMatchObject({ found: true, type: 'string', bytes: 2_000, complete: false })
    expect(body.parts['postgres']).toMatchObject({ found: true, account: { balance: '1.00' }, entries: '1' })
    for (const name of ['redis', 'postgres']) {
      expect(Object.keys(body.timing[name] ?? {})).toEqual(PARTS)
      expect(body.timing[name]?.['upstreamMs']).toBeGreaterThan(0)
    }
    expect(body.timing['totalMs']).toBeGreaterThan(0)
    expect(response.headers.get('server-timing')).toMatch(
      /^queued;dur=.*total;dur=.*redis-queued;dur=.*redis-upstream;dur=.*postgres-upstream;dur=[\d.]+/,
    )
  })

  test('five upstreams in one answer: what each knows, and the time of each', async () => {
    const { backend: postgres } = await database.emptyDatabase()
    const backends: readonly Backend[] = [redisBackend, postgres, mysqlBackend, httpBackend, msgpackRpcBackend]
    const { url } = await openGateway(thread, { backends })
    const caller = new Caller(url)
    expect(Object.values((await overview(url, 'ada')).body.parts)).toEqual(Array(5).fill({ found: false }))
    await caller.send('PUT', '/kv/ada', 204, { body: 'v' })
    await caller.send('POST', '/accounts', 201, { body: '{"id":"ada","balance":"1"}' })
    await caller.send('PUT', '/items/ada', 201, { body: '{"price":"2.5","stock":3}' })
    await caller.send('POST', '/orders', 201, { body: '{"id":"o","lines":[{"item":"ada","quantity":2}]}' })
    await caller.send('PUT', '/files/ada', 201, { body: 'text' })
    await caller.send('POST', '/jobs', 201, { body: '{"id":"ada","below":100}' })
    await caller.json('GET', '/jobs/ada?waitMs=10000')
    const { response, body } = await overview(url, 'ada')
    expect(body.partial).toBe(false)
    expect(body.parts).toMatchObject({
      redis: { found: true, value: 'v' },
      postgres: { found: true, account: { balance: '1.00' } },
      mysql: { found: true, item: { price: '2.50', stock: 1 }, ordered: '2' },
      http: { found: true, file: { bytes: 4, contentType: 'text/plain;charset=UTF-8' } },
      'msgpack-rpc': { found: true, job: { state: 'done', primes: 25 } },
    })
    const header = response.headers.get('server-timing') ?? ''
    for (const { name } of backends) {
      expect(Object.keys(body.timing[name] ?? {})).toEqual(PARTS)
      expect(body.timing[name]?.['upstreamMs']).toBeGreaterThan(0)
      expect(header).toContain(`, ${name}-upstream;dur=`)
    }
    // No text, and so no name of anything but a key.
    const { body: odd } = await overview(url, '%FF%2F')
    expect(Object.values(odd.parts)).toEqual(Array(5).fill({ found: false }))
  })

  test('one that says nothing has its error when its time is over, and the others are not kept waiting', async () => {
    // Takes connections and reads what comes.
    const own = await ownServer(httpBackend, 'http', () => createServer((socket) => void socket.resume()))
    const limits = { partDeadlineMs: 300 }
    const { url } = await openGateway(thread, { backends: [own.backend, msgpackRpcBackend], limits })
    const { response, body } = await overview(url, 'ada')
    expect(response.status).toBe(200)
    expect(body.parts).toEqual({
      http: { error: expect.objectContaining({ code: 'DEADLINE' }) },
      'msgpack-rpc': { found: false },
    })
    expect(body.timing['totalMs']).toBeGreaterThanOrEqual(300)
    expect(body.timing['totalMs']).toBeLessThan(5_000)
  })

  test('a key of another form, or of another type, is somebody else’s', async () => {
    const { backend } = await database.emptyDatabase()
    const { url } = await openGateway(thread, { backends: [redisBackend, backend] })
    await new Caller(url).json('POST', '/lists/%FF', { body: 'v' })
    const { body } = await overview(url, '%FF')
    expect(body.parts).toEqual({ redis: { found: true, type: 'list', ttlMs: null }, postgres: { found: false } })
    expect((await overview(url, 'nobody')).body.parts).toEqual({ redis: { found: false }, postgres: { found: false } })
  })

  test('one that is down has its error in its place; when all are, it is 503', async () => {
    const own = await ownRedis()
    const { backend } = await database.emptyDatabase()
    const both = await openGateway(thread, { backends: [own.backend, backend] })
    const alone = await openGateway(thread, { backends: [own.backend] })
    await own.stop()
    await until('the gateway has noticed', async () => (await overview(both.url, 'k')).body.partial)
    const { response, body } = await overview(both.url, 'k')
    expect(response.status).toBe(200)
    expect(body.parts).toEqual({
      redis: { error: expect.objectContaining({ code: 'UPSTREAM_DOWN', sent: 'no' }) },
      postgres: { found: false },
    })
    await until('nobody answers', async () => (await overview(alone.url, 'k')).response.status === 503)
    const { response: refused } = await overview(alone.url, 'k')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

test('on a laptop with nothing but Node there are Postgres and the services, and the rest is named', async () => {
  const surroundings = { environment: { PATH: '' }, mayInstall: false, mayUseContainers: false }
  const backends: readonly Backend[] = [
    { ...redisBackend, startServer: () => startRedis({ surroundings }) },
    { ...postgresBackend, startServer: () => startPostgres({ version: 18 }) },
    { ...mysqlBackend, startServer: () => Promise.reject(new ServerUnavailableError('mariadbd cannot be had')) },
    httpBackend,
    msgpackRpcBackend,
  ]
  const { url, missing } = await openGateway('worker', { backends })
  expect(missing.map(({ name }) => name)).toEqual(['redis', 'mysql'])
  const caller = new Caller(url)
  await caller.send('POST', '/accounts', 201, { body: '{"id":"ada","balance":"1"}' })
  const { response, body } = await overview(url, 'ada')
  expect(response.status).toBe(200)
  expect(body.partial).toBe(true)
  expect(body.parts).toMatchObject({
    redis: { error: { code: 'BACKEND_MISSING', sent: 'no' } },
    mysql: { error: { code: 'BACKEND_MISSING', message: 'mariadbd cannot be had', sent: 'no' } },
    postgres: { found: true },
    http: { found: false },
    'msgpack-rpc': { found: false },
  })
  await caller.send('GET', '/kv/ada', 404)
  await caller.send('GET', '/items/ada', 404)
})

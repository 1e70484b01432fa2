/** One request, several upstreams: each with its part and its time, whatever becomes of the others. */
import { startPostgres, startRedis } from '@iokernel/servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresBackend } from '../backends/postgres.ts'
import { redisBackend } from '../backends/redis.ts'
import { Caller } from '../check/caller.ts'
import { openGateway, ownRedis, THREADS } from '../testing/gateways.ts'
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

test('on a machine without Redis the gateway serves what npm has brought', async () => {
  const surroundings = { environment: { PATH: '' }, mayInstall: false, mayUseContainers: false }
  const backends = [
    { ...redisBackend, startServer: () => startRedis({ surroundings }) },
    { ...postgresBackend, startServer: () => startPostgres({ version: 18 }) },
  ]
  const { url, missing } = await openGateway('worker', { backends })
  expect(missing.map(({ name }) => name)).toEqual(['redis'])
  const caller = new Caller(url)
  await caller.send('POST', '/accounts', 201, { body: '{"id":"ada","balance":"1"}' })
  const { response, body } = await overview(url, 'ada')
  expect(response.status).toBe(200)
  expect(body.partial).toBe(true)
  expect(body.parts['redis']).toMatchObject({ error: { code: 'BACKEND_MISSING', sent: 'no' } })
  expect(body.parts['postgres']).toMatchObject({ found: true })
  await caller.send('GET', '/kv/ada', 404)
})

/** The check: passes over what works, and would notice what does not. */
import { ServerUnavailableError } from '@iokernel/servers'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../backends/backend.ts'
import { httpBackend } from '../backends/http.ts'
import { msgpackRpcBackend } from '../backends/msgpack-rpc.ts'
import { mysqlBackend } from '../backends/mysql.ts'
import { postgresBackend } from '../backends/postgres.ts'
import { redisBackend } from '../backends/redis.ts'
import { type Answer, bytes, json } from '../http/answer.ts'
import type { Route } from '../http/router.ts'
import { THREADS } from '../testing/gateways.ts'
import { runCheck } from './check.ts'

const missing: Backend = {
  ...redisBackend,
  name: 'missing',
  startServer: () => Promise.reject(new ServerUnavailableError('nothing cannot be had. To get it: wish')),
}

describe.each(THREADS)('%s', (thread) => {
  test('one line, ok, with what came back and a time split', async () => {
    const report = await runCheck({ backends: [redisBackend], thread, mustHaveAll: true })
    expect(report.lines).toHaveLength(2)
    expect(report.lines[0]).toMatch(/^redis +ok .*100000 bytes the same.*queued \d.*upstream \d/)
    expect(report.lines[1]).toMatch(/^overview +ok .*asked 1 at once.*redis queued \d.*upstream \d/)
    expect(report.passed).toBe(true)
  })

  test(
    'Postgres: exact, streamed, told, and fast beside what is slow',
    async () => {
      const { lines, passed } = await runCheck({ backends: [postgresBackend], thread, mustHaveAll: true })
      expect(lines[0]).toMatch(/^postgres +ok .*180 transfers at once and 20 repeated, total unchanged/)
      expect(lines[0]).toMatch(
        /50000 entries .* read slowly.*requests of \d+ ms beside \d+ GETs.*queued \d.*upstream \d/,
      )
      expect(passed).toBe(true)
    },
    CHECK_TIMEOUT_MS,
  )

  test(
    'MySQL, HTTP and msgpack-rpc: exact, streamed, told, answered, and fast beside what is slow',
    async () => {
      const backends = [mysqlBackend, httpBackend, msgpackRpcBackend]
      const { lines, passed } = await runCheck({ backends, thread, mustHaveAll: true })
      expect(lines[0]).toMatch(/^mysql +ok .*orders made, \d+ repeated, \d+ refused, the stock exact.*lines streamed/)
      expect(lines[1]).toMatch(/^http +ok .*100000 bytes the same, change received, 50\.3 MB up and down.*read slowly/)
      expect(lines[2]).toMatch(/^msgpack-rpc +ok .*78498 primes.*done refused cancelled, a call waited/)
      for (const line of lines.slice(0, 3)) expect(line).toMatch(/queued \d.*upstream \d/)
      expect(lines[3]).toMatch(/asked 3 at once.*mysql queued \d.*http queued \d.*msgpack-rpc queued \d/)
      expect(passed).toBe(true)
    },
    CHECK_TIMEOUT_MS,
  )
})

test('a missing backend is skipped with the way to get it, and fails where all are wanted', async () => {
  const both = [redisBackend, missing]
  const relaxed = await runCheck({ backends: both, thread: 'inline', mustHaveAll: false })
  expect(relaxed.lines[1]).toMatch(/^missing +skipped +nothing cannot be had\. To get it: wish/)
  expect(relaxed.lines[2]).toMatch(/^overview +ok .*missing missing/)
  expect(relaxed.passed).toBe(true)
  expect(relaxed.remark).toBe('missing: missing, which a check by hand puts up with')
  const strict = await runCheck({ backends: both, thread: 'inline', mustHaveAll: true })
  expect(strict.passed).toBe(false)
  expect(strict.remark).toBe('missing: missing, which fails the check, because CI is set')
  const none = await runCheck({ backends: [missing], thread: 'inline', mustHaveAll: false })
  expect(none).toMatchObject({ passed: false, lines: [expect.stringContaining('skipped')] })
})

test.each([
  ['a value that comes back changed', '/kv/:key', 'GET', bytes(Buffer.from('other'), 'text/plain')],
  ['an event that never was', '/events/:channel', 'POST', json({ receivers: 0 })],
  ['a count that does not count', '/kv/:key/increment', 'POST', json({ value: 1 })],
])('notices %s', async (_, path, method, answer) => {
  const report = await runCheck({
    backends: [lying(redisBackend, method, path, answer)],
    thread: 'inline',
    mustHaveAll: false,
  })
  expect(report.lines[0]).toMatch(/^redis +FAILED /)
  expect(report.remark).toBe('failed: redis')
  expect(report.passed).toBe(false)
})

test.each([
  ['a transfer that makes money', '/transfers', 'POST', json({ repeated: false }, 201)],
  ['a balance that is rounded', '/accounts/:id', 'GET', json({ balance: '90071992547409930.00' })],
  ['a file that comes out as another', '/accounts/export', 'GET', bytes(Buffer.from('id,owner,balance\n'), 'text/csv')],
])('notices %s', async (_, path, method, answer) => {
  const report = await runCheck({
    backends: [lying(postgresBackend, method, path, answer)],
    thread: 'inline',
    mustHaveAll: false,
  })
  expect(report.lines[0]).toMatch(/^postgres +FAILED /)
  expect(report.passed).toBe(false)
})

test.each([
  ['an order that takes nothing', mysqlBackend, '/orders', 'POST', json({ repeated: false }, 201)],
  ['an upload that is another', httpBackend, '/files/:name', 'PUT', json({ sha256: 'other' }, 201)],
  ['a download that is cut', httpBackend, '/files/:name', 'GET', bytes(new Uint8Array(10), 'text/plain')],
  ['a job that is miscounted', msgpackRpcBackend, '/jobs/:id', 'GET', json({ state: 'done', primes: 78_499 })],
  ['questions that get lost', msgpackRpcBackend, '/jobs/questions', 'GET', json({ questions: [] })],
])('notices %s', async (_, backend, path, method, answer) => {
  const report = await runCheck({
    backends: [lying(backend, method, path, answer)],
    thread: 'inline',
    mustHaveAll: false,
  })
  expect(report.lines[0]).toMatch(new RegExp(`^${backend.name} +FAILED `))
  expect(report.remark).toBe(`failed: ${backend.name}`)
  expect(report.passed).toBe(false)
})

/** The backend, but for one route that always gives the same answer. */
function lying(backend: Backend, method: string, path: string, answer: Answer): Backend {
  return {
    ...backend,
    connect: (...given) => {
      const connection = backend.connect(...given)
      const lie = (route: Route): Route => ({ ...route, handle: () => answer })
      const routes = connection.routes.map((route) =>
        route.path === path && route.method === method ? lie(route) : route,
      )
      return { ...connection, routes }
    },
  }
}

/** 50 000 entries, read slowly on purpose. */
const CHECK_TIMEOUT_MS = 60_000

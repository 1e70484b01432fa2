/** The check: passes over what works, and would notice what does not. */
import { ServerUnavailableError } from '@iokernel/servers'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../backends/backend.ts'
import { redisBackend } from '../backends/redis.ts'
import { bytes, json } from '../http/answer.ts'
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
    expect(report.lines).toHaveLength(1)
    expect(report.lines[0]).toMatch(/^redis +ok .*100000 bytes the same.*queued \d.*upstream \d/)
    expect(report.passed).toBe(true)
  })
})

test('a missing backend is skipped with the way to get it, and fails where all are wanted', async () => {
  const both = [redisBackend, missing]
  const relaxed = await runCheck({ backends: both, thread: 'inline', mustHaveAll: false })
  expect(relaxed.lines[1]).toMatch(/^missing +skipped +nothing cannot be had\. To get it: wish/)
  expect(relaxed.passed).toBe(true)
  expect((await runCheck({ backends: both, thread: 'inline', mustHaveAll: true })).passed).toBe(false)
  const none = await runCheck({ backends: [missing], thread: 'inline', mustHaveAll: false })
  expect(none).toMatchObject({ passed: false, lines: [expect.stringContaining('skipped')] })
})

test.each([
  ['a value that comes back changed', '/kv/:key', 'GET', bytes(Buffer.from('other'), 'text/plain')],
  ['an event that never was', '/events/:channel', 'POST', json({ receivers: 0 })],
  ['a count that does not count', '/kv/:key/increment', 'POST', json({ value: 1 })],
])('notices %s', async (_, path, method, answer) => {
  const lying: Backend = {
    ...redisBackend,
    connect: (...given) => {
      const connection = redisBackend.connect(...given)
      const lie = (route: Route): Route => ({ ...route, handle: () => answer })
      const routes = connection.routes.map((route) =>
        route.path === path && route.method === method ? lie(route) : route,
      )
      return { routes, ready: (options) => connection.ready(options), state: connection.state }
    },
  }
  const report = await runCheck({ backends: [lying], thread: 'inline', mustHaveAll: false })
  expect(report.lines).toEqual([expect.stringMatching(/^redis +FAILED /)])
  expect(report.passed).toBe(false)
})

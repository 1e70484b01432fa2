/** The suite's own arithmetic: targets from rows, redis-benchmark's words, operations that notice a wrong answer. */
import { expect, test } from 'vitest'
import type { Row } from '../harness/rows.ts'
import { parseCsv } from '../subjects/redis-benchmark.ts'
import { redisClient, redisValue } from '../subjects/redis-operations.ts'
import { REDIS_TARGETS } from './redis-targets.ts'

function row(subject: string, inFlight: number, opsPerSecond: number, p50Us: number, cpuUsPerOp: number): Row {
  const rest = { operation: 'get', bytes: 64, p99Us: 0, mainCpuUsPerOp: null, rssMb: 0 }
  return { ...rest, subject, inFlight, opsPerSecond, p50Us, cpuUsPerOp }
}

test('targets are judged against the best peer in each respect', () => {
  const rows = [
    row('iokernel', 500, 300, 0, 2),
    row('ioredis', 500, 100, 0, 5),
    row('node-redis', 500, 50, 0, 3),
    row('redis-benchmark -P 50', 50, 400, 0, 1),
    row('iokernel', 1, 0, 50, 0),
    row('ioredis', 1, 0, 49, 0),
    row('node-redis', 1, 0, 60, 0),
  ]
  const rest = [
    { subject: 'nothing', cpuPercent: 0, rssMb: 50 },
    { subject: 'iokernel', cpuPercent: 0.5, rssMb: 70 },
  ]
  const judged = REDIS_TARGETS.map(({ text, judge }) => [text, judge(rows, rest, [])] as const)
  const verdicts = Object.fromEntries(judged.map(([text, judgement]) => [text, judgement?.isReached]))
  expect(verdicts).toEqual({
    '500 in flight: at least 3 times the best Node peer': true,
    '500 in flight: at least 70 % of redis-benchmark -P 50': true,
    '50 in flight: at least 2 times the best Node peer': undefined,
    '1 in flight: p50 no worse than the best Node peer': false,
    "50 in flight: processor time per operation at most half of the best peer's": undefined,
    // The cheapest peer counts, not the fastest.
    "500 in flight: processor time per operation at most half of the best peer's": false,
    'idle: below 0.5 % of a core': false,
    'a kernel costs at most 20 MB': true,
  })
})

test("redis-benchmark's CSV is read by the names of its columns", () => {
  const output = [
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p99_latency_ms","max_latency_ms"',
    '"GET","884955.75","0.048","0.032","0.047","0.127","3.311"',
  ].join('\n')
  expect(parseCsv(`${output}\n`)).toEqual({ opsPerSecond: 884955.75, p50Us: 47, p99Us: 127, maxUs: 3311 })
  expect(() => parseCsv('Could not connect')).toThrow('said no rps')
})

test('an operation knows its own answer from another', async () => {
  const store = new Map<string, string>()
  const client = redisClient({
    get: async (key) => store.get(key),
    set: async (key, value) => {
      store.set(key, value)
      return 'OK'
    },
    close: async () => undefined,
  })
  const set = client.operation('set', 64)
  expect(set.isExact(await set.run())).toBe(true)
  expect(await set.settle?.()).toBe(true)
  const get = client.operation('get', 64)
  const answer = (await get.run()) as string
  expect([get.isPlausible(answer), get.isExact(answer)]).toEqual([true, true])
  expect(get.isExact(`${answer.slice(1)}x`)).toBe(false)
  expect(get.isPlausible(answer.slice(1))).toBe(false)
  expect(get.isPlausible(null)).toBe(false)
  store.clear()
  expect(await set.settle?.()).toBe(false)
  expect(() => client.operation('del', 64)).toThrow('del')
})

test.each([1, 64, 16_384, 1 << 20])('a value of %i bytes is ASCII of that length', (bytes) => {
  const value = redisValue(bytes)
  expect(Buffer.byteLength(value)).toBe(bytes)
  expect(value.length).toBe(bytes)
})

/** The command line. */
import { describe, expect, test } from 'vitest'
import { parseOptions } from './options.ts'
import { SUITES } from './suites/table.ts'

const parse = (line: string): ReturnType<typeof parseOptions> => parseOptions(line.split(' ').filter(Boolean), SUITES)

test('redis alone is everything that was promised', () => {
  const { cells, subjects, rounds } = parse('redis')
  expect(rounds).toBeGreaterThanOrEqual(5)
  expect(subjects.map(({ name }) => name)).toEqual([
    'iokernel',
    'iokernel inline',
    'ioredis',
    'ioredis auto-pipelining',
    'node-redis',
    'valkey-glide',
    'redis-benchmark -P 1',
    'redis-benchmark -P 50',
  ])
  const sizes = [...new Set(cells.map(({ operation, bytes }) => `${operation} ${bytes}`))]
  expect(sizes).toEqual(['get 64', 'get 16384', 'get 1048576', 'set 64'])
  expect([...new Set(cells.map(({ inFlight }) => inFlight))]).toEqual([1, 10, 50, 500])
  expect(cells).toHaveLength(16)
})

test('postgres has what is in flight by operation, and is compared with pgbench', () => {
  const { cells, subjects, rounds, roundDurationMs } = parse('postgres')
  expect([rounds, roundDurationMs]).toEqual([5, 1_000])
  expect(subjects.map(({ name }) => name)).toEqual([
    'iokernel',
    'iokernel one lane',
    'pg Pool(10)',
    'pg pipeline',
    'postgres.js(1)',
    'postgres.js(10)',
    'pgbench pipeline 20',
  ])
  const lines = cells.map(({ operation, bytes, inFlight }) => `${operation} ${bytes} ${inFlight}`)
  expect(lines).toEqual([
    ...['select 100 50', 'select 100 200'],
    ...['rows-10000 100 1', 'rows-10000 100 2'],
    ...['insert 100 50', 'insert 100 200'],
  ])
  const joined = cells.filter((cell) => subjects.at(-1)?.joins(cell))
  expect(joined.map(({ operation }) => operation)).toEqual(['select', 'select'])
})

test('mixed is one mixture', () => {
  const { cells, subjects, roundDurationMs } = parse('mixed')
  expect([cells, roundDurationMs]).toEqual([[], 5_000])
  expect(subjects.map(({ name }) => name)).toEqual(['iokernel', 'iokernel one lane', 'pg Pool(10)', 'postgres.js(10)'])
  expect(parse('mixed --quick').roundDurationMs).toBe(1_000)
  expect(parse('mixed --quick --round-ms 70').roundDurationMs).toBe(70)
})

test.each([
  ['mysql', ['iokernel', 'iokernel one lane', 'mysql2 Pool(10)', 'mariadb'], ['select 100 50', 'select 100 200']],
  ['http-client', ['iokernel', 'undici', 'node:http'], ['json 200 64']],
  ['msgpack-rpc', ['iokernel', '@grpc/grpc-js', 'JSON over HTTP, undici Pool(64)'], ['echo 100 64']],
])('%s alone is everything that was promised', (name, subjects, lines) => {
  const options = parse(name)
  expect(options.subjects.map((subject) => subject.name)).toEqual(subjects)
  const found = options.cells.map(({ operation, bytes, inFlight }) => `${operation} ${bytes} ${inFlight}`)
  expect(found.slice(0, lines.length)).toEqual(lines)
})

test('every option narrows the run', () => {
  const narrow = '--operations set --bytes 64,128 --in-flight 3 --subjects ioredis,iokernel'
  const options = parse(`redis --quick --rounds 7 ${narrow} --seed 5 --json x`)
  expect(options).toMatchObject({ rounds: 7, seed: 5, jsonPath: 'x' })
  expect(options.cells).toEqual([
    { operation: 'set', bytes: 64, inFlight: 3 },
    { operation: 'set', bytes: 128, inFlight: 3 },
  ])
  expect(options.subjects.map(({ name }) => name)).toEqual(['ioredis', 'iokernel'])
})

describe('what it does not know is an error that says what there is', () => {
  test.each([
    ['', 'Which suite'],
    ['mongo', "no suite 'mongo'"],
    ['redis --fast yes', "Unknown option '--fast'"],
    ['redis --json', '--json needs a value'],
    ['redis --rounds 0', '--rounds takes whole numbers'],
    ['redis --bytes 64,x', '--bytes takes whole numbers'],
    ['redis --round-ms 0', '--round-ms takes whole numbers'],
    ['mixed --in-flight 5', '--in-flight has no effect'],
    ['redis --operations del', "no operation 'del'"],
    ['redis --subjects jedis', "no subject 'jedis' in redis: iokernel"],
  ])('%s', (line, message) => {
    expect(() => parse(line)).toThrow(message)
  })
})

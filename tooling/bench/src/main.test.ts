/** The built program against real servers: short rounds, so it shows that everything works and not how fast it is. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'iokernel-bench-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('--quick measures one subject and writes its rows', { timeout: 60_000 }, async () => {
  const json = join(folder, 'rows.json')
  const narrow = ['--quick', '--subjects', 'iokernel', '--in-flight', '1,50', '--bytes', '64']
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, 'redis', ...narrow, '--json', json])
  expect(stdout).toContain('get 64 B, 50 in flight')
  expect(stdout).toContain('get 64 B at 10000 a second in bursts')
  expect(stdout).toContain('connected, nothing in flight')
  expect(stdout).toMatch(/not measured +500 in flight/)

  const result = JSON.parse(readFileSync(json, 'utf8')) as { rows: readonly Record<string, unknown>[] }
  expect(Object.keys(result)).toEqual(['suite', 'machine', 'rows'])
  expect(result).toMatchObject({ suite: 'redis', machine: { cores: expect.any(Number), node: process.version } })
  expect(result.rows.map((row) => `${row['subject']} ${row['operation']} ${row['bytes']} ${row['inFlight']}`)).toEqual([
    'iokernel get 64 1',
    'iokernel get 64 50',
    'iokernel set 64 1',
    'iokernel set 64 50',
  ])
  for (const row of result.rows) {
    const { subject, operation, ...numbers } = row
    expect([subject, typeof operation]).toEqual(['iokernel', 'string'])
    expect(Object.keys(numbers)).toEqual([
      'bytes',
      'inFlight',
      'opsPerSecond',
      'p50Us',
      'p99Us',
      'cpuUsPerOp',
      'mainCpuUsPerOp',
      'rssMb',
    ])
    for (const number of Object.values(numbers)) expect(number).toBeGreaterThan(0)
  }
})

const TINY = ['--quick', '--rounds', '1', '--round-ms', '60']

/** Runs a suite and returns its report and the rows of `--json`. */
async function run(...args: string[]): Promise<{ stdout: string; rows: readonly Record<string, unknown>[] }> {
  const json = join(folder, `${args[0]}.json`)
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args, '--json', json])
  return { stdout, ...(JSON.parse(readFileSync(json, 'utf8')) as { rows: readonly Record<string, unknown>[] }) }
}

test('postgres measures every operation, and pgbench beside one', { timeout: 60_000 }, async () => {
  const subjects = ['iokernel', 'pg pipeline', 'pgbench pipeline 20']
  const { stdout, rows } = await run('postgres', ...TINY, '--in-flight', '20', '--subjects', subjects.join(','))
  expect(stdout).toMatch(/fsync=\w+ synchronous_commit=\w+/)
  expect(stdout).toContain('select 100 B at 2000 a second in bursts')
  const clients = subjects.slice(0, 2)
  const hasPgbench = !stdout.includes('pgbench pipeline 20 is skipped')
  expect(rows.map((row) => `${row['subject']} ${row['operation']} ${row['inFlight']}`)).toEqual([
    ...clients.map((name) => `${name} select 20`),
    ...(hasPgbench ? ['pgbench pipeline 20 select 20'] : []),
    ...clients.map((name) => `${name} rows-10000 20`),
    ...clients.map((name) => `${name} insert 20`),
  ])
  for (const row of rows) expect(row['opsPerSecond']).toBeGreaterThan(0)
})

test('mixed measures three streams of each subject', { timeout: 60_000 }, async () => {
  const subjects = ['iokernel', 'postgres.js(10)']
  const tiny = ['--quick', '--rounds', '1', '--round-ms', '400']
  const { stdout, rows } = await run('mixed', ...tiny, '--subjects', subjects.join(','))
  expect(stdout).toContain('3 000 fast, 5 slow, 50 write a second')
  expect(stdout).toMatch(/reached +no call of iokernel is rejected/)
  expect(rows.map((row) => `${row['operation']} ${row['subject']}`)).toEqual(
    ['fast', 'slow', 'write'].flatMap((stream) => subjects.map((name) => `${stream} ${name}`)),
  )
  for (const row of rows) {
    expect(row['errors']).toBe(0)
    expect(row['p50Us']).toBeGreaterThan(row['operation'] === 'slow' ? 200_000 : 0)
    expect(row['maxUs']).toBeGreaterThanOrEqual(row['p99Us'] as number)
  }
})

test('mysql measures every operation', { timeout: 60_000 }, async () => {
  const subjects = ['iokernel', 'mysql2 Pool(10)', 'mariadb']
  const { stdout, rows } = await run('mysql', ...TINY, '--in-flight', '20', '--subjects', subjects.join(','))
  expect(stdout).toMatch(/MariaDB .* innodb_flush_log_at_trx_commit=1/)
  expect(rows.map((row) => `${row['subject']} ${row['operation']} ${row['inFlight']}`)).toEqual(
    ['select', 'rows-10000', 'insert'].flatMap((operation) => subjects.map((name) => `${name} ${operation} 20`)),
  )
  for (const row of rows) expect(row['opsPerSecond']).toBeGreaterThan(0)
})

test('http-client says how many connections were made', { timeout: 60_000 }, async () => {
  const { stdout, rows } = await run('http-client', ...TINY, '--in-flight', '8')
  expect(stdout).toMatch(/RSS MB +connections/)
  expect(rows.map((row) => row['subject'])).toEqual(['iokernel', 'undici', 'node:http'])
  for (const row of rows) {
    expect(row['opsPerSecond']).toBeGreaterThan(0)
    expect(row['connections']).toBeGreaterThan(0)
    expect(row['connections']).toBeLessThanOrEqual(64)
  }
})

test('msgpack-rpc measures an echo in three protocols', { timeout: 60_000 }, async () => {
  const { rows } = await run('msgpack-rpc', ...TINY)
  const subjects = ['iokernel', '@grpc/grpc-js', 'JSON over HTTP, undici Pool(64)']
  expect(rows.map((row) => row['subject'])).toEqual(subjects)
  for (const row of rows) expect(row['opsPerSecond']).toBeGreaterThan(0)
})

test('a wrong command line ends with 2 and says what there is', async () => {
  const wrong = promisify(execFile)(process.execPath, [PROGRAM, 'nothing'])
  await expect(wrong).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('suites: redis') })
})

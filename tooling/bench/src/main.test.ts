/** The built program against a real Redis: short rounds, so it shows that everything works and not how fast it is. */
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

test('a wrong command line ends with 2 and says what there is', async () => {
  const wrong = promisify(execFile)(process.execPath, [PROGRAM, 'nothing'])
  await expect(wrong).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('suites: redis') })
})

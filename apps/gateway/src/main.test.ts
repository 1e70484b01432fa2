/** The built program, as `npm start` runs it: what it prints, how it ends, and that nothing of it is left. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parseOptions } from './options.ts'
import { until } from './testing/until.ts'

/** It reads 50 000 entries slowly on purpose. */
const CHECK_TIMEOUT_MS = 60_000
const PROGRAM = fileURLToPath(new URL('../dist/main.js', import.meta.url))

test(
  '--check prints a line for each backend, one for all of them, and ends with 0',
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, '--check'])
    const wanted = ['redis', 'postgres', 'overview'].map((name) => expect.stringMatching(new RegExp(`^${name} +ok `)))
    expect(stdout.trimEnd().split('\n')).toEqual(wanted)
  },
  CHECK_TIMEOUT_MS,
)

test.each(['SIGINT', 'SIGTERM'] as const)('serves until %s, then is gone with its server', async (signal) => {
  const program = spawn(process.execPath, [PROGRAM], { env: { ...process.env, PORT: '0' } })
  const { url, redisPort, lines } = await listening(program)
  const health = (await (await fetch(`${url}/health`)).json()) as { status: string }
  expect(health.status).toBe('ok')
  program.kill(signal)
  const [code] = await once(program, 'exit')
  expect(code).toBe(0)
  expect(lines.join('\n')).toContain('curl -i')
  await until('Redis is gone', () => isRefused(redisPort))
})

test('arguments it does not know are an error', () => {
  expect(() => parseOptions(['--chekc'], {})).toThrow('Unknown argument --chekc')
  expect(() => parseOptions([], { PORT: '70000' })).toThrow('PORT')
  expect(parseOptions(['--check', '--inline'], { CI: 'true', PORT: '80' })).toEqual({
    check: true,
    thread: 'inline',
    host: '127.0.0.1',
    port: 80,
    mustHaveAll: true,
  })
})

async function listening(
  program: ChildProcess,
): Promise<{ readonly url: string; readonly redisPort: number; readonly lines: readonly string[] }> {
  const lines: string[] = []
  const output = createInterface({ input: program.stdout as NodeJS.ReadableStream })
  output.on('line', (line) => lines.push(line))
  const find = (pattern: RegExp): string | undefined => pattern.exec(lines.join('\n'))?.[1]
  await until('it listens', () => find(/(Ctrl-C)/) !== undefined)
  return { url: find(/listens on (\S+)/) as string, redisPort: Number(find(/redis \S+ at \S+:(\d+)/)), lines }
}

async function isRefused(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => false,
    (error: { cause?: { code?: string } }) => error.cause?.code === 'ECONNREFUSED',
  )
}

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

const NAMES = ['redis', 'postgres', 'mysql', 'http', 'msgpack-rpc']

test(
  '--check prints a line for each backend, one for all of them, and ends with 0',
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, '--check'])
    const wanted = [...NAMES, 'overview'].map((name) => expect.stringMatching(new RegExp(`^${name} +ok `)))
    expect(stdout.trimEnd().split('\n')).toEqual(wanted)
  },
  CHECK_TIMEOUT_MS,
)

test.each(['SIGINT', 'SIGTERM'] as const)('serves until %s, then is gone with its servers', async (signal) => {
  const program = spawn(process.execPath, [PROGRAM], { env: { ...process.env, PORT: '0' } })
  const { url, ports, lines } = await listening(program)
  const health = (await (await fetch(`${url}/health`)).json()) as { status: string }
  expect(health.status).toBe('ok')
  program.kill(signal)
  const [code] = await once(program, 'exit')
  expect(code).toBe(0)
  expect(lines.join('\n')).toContain('curl -i')
  for (const port of ports) await until('its server is gone', () => isRefused(port))
})

test('killed, it leaves nothing running', async () => {
  const program = spawn(process.execPath, [PROGRAM], { env: { ...process.env, PORT: '0' } })
  const { ports } = await listening(program)
  program.kill('SIGKILL')
  for (const port of ports) await until('its server is gone', () => isRefused(port))
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
): Promise<{ readonly url: string; readonly ports: readonly number[]; readonly lines: readonly string[] }> {
  const lines: string[] = []
  const output = createInterface({ input: program.stdout as NodeJS.ReadableStream })
  output.on('line', (line) => lines.push(line))
  const find = (pattern: RegExp): string | undefined => pattern.exec(lines.join('\n'))?.[1]
  await until('it listens', () => find(/(Ctrl-C)/) !== undefined)
  const ports = NAMES.map((name) => Number(find(new RegExp(`${name} \\S+ at \\S+:(\\d+)`))))
  return { url: find(/listens on (\S+)/) as string, ports, lines }
}

async function isRefused(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => false,
    (error: { cause?: { code?: string } }) => error.cause?.code === 'ECONNREFUSED',
  )
}

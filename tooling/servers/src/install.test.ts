/** The program that CI runs before the tests: what it says. What it installs is a matter of apt. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { findProgram, thisMachine } from './surroundings.ts'

test('it says where each program lies, or why it cannot be had, and does not fail', async () => {
  const program = fileURLToPath(new URL('../dist/install.js', import.meta.url))
  const environment = { ...process.env, IOKERNEL_SERVERS_INSTALL: '0' }
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env: environment })
  const lines = stdout.trim().split('\n')
  const names = ['redis-server', 'postgres', 'mariadbd', 'nginx', 'nvim', 'python3', 'ruby']
  expect(lines.map((line) => line.split(/:| cannot be had/)[0])).toEqual(names)
})

test('a program without its library is not the one that is looked for', async () => {
  const surroundings = { ...thisMachine(), mayInstall: false, mayUseContainers: false }
  const need = { name: 'sh', folders: [], debianPackages: ['shells'] }
  expect(await findProgram({ ...need, library: { name: 'x', isThere: () => true } }, surroundings)).toBeDefined()
  await expect(
    findProgram({ ...need, library: { name: 'x', isThere: () => false } }, surroundings),
  ).rejects.toMatchObject({ message: expect.stringMatching(/no sh with x on the PATH/) })
})

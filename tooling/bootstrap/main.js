/**
 * `npm start`, `npm test` and the other root scripts: from a fresh clone to the thing that was asked for, with nothing
 * but Node and npm on the machine.
 *
 * Rules: plain JavaScript without dependencies, for it runs before anything is installed. Each command installs and
 * builds what it needs and skips what is up to date, so a second run is fast.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runChecks } from './src/checks.js'
import { install } from './src/install.js'
import { requireNodeVersion } from './src/node-version.js'
import { ROOT, run, turbo } from './src/run.js'

/** @type {Record<string, (args: string[]) => Promise<void> | void>} */
const COMMANDS = {
  start: (args) => buildAndImport('@iokernel/gateway', 'apps/gateway/dist/main.js', args),
  bench: (args) => buildAndImport('@iokernel/bench', 'tooling/bench/dist/main.js', args),
  build: () => turbo(['build'], []),
  test,
  check: runChecks,
  format: () => run('biome', ['check', '--write', '.']),
}

const [name = '', ...args] = process.argv.slice(2)
const command = COMMANDS[name]
if (command) {
  requireNodeVersion(process.versions.node)
  install()
  await command(args)
} else {
  console.error(`Unknown command ${JSON.stringify(name)}. There are: ${Object.keys(COMMANDS).join(', ')}.`)
  process.exitCode = 2
}

/**
 * Runs a program of the workspace inside this process: signals, standard streams and the exit code are its own, with
 * nobody in between to forward them.
 *
 * @param {string} packageName
 * @param {string} entry
 * @param {string[]} programArgs
 */
async function buildAndImport(packageName, entry, programArgs) {
  turbo(['build'], [`--filter=${packageName}...`])
  const path = join(ROOT, entry)
  process.argv = [process.execPath, path, ...programArgs]
  await import(pathToFileURL(path).href)
}

/**
 * `npm test`, `npm test -- core redis`, `npm test -- --force` (also what is known to pass).
 *
 * @param {string[]} testArgs
 */
function test(testArgs) {
  const flags = testArgs.filter((argument) => argument.startsWith('-'))
  const filters = testArgs.filter((argument) => !argument.startsWith('-')).map((one) => `--filter=@iokernel/${one}`)
  turbo(['build'], filters)
  // One package at a time, each with two workers: tests measure time, and the smallest machine has two cores.
  turbo(['test'], ['--concurrency=1', '--continue', ...filters, ...flags])
}

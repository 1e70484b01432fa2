/**
 * `npm run check`: everything that is not a test and can be wrong. `npm run check -- lint knip` runs only those.
 *
 * Rules: all of them run, also after a failure; each is one line in the report that `.ci/run` counts.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, statusOf } from './run.js'

export const CHECK_REPORT = join(ROOT, '.reports', 'checks.json')

/** @param {string[]} names */
export function runChecks(names) {
  const unknown = names.filter((name) => !(name in CHECKS))
  if (unknown.length > 0) {
    console.error(`Unknown check ${unknown.join(', ')}. There are: ${Object.keys(CHECKS).join(', ')}.`)
    process.exit(2)
  }
  const wanted = names.length > 0 ? names : Object.keys(CHECKS)
  const results = wanted.map((name) => {
    console.log(`\n> ${name}`)
    return { name, passed: CHECKS[name]?.() === 0 }
  })
  mkdirSync(join(ROOT, '.reports'), { recursive: true })
  writeFileSync(CHECK_REPORT, `${JSON.stringify(results, null, 2)}\n`)
  console.log()
  for (const { name, passed } of results) console.log(`${passed ? 'passed' : 'FAILED'}  ${name}`)
  if (results.some(({ passed }) => !passed)) process.exitCode = 1
}

/** @type {Record<string, () => number>} */
const CHECKS = {
  types: () =>
    statusOf('turbo', ['run', 'build', 'types', '--output-logs=errors-only', '--no-update-notifier', '--continue']),
  lint: () => statusOf('biome', ['check', '.']),
  tidy: () => statusOf('pnpm', ['--filter', '@iokernel/tidy', 'test']),
  publint: () => forEachPublished((folder) => statusOf('publint', ['run', folder, '--strict'])),
  attw: () => forEachPublished((folder) => statusOf('attw', ['--profile', 'esm-only', '--pack', folder])),
  knip: () => statusOf('knip', []),
}

/**
 * @param {(folder: string) => number} check
 * @returns {number} zero if the check passed for every package
 */
function forEachPublished(check) {
  const folders = publishedPackages()
  if (folders.length === 0) return 1
  return folders.map(check).find((status) => status !== 0) ?? 0
}

/** @returns {string[]} */
function publishedPackages() {
  return readdirSync(join(ROOT, 'packages'))
    .map((name) => join('packages', name))
    .filter((folder) => {
      const manifest = join(ROOT, folder, 'package.json')
      return existsSync(manifest) && !JSON.parse(readFileSync(manifest, 'utf8')).private
    })
}

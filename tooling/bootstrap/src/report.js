/**
 * The two ends of a CI run. `report.js clear` removes the reports of earlier runs; `report.js print TESTS START` prints
 * the totals as the very last line, given the exit codes of `npm test` and `npm start -- --check`.
 *
 * Rules: no totals line unless every number in it was counted in this run. Exit code 0 only if nothing failed.
 */
import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CHECK_REPORT } from './checks.js'
import { ROOT } from './run.js'
import { add, countChecks, countTests, REPORT, testedPackages } from './totals.js'

const [action, testStatus, startStatus] = process.argv.slice(2)
if (action === 'clear') clear()
else if (action === 'print') print(Number(testStatus), Number(startStatus))
else throw new Error('usage: report.js clear | report.js print TEST_STATUS START_STATUS')

function clear() {
  rmSync(dirname(CHECK_REPORT), { recursive: true, force: true })
  for (const folder of testedPackages(ROOT)) rmSync(join(ROOT, folder, REPORT), { force: true })
}

/**
 * @param {number} tests
 * @param {number} start
 */
function print(tests, start) {
  const checks = JSON.parse(readFileSync(CHECK_REPORT, 'utf8'))
  checks.push({ name: 'npm start -- --check', passed: start === 0 })
  const counted = countTests(ROOT)
  // An error outside every test (an unhandled rejection, say) shows in the exit code only.
  if (tests !== 0 && counted.failed === 0) checks.push({ name: `npm test (exit code ${tests})`, passed: false })
  const totals = add(counted, countChecks(checks))
  for (const complaint of totals.complaints) console.log(complaint)
  if (totals.skipped > 0) console.log(`${totals.skipped} skipped`)
  console.log(`${totals.passed} passed, ${totals.failed} failed`)
  process.exitCode = totals.failed === 0 ? 0 : 1
}

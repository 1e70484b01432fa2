/**
 * Counts what really ran: the reports that vitest wrote in every package, and the checks.
 *
 * Rules: nothing is assumed to have passed. A package that has tests to run and left no report, an unreadable one or
 * one without a single test counts as one failure; so does a test file that broke before its first test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WORKSPACE_FOLDERS } from './install.js'

/**
 * @typedef {{ passed: number, failed: number, skipped: number, complaints: string[] }} Totals
 * @typedef {{ name: string, passed: boolean }} CheckResult
 * @typedef {{ status: string, assertionResults: { status: string }[] }} FileReport
 */

/**
 * @param {string} root
 * @returns {Totals}
 */
export function countTests(root) {
  const counts = testedPackages(root).map((folder) => countPackage(folder, readReport(join(root, folder))))
  return counts.reduce(add, { passed: 0, failed: 0, skipped: 0, complaints: [] })
}

/**
 * @param {CheckResult[]} results
 * @returns {Totals}
 */
export function countChecks(results) {
  const failed = results.filter((result) => !result.passed)
  return {
    passed: results.length - failed.length,
    failed: failed.length,
    skipped: 0,
    complaints: failed.map((result) => `${result.name} failed`),
  }
}

/**
 * @param {Totals} a
 * @param {Totals} b
 * @returns {Totals}
 */
export function add(a, b) {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    complaints: [...a.complaints, ...b.complaints],
  }
}

/**
 * @param {string} root
 * @returns {string[]}
 */
export function testedPackages(root) {
  return WORKSPACE_FOLDERS.flatMap((folder) =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder)).map((name) => join(folder, name)) : [],
  ).filter((folder) => {
    const manifest = join(root, folder, 'package.json')
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).scripts?.test !== undefined
  })
}

/**
 * @param {string} folder
 * @returns {{ testResults: FileReport[] } | undefined}
 */
function readReport(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, REPORT), 'utf8'))
  } catch {
    return undefined
  }
}

/**
 * @param {string} folder
 * @param {{ testResults: FileReport[] } | undefined} report
 * @returns {Totals}
 */
function countPackage(folder, report) {
  const files = report?.testResults ?? []
  const counts = files.map(countFile).reduce(add, { passed: 0, failed: 0, skipped: 0, complaints: [] })
  if (counts.passed + counts.failed > 0) {
    return { ...counts, complaints: counts.failed > 0 ? [`${folder}: ${counts.failed} failed`] : [] }
  }
  return { ...counts, failed: 1, complaints: [`${folder}: ${report ? 'no test ran' : 'no report'}`] }
}

/**
 * @param {FileReport} file
 * @returns {Totals}
 */
function countFile({ status, assertionResults }) {
  const passed = assertionResults.filter((test) => test.status === 'passed').length
  const failed = assertionResults.filter((test) => test.status === 'failed').length
  const brokeOutsideTests = status === 'failed' && failed === 0
  return {
    passed,
    failed: brokeOutsideTests ? 1 : failed,
    skipped: assertionResults.length - passed - failed,
    complaints: [],
  }
}

/** As in vitest.shared.ts. */
export const REPORT = join('.reports', 'vitest.json')

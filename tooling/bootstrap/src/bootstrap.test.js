/**
 * The parts of the bootstrap that decide something: which Node will do, when an installation is out of date, and what
 * counts as a failure.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fingerprint } from './install.js'
import { isNodeSupported } from './node-version.js'
import { countChecks, countTests } from './totals.js'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'iokernel-bootstrap-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test.each([
  ['18.20.4', false],
  ['20.18.3', false],
  ['20.19.0', true],
  ['22.0.0', true],
])('Node %s: supported %s', (version, supported) => {
  expect(isNodeSupported(version)).toBe(supported)
})

describe('the fingerprint of an installation', () => {
  beforeEach(() => {
    write('package.json', '{}')
    write('packages/core/package.json', '{}')
    write('pnpm-lock.yaml', 'a')
  })

  test('stands while nothing that decides it changes', () => {
    const before = fingerprint(root)
    write('packages/core/src/index.ts', 'export {}')
    expect(fingerprint(root)).toBe(before)
  })

  test.each(['package.json', 'packages/core/package.json', 'pnpm-lock.yaml', 'tooling/new/package.json'])(
    'changes with %s',
    (path) => {
      const before = fingerprint(root)
      write(path, '{ "changed": true }')
      expect(fingerprint(root)).not.toBe(before)
    },
  )
})

describe('the totals', () => {
  const tested = JSON.stringify({ scripts: { test: 'vitest run' } })

  test('are the sum over all packages that have tests', () => {
    write('packages/core/package.json', tested)
    write('packages/redis/package.json', tested)
    write('tooling/plain/package.json', '{}')
    report('packages/core', [file('passed', 'passed'), file('passed', 'failed', 'pending')])
    report('packages/redis', [file('passed')])
    expect(countTests(root)).toMatchObject({ passed: 4, failed: 1, skipped: 1 })
  })

  test('count a package without a report as a failure', () => {
    write('packages/core/package.json', tested)
    expect(countTests(root)).toMatchObject({ passed: 0, failed: 1, complaints: [join('packages', 'core: no report')] })
  })

  test('count a report without tests as a failure', () => {
    write('packages/core/package.json', tested)
    report('packages/core', [])
    expect(countTests(root)).toMatchObject({ passed: 0, failed: 1 })
  })

  test('count half a report as a failure', () => {
    write('packages/core/package.json', tested)
    write('packages/core/.reports/vitest.json', '{"testRes')
    expect(countTests(root)).toMatchObject({ passed: 0, failed: 1 })
  })

  test('count a file that broke before its first test as a failure', () => {
    write('packages/core/package.json', tested)
    report('packages/core', [file('passed'), { status: 'failed', assertionResults: [] }])
    expect(countTests(root)).toMatchObject({ passed: 1, failed: 1 })
  })

  test('name the checks that failed', () => {
    const results = [
      { name: 'types', passed: true },
      { name: 'knip', passed: false },
    ]
    expect(countChecks(results)).toEqual({ passed: 1, failed: 1, skipped: 0, complaints: ['knip failed'] })
  })
})

/** @param {string[]} statuses */
function file(...statuses) {
  const failed = statuses.includes('failed')
  return { status: failed ? 'failed' : 'passed', assertionResults: statuses.map((status) => ({ status })) }
}

/**
 * @param {string} folder
 * @param {{ status: string, assertionResults: { status: string }[] }[]} testResults
 */
function report(folder, testResults) {
  write(`${folder}/.reports/vitest.json`, JSON.stringify({ testResults }))
}

/**
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

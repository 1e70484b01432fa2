/**
 * A minor of core must not force a major of a plugin. changesets does exactly that to peer dependents by default, and
 * the setting that prevents it is marked experimental, so it is tried out on a copy of the real manifests.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { packagesOf } from './packages.ts'
import { ROOT, readRepository } from './repository.ts'

const files = readRepository()
const MANIFESTS = files
  .map(({ path }) => path)
  .filter((path) => /^(packages|apps|tooling)\/[^/]+\/package\.json$/.test(path))
const CORE = 'packages/core/package.json'
/** Everything published that has core as a peer. */
const others = packagesOf(files)
  .filter(({ published, name }) => published && name !== '@iokernel/core')
  .map(({ folder }) => `${folder}/package.json`)

let copy = ''
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'iokernel-versions-'))
  for (const path of [
    ...MANIFESTS,
    'package.json',
    'pnpm-workspace.yaml',
    'pnpm-lock.yaml',
    '.changeset/config.json',
  ]) {
    cpSync(join(ROOT, path), join(copy, path), { recursive: true })
  }
  writeFileSync(join(copy, '.changeset', 'planted.md'), "---\n'@iokernel/core': minor\n---\n\nA new option.\n")
})
afterEach(() => rmSync(copy, { recursive: true }))

test('a minor of core leaves the major of everything else', () => {
  release()
  expect(versionIn(copy, CORE)).toMatch(/^\d+\.\d+\.0$/)
  expect(versionIn(copy, CORE)).not.toBe(versionIn(ROOT, CORE))
  expect(others.length).toBeGreaterThan(0)
  for (const path of others) expect(majorOf(versionIn(copy, path)), path).toBe(majorOf(versionIn(ROOT, path)))
})

test('and this test would notice: with a narrow peer range the major jumps', () => {
  const path = others[0] as string
  const manifest = readFileSync(join(copy, path), 'utf8')
  writeFileSync(join(copy, path), manifest.replace('"workspace:>=0.1.0 <1"', '"workspace:^0.1.0"'))
  release()
  expect(majorOf(versionIn(copy, path))).toBe(majorOf(versionIn(ROOT, path)) + 1)
})

/** changesets asks git for the commit that brought each changeset. */
function release(): void {
  const identity = ['-c', 'user.name=release', '-c', 'user.email=release@example.test']
  const git = (...args: readonly string[]) => execFileSync('git', [...identity, ...args], { cwd: copy, stdio: 'pipe' })
  git('init', '--quiet', '--initial-branch=main')
  git('add', '.')
  git('commit', '--quiet', '--message', 'copy')
  execFileSync(join(ROOT, 'node_modules', '.bin', 'changeset'), ['version'], { cwd: copy, stdio: 'pipe' })
}

function versionIn(root: string, path: string): string {
  return JSON.parse(readFileSync(join(root, path), 'utf8')).version
}

function majorOf(version: string): number {
  return Number(version.split('.')[0])
}

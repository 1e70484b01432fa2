/**
 * Installs the workspace with the one version of pnpm that the root package.json names, without pnpm on the machine.
 *
 * Theory of operation: what was installed is remembered as a fingerprint of every file that decides it. While the
 * fingerprint stands, nothing is run, not even pnpm, whose start through npx takes a second or two.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, run } from './run.js'

export function install() {
  const marker = join(ROOT, 'node_modules', '.iokernel-installed')
  const wanted = fingerprint(ROOT)
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'])
  writeFileSync(marker, wanted)
}

/**
 * @param {string} root
 * @returns {string}
 */
export function fingerprint(root) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${process.versions.modules}\n`)
  for (const path of decidingFiles(root)) {
    hash
      .update(`${path}\n`)
      .update(readFileSync(join(root, path)))
      .update('\n')
  }
  return hash.digest('hex')
}

/**
 * @param {string} root
 * @returns {string[]}
 */
function decidingFiles(root) {
  const manifests = WORKSPACE_FOLDERS.flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder)).map((name) => `${folder}/${name}/package.json`)
      : [],
  )
  return ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests.sort()].filter((path) =>
    existsSync(join(root, path)),
  )
}

/** As in pnpm-workspace.yaml. */
export const WORKSPACE_FOLDERS = ['apps', 'packages', 'tooling']

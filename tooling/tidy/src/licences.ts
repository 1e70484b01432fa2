/**
 * The licences of what users install with us: the production dependencies of the published packages, and theirs.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Licensed {
  readonly name: string
  readonly licence: string
}

export function licenceViolations(closure: readonly Licensed[]): readonly string[] {
  return closure
    .filter(({ licence }) => !ACCEPTED.has(licence))
    .map(({ name, licence }) => `${name} is under ${licence || 'no licence'}`)
}

/** Everything that the package in this folder pulls in, itself excluded. */
export function productionClosure(folder: string): readonly Licensed[] {
  const seen = new Map<string, Licensed>()
  const open = dependenciesOf(folder)
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue
    const { name, license } = manifestOf(path)
    seen.set(path, { name, licence: license ?? '' })
    open.push(...dependenciesOf(path))
  }
  return [...seen.values()]
}

interface Manifest {
  readonly name: string
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

function dependenciesOf(folder: string): string[] {
  return Object.keys(manifestOf(folder).dependencies ?? {}).map((name) => findInstalled(folder, name))
}

/** As Node looks for a package: in `node_modules` here, then in every folder above. */
function findInstalled(folder: string, name: string): string {
  for (let from = folder; ; from = dirname(from)) {
    const path = join(from, 'node_modules', name)
    if (existsSync(join(path, 'package.json'))) return realpathSync(path)
    if (from === dirname(from)) throw new Error(`${name}, a dependency of ${folder}, is not installed`)
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

const ACCEPTED = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD'])

/**
 * The packages of the workspace, as their manifests describe them.
 */
import type { SourceFile } from './source-file.ts'

export interface WorkspacePackage {
  readonly folder: string
  readonly name: string
  readonly published: boolean
  readonly keywords: readonly string[]
  /** The sources behind `exports`, and behind what is run by path. */
  readonly entries: readonly string[]
  readonly dependencies: readonly string[]
}

export function packagesOf(files: readonly SourceFile[]): readonly WorkspacePackage[] {
  return files
    .filter(({ path }) => /^(packages|apps|tooling)\/[^/]+\/package\.json$/.test(path))
    .map(({ path, text }) => {
      const manifest = JSON.parse(text) as Manifest
      const folder = path.slice(0, -'/package.json'.length)
      const exported = Object.values(manifest.exports ?? {}).map((target) => sourceOf(folder, target))
      return {
        folder,
        name: manifest.name,
        published: manifest.private !== true,
        keywords: manifest.keywords ?? [],
        entries: [
          ...exported.filter((entry) => entry !== undefined),
          ...RUN_BY_PATH.map((entry) => `${folder}/${entry}`),
        ],
        dependencies: Object.keys(manifest.dependencies ?? {}),
      }
    })
}

/** Protocols have more to obey than discoveries, which share the keyword. */
export function isProtocol({ name, keywords }: WorkspacePackage): boolean {
  return keywords.includes('iokernel-plugin') && !/\/(iokernel-)?discovery-/.test(name)
}

/** Shared by protocols on the application's thread; no plugin. */
export function isLibrary({ keywords }: WorkspacePackage): boolean {
  return keywords.includes('iokernel-library')
}

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly keywords?: readonly string[]
  readonly exports?: Readonly<Record<string, string | { readonly default: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
}

function sourceOf(folder: string, target: string | { readonly default: string }): string | undefined {
  const path = typeof target === 'string' ? target : target.default
  const match = /^\.\/dist\/(.*)\.js$/.exec(path)
  return match ? `${folder}/src/${match[1]}.ts` : undefined
}

/** Programs: of the apps, the benchmarks and the bootstrap. */
const RUN_BY_PATH = ['src/main.ts', 'main.js', 'src/report.js']

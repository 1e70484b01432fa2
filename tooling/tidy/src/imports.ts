/**
 * Who imports whom.
 *
 * Rules: `import`, `export from`, `import()` and `new URL('./x.js', import.meta.url)` are found; the last is a
 * reference and no import: the file is used, but in another thread. Type-only imports are marked.
 */
import { posix } from 'node:path'
import { lineOf, type SourceFile } from './source-file.ts'

export interface Import {
  /** As it is written: `node:net`, `../plugin/index.ts`, `@iokernel/core`. */
  readonly specifier: string
  /** For a relative one, the path of the imported file from the root; else undefined. */
  readonly target: string | undefined
  readonly typeOnly: boolean
  /** A URL to a file that is loaded elsewhere. */
  readonly reference: boolean
  readonly line: number
}

export function importsOf(file: SourceFile): readonly Import[] {
  return FORMS.flatMap(({ pattern, reference }) =>
    [...file.code.matchAll(pattern)]
      // The word must be code: an import written inside a string is somebody's text.
      .filter(({ index }) => file.skeleton[index] === file.code[index])
      .map((match) => {
        const specifier = match.groups?.['specifier'] as string
        return {
          specifier,
          target: resolve(file.path, specifier),
          typeOnly: /^(?:import|export)\s+type\b/.test(match[0]),
          reference,
          line: lineOf(file.code, match.index),
        }
      }),
  )
}

/** The paths that can be reached from these, themselves included; over imports alone, or over references too. */
export function reachableFrom(
  entries: readonly string[],
  files: readonly SourceFile[],
  over: 'imports' | 'imports and references',
): ReadonlySet<string> {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set<string>()
  const open = entries.filter((path) => byPath.has(path))
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    for (const { target, reference } of importsOf(byPath.get(path) as SourceFile)) {
      const counts = over === 'imports and references' || !reference
      if (counts && target !== undefined && byPath.has(target)) open.push(target)
    }
  }
  return reached
}

function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const path = posix.join(posix.dirname(from), specifier)
  // References name what the build makes; JavaScript sources are only in the bootstrap.
  return path.startsWith('tooling/bootstrap/') ? path : path.replace(/\.js$/, '.ts')
}

const FORMS = [
  { pattern: /\b(?:import|export)\s(?:[^'";]*?\sfrom\s*)?'(?<specifier>[^']+)'/g, reference: false },
  { pattern: /\bimport\(\s*'(?<specifier>[^']+)'\s*\)/g, reference: false },
  { pattern: /\bnew URL\(\s*'(?<specifier>\.[^']+)',\s*import\.meta\.url\s*\)/g, reference: true },
]

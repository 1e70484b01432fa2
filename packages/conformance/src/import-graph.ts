/**
 * Which modules a package's entry brings along, by reading its files.
 *
 * Rules: sources are read where the package has them (`src` beside `dist`), for they say which imports are types only
 * and are never older than the tests. Relative imports are followed; every other specifier is reported as it is
 * written.
 *
 * Limits: imports are found by their form at the beginning of a statement; one that is computed is not seen.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface ImportGraph {
  /** Files, as URLs. */
  readonly files: ReadonlySet<string>
  /** Specifiers that lead out of the package, with the file that names them first. */
  readonly outside: ReadonlyMap<string, string>
}

export function importGraph(entry: URL): ImportGraph {
  const files = new Set<string>()
  const outside = new Map<string, string>()
  const open = [entry]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file.href)) continue
    files.add(file.href)
    for (const specifier of importsIn(readFileSync(file, 'utf8'))) {
      if (!specifier.startsWith('.')) {
        if (!outside.has(specifier)) outside.set(specifier, fileURLToPath(file))
        continue
      }
      const target = sourceOf(new URL(specifier, file))
      if (target !== undefined) open.push(target)
    }
  }
  return { files, outside }
}

/** The file that a built one was made from, or itself. `undefined` where there is neither. */
export function sourceOf(file: URL): URL | undefined {
  const built = file.href.lastIndexOf('/dist/')
  const beside = built < 0 ? file.href : `${file.href.slice(0, built)}/src/${file.href.slice(built + '/dist/'.length)}`
  const candidates = [beside.replace(/\.js$/, '.ts'), file.href.replace(/\.js$/, '.ts'), beside, file.href]
  return candidates.map((href) => new URL(href)).find((one) => existsSync(one))
}

/** The specifiers of what a module's text imports at run time. */
export function importsIn(text: string): readonly string[] {
  const code = text.replace(COMMENTS, '')
  return FORMS.flatMap((form) => [...code.matchAll(form)].map(({ groups }) => groups?.['specifier'] as string))
}

/** At the beginning of a line only: a string may hold what looks like one. */
const COMMENTS = /^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm

const FORMS = [
  /^\s*(?:import|export)\b(?!\s+type\b)[\w\s{},*$]*?\bfrom\s*["'](?<specifier>[^"']+)["']/gm,
  /^\s*import\s*["'](?<specifier>[^"']+)["']/gm,
  /\b(?:import|require)\s*\(\s*["'](?<specifier>[^"']+)["']\s*[,)]/g,
]

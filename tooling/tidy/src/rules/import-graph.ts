/**
 * Law 1: which parts of core may import which. The two threads share nothing but the channel, and it must stay so:
 * what one half imports from the other works in a test, and is a second copy of the module in the worker.
 */
import { importsOf } from '../imports.ts'
import { isCode, isTest, type Rule, type Violation } from '../source-file.ts'

export const importGraph: Rule = (files) =>
  files
    .filter(({ path }) => isCode(path) && !isTest(path) && areaOf(path) !== undefined)
    .flatMap((file) => {
      const area = areaOf(file.path) as string
      const allowed = ALLOWED[area]
      if (!allowed) return []
      return importsOf(file)
        .filter(({ target, reference }) => target !== undefined && !reference)
        .flatMap(({ target, typeOnly, line }): readonly Violation[] => {
          const other = areaOf(target as string) ?? 'outside core/src'
          if (other === area || allowed.any.includes(other)) return []
          if (typeOnly && allowed.types.includes(other)) return []
          const hint = allowed.types.includes(other) ? ': only its types' : ''
          return [{ path: file.path, line, message: `${area}/ must not import ${other}${hint}` }]
        })
    })

/** `main` for core/src/main/x.ts; the file's own name for what lies directly in core/src. */
function areaOf(path: string): string | undefined {
  return /^packages\/core\/src\/([^/]+)/.exec(path)?.[1]
}

interface Allowance {
  readonly any: readonly string[]
  readonly types: readonly string[]
}

/** What is not named here (package entries, `inline.ts`, `testing/`) may import anything. */
const ALLOWED: Readonly<Record<string, Allowance>> = {
  plugin: { any: [], types: [] },
  toolkit: { any: ['plugin'], types: [] },
  shared: { any: [], types: [] },
  channel: { any: ['shared'], types: ['plugin'] },
  stats: { any: ['shared'], types: ['plugin'] },
  naming: { any: ['shared', 'plugin'], types: [] },
  debug: { any: ['shared', 'plugin', 'stats'], types: [] },
  main: { any: ['channel', 'plugin', 'stats', 'shared'], types: [] },
  io: { any: ['channel', 'plugin', 'stats', 'shared', 'naming', 'debug'], types: [] },
}

/** Planted violations of law 1, and neighbours that must not be mistaken for one. */
import { expect, test } from 'vitest'
import { sourceFile } from '../source-file.ts'
import { importGraph } from './import-graph.ts'

const CORE = 'packages/core/src'

test.each([
  ['main/kernel.ts', '../io/thread.ts'],
  ['io/thread.ts', '../main/kernel.ts'],
  ['main/kernel.ts', '../naming/dns.ts'],
  ['main/kernel.ts', '../inline.ts'],
  ['channel/ring.ts', '../plugin/errors.ts'],
  ['plugin/errors.ts', '../shared/assert.ts'],
  ['plugin/errors.ts', '../toolkit/feed.ts'],
  ['toolkit/feed.ts', '../shared/assert.ts'],
  ['plugin/errors.ts', '../../../redis/src/index.ts'],
  ['shared/clock.ts', '../plugin/index.ts'],
])('%s must not import %s', (path, specifier) => {
  expect(planted(path, `import { x } from '${specifier}'`)).toHaveLength(1)
})

test.each([
  ['main/kernel.ts', `import { x } from '../channel/ring.ts'`],
  ['io/thread.ts', `import { x } from '../naming/dns.ts'`],
  ['channel/records.ts', `import type { X } from '../plugin/errors.ts'`],
  ['inline.ts', `import { x } from './io/thread.ts'\nimport { y } from './main/kernel.ts'`],
  ['main/kernel.test.ts', `import { x } from '../io/thread.ts'`],
  ['main/thread.ts', `new Worker(new URL('../io/thread.js', import.meta.url))`],
  ['main/kernel.ts', `// import { x } from '../io/thread.ts'`],
  ['main/kernel.ts', `const text = "import { x } from '../io/thread.ts'"`],
])('%s may say %s', (path, text) => {
  expect(planted(path, text)).toEqual([])
})

test('the types of the other thread are no exception', () => {
  expect(planted('io/thread.ts', `import type { Kernel } from '../main/kernel.ts'`)).toHaveLength(1)
})

test('an import over several lines, a re-export and a dynamic import are seen', () => {
  expect(planted('main/a.ts', `import {\n  x,\n} from '../io/b.ts'`)).toHaveLength(1)
  expect(planted('main/a.ts', `export { x } from '../io/b.ts'`)).toHaveLength(1)
  expect(planted('main/a.ts', `const x = await import('../io/b.ts')`)).toHaveLength(1)
})

function planted(path: string, text: string) {
  return importGraph([sourceFile(`${CORE}/${path}`, text)])
}

/** Planted violations of laws 4 to 7. Words that the rules forbid are put together here, so that this file passes. */
import { describe, expect, test } from 'vitest'
import { type Rule, sourceFile } from '../source-file.ts'
import { fileLength, functionLength, header, lineWidth, machinePaths, names, words } from './form.ts'
import { optionUnits } from './option-units.ts'
import { noDeadFiles } from './reachability.ts'

const MANIFEST = sourceFile(
  'packages/core/package.json',
  '{ "name": "@iokernel/core", "exports": { ".": { "default": "./dist/index.js" } } }',
)

describe('lengths', () => {
  test('of files', () => {
    expect(found(fileLength, 'x\n'.repeat(450))).toBe(0)
    expect(found(fileLength, 'x\n'.repeat(451))).toBe(1)
    expect(fileLength([sourceFile('packages/core/src/a.test.ts', 'x\n'.repeat(451))])).toEqual([])
  })

  test.each([
    'function f(a: string): Promise<Map<string, number>> {',
    'const f = (a) => {',
    'const f = {\n async method(a, { b, c }) {',
    'class A { static #m(a = g(1)) {',
  ])('of functions: %s', (start) => {
    expect(found(functionLength, `${start}\n${'x()\n'.repeat(80)}}`)).toBe(1)
    expect(found(functionLength, `${start}\n${'x()\n'.repeat(78)}}`)).toBe(0)
  })

  test.each(['if (a) {', 'class A {', 'const table = {', 'for (const a of f(b)) {'])('not of %s', (start) => {
    expect(found(functionLength, `${start}\n${'x()\n'.repeat(90)}}`)).toBe(0)
  })

  test('braces in strings, comments and patterns do not count', () => {
    const text = `function f() {\n const a = '}' // }\n const b = /}/\n const c = \`}\${'}'}\`\n${'x()\n'.repeat(80)}}`
    expect(found(functionLength, text)).toBe(1)
  })

  test('of lines', () => {
    expect(found(lineWidth, 'x'.repeat(120))).toBe(0)
    expect(found(lineWidth, 'x'.repeat(121))).toBe(1)
  })
})

test('a file begins with what it is for', () => {
  expect(found(header, '/** The rings. */\nexport {}')).toBe(0)
  expect(found(header, '#!/usr/bin/env node\n// The rings.')).toBe(0)
  expect(found(header, 'export {}')).toBe(1)
})

test('names', () => {
  expect(names([MANIFEST, sourceFile('packages/core/src/index.ts', '')])).toEqual([])
  expect(names([MANIFEST, sourceFile('packages/core/src/io/index.ts', '')])).toHaveLength(1)
  expect(names([MANIFEST, sourceFile('packages/core/src/utils.ts', '')])).toHaveLength(1)
})

describe('words', () => {
  test.each([
    ['let a: any', 1],
    ['f(a as any)', 1],
    ['Map<any, string>', 1],
    ['Promise.any(all)', 0],
    ['// any one of them: any', 0],
    [['// TO', 'DO: later'].join(''), 1],
    [['// @ts', '-ignore'].join(''), 1],
    ['export default thing', 1],
    ['expect.any(String)', 0],
  ])('%s', (text, count) => {
    expect(found(words, text)).toBe(count)
  })

  test('tests are all run', () => {
    const text = ['test', 'only("x", f)'].join('.')
    expect(words([sourceFile('packages/core/src/a.test.ts', text)])).toHaveLength(1)
  })

  test('the I/O half is exported by default', () => {
    expect(words([sourceFile('packages/redis/src/io.ts', 'export default io')])).toEqual([])
  })
})

test('paths and registries of one machine', () => {
  const home = ['', 'home', 'ada', 'x'].join('/')
  expect(found(machinePaths, `read('${home}')`)).toBe(1)
  expect(found(machinePaths, `import './framer/work/x.ts'`)).toBe(0)
  const lock = (text: string) => machinePaths([sourceFile('pnpm-lock.yaml', text)])
  expect(lock('resolution: {integrity: sha512-x, tarball: https://example.test/x.tgz}')).toHaveLength(1)
  expect(lock('resolution: {integrity: sha512-x}')).toEqual([])
})

test.each([
  ['connectTimeout', 1],
  ['connectTimeoutMs', 0],
  ['drainMsMax', 0],
  ['probeInterval', 1],
  ['frameSize', 1],
  ['frameBytesMax', 0],
  ['bytesPerFrame', 1],
  ['queueMax', 0],
])('a limit named %s', (name, count) => {
  expect(found(optionUnits, `export interface KernelLimits {\n  readonly ${name}?: number\n}`)).toBe(count)
})

test('a unit is asked of numbers in options only', () => {
  expect(found(optionUnits, 'interface KernelOptions { timeout?: Duration }')).toBe(0)
  expect(found(optionUnits, 'interface Ring { size: number }')).toBe(0)
})

test('dead files', () => {
  const index = sourceFile('packages/core/src/index.ts', `export { x } from './a.ts'`)
  const used = sourceFile('packages/core/src/a.ts', `new URL('./worker.js', import.meta.url)`)
  const worker = sourceFile('packages/core/src/worker.ts', '')
  const dead = sourceFile('packages/core/src/b.ts', '')
  const itsTest = sourceFile('packages/core/src/b.test.ts', `import './b.ts'`)
  expect(noDeadFiles([MANIFEST, index, used, worker])).toEqual([])
  expect(noDeadFiles([MANIFEST, index, used, worker, dead, itsTest]).map(({ path }) => path)).toEqual([dead.path])
})

function found(rule: Rule, text: string): number {
  return rule([sourceFile('packages/core/src/main/example.ts', text)]).length
}

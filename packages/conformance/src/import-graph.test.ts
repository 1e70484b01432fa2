/** What counts as an import. */
import { expect, test } from 'vitest'
import { importGraph, importsIn } from './import-graph.ts'

test.each([
  [`import { a } from 'x'`, ['x']],
  [`import a, * as b from "x"`, ['x']],
  [`import {\n  a,\n  type B,\n} from 'x'`, ['x']],
  [`import 'x'`, ['x']],
  [`export * from 'x'`, ['x']],
  [`export { a } from 'x'`, ['x']],
  [`const a = await import('x')`, ['x']],
  [`const a = require('x')`, ['x']],
  [`import type { A } from 'x'`, []],
  [`export type { A } from 'x'`, []],
  [`// import { a } from 'x'`, []],
  [`/*\nimport { a } from 'x'\n*/`, []],
  [`new URL('./io.js', import.meta.url)`, []],
  [`const glob = 'src/**/*.ts'\nimport { a } from 'x'\nconst other = '*/'`, ['x']],
])('%s', (text, specifiers) => {
  expect(importsIn(text)).toEqual(specifiers)
})

test('a graph follows what is relative and lists the rest', () => {
  const { files, outside } = importGraph(new URL('./testing/lines/io.ts', import.meta.url))
  const names = [...files].map((file) => file.split('/').at(-1)).sort()
  expect(names).toEqual(['framer.ts', 'handshake.ts', 'io.ts'])
  expect([...outside.keys()]).toEqual(['@iokernel/core/plugin'])
})

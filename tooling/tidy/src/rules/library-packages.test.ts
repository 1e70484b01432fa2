/** Planted violations of law 3b, in a small workspace of a library and the protocol that is built with it. */
import { expect, test } from 'vitest'
import { type SourceFile, sourceFile } from '../source-file.ts'
import { libraryImports, libraryShape, nobodyDoesIoWithLibraries } from './library-packages.ts'

test('a library passes that is one, and one that lacks its README does not', () => {
  expect(libraryShape(library())).toEqual([])
  const lacking = library().filter(({ path }) => !path.endsWith('README.md'))
  expect(libraryShape(lacking).map(({ message }) => message)).toEqual(['a library has README.md'])
})

test('a library is no protocol: it has no I/O half, no keyword of plugins, and registers nothing', () => {
  expect(libraryShape(library({ 'io.ts': '' })).map(({ path }) => path)).toEqual(['packages/sql/src/io.ts'])
  expect(libraryShape([...library(), manifest('x', ['iokernel-library', 'iokernel-plugin'])])).toContainEqual({
    path: 'packages/x',
    message: 'a library is no plugin: one keyword of the two',
  })
  const registers = `export const sql = { kind: 'protocol', name: 'sql' }`
  expect(libraryShape(library({ 'index.ts': registers }))).toHaveLength(1)
})

test('a protocol may lack what a library needs', () => {
  expect(libraryShape([manifest('redis', ['iokernel-plugin'])])).toEqual([])
})

test('a library knows the contract and the toolkit, nothing else of the workspace', () => {
  const right = `import { wrong } from '@iokernel/core/toolkit'\nimport type { Link } from '@iokernel/core/plugin'`
  expect(libraryImports(library({ 'index.ts': right }))).toEqual([])
  for (const specifier of ['@iokernel/postgres', '@iokernel/core', '@iokernel/core/testing', '@iokernel/servers']) {
    expect(libraryImports(library({ 'index.ts': `import { x } from '${specifier}'` }))).toHaveLength(1)
  }
  expect(libraryImports(library({ 'x.test.ts': `import { x } from '@iokernel/core/testing'` }))).toEqual([])
})

test('the I/O half of a protocol is built without libraries, by a detour too', () => {
  const client = `import { Templates } from '@iokernel/sql'`
  expect(nobodyDoesIoWithLibraries([...library(), ...protocol({ 'client.ts': client })])).toEqual([])
  const types = `import type { SqlFragment } from '@iokernel/sql'`
  expect(nobodyDoesIoWithLibraries([...library(), ...protocol({ 'io.ts': types })])).toEqual([])
  expect(nobodyDoesIoWithLibraries([...library(), ...protocol({ 'io.ts': client })])).toHaveLength(1)
  const detour = protocol({ 'io.ts': `import './codec/x.ts'`, 'codec/x.ts': client })
  expect(nobodyDoesIoWithLibraries([...library(), ...detour]).map(({ path }) => path)).toEqual([
    'packages/postgres/src/codec/x.ts',
  ])
})

function library(texts: Readonly<Record<string, string>> = {}): readonly SourceFile[] {
  const sources = Object.entries({ 'index.ts': '', ...texts })
  return [
    manifest('sql', ['sql', 'iokernel-library']),
    ...['README.md', 'LICENSE'].map((name) => sourceFile(`packages/sql/${name}`, '')),
    ...sources.map(([path, text]) => sourceFile(`packages/sql/src/${path}`, text)),
  ]
}

function protocol(texts: Readonly<Record<string, string>>): readonly SourceFile[] {
  const sources = Object.entries({ 'io.ts': '', 'client.ts': '', ...texts })
  return [
    manifest('postgres', ['iokernel-plugin']),
    ...sources.map(([path, text]) => sourceFile(`packages/postgres/src/${path}`, text)),
  ]
}

function manifest(name: string, keywords: readonly string[]): SourceFile {
  return sourceFile(`packages/${name}/package.json`, JSON.stringify({ name: `@iokernel/${name}`, keywords }))
}

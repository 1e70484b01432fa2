/** Planted violations of law 3, in a small workspace of two protocols. */
import { expect, test } from 'vitest'
import { type SourceFile, sourceFile } from '../source-file.ts'
import { protocolHalves, protocolShape, protocolsApart } from './protocol-packages.ts'

test('a whole package passes, one without a probe does not', () => {
  expect(protocolShape(protocol('redis'))).toEqual([])
  const incomplete = protocol('redis').filter(({ path }) => !path.endsWith('probe.ts'))
  expect(protocolShape(incomplete).map(({ message }) => message)).toEqual(['a protocol package has probe.ts'])
})

test('a discovery needs no framer', () => {
  expect(protocolShape([manifest('discovery-etcd')])).toEqual([])
})

test('the halves must not reach each other, not even by a detour', () => {
  expect(protocolHalves(protocol('redis'))).toEqual([])
  const detour = [
    ...protocol('redis', {
      'io.ts': `import { x } from './codec/resp3.ts'`,
      'codec/resp3.ts': `import '../client.ts'`,
    }),
  ]
  expect(protocolHalves(detour)).toHaveLength(1)
  expect(protocolHalves(protocol('redis', { 'client.ts': `import io from './io.ts'` }))).toHaveLength(1)
})

test('the URL of the I/O half is no import of it', () => {
  const client = `const io = new URL('./io.js', import.meta.url)`
  expect(protocolHalves(protocol('redis', { 'client.ts': client }))).toEqual([])
})

test('no protocol knows another, and core knows none', () => {
  const both = [...protocol('redis'), ...protocol('http')]
  expect(protocolsApart(both)).toEqual([])
  expect(protocolsApart([...both, sourceFile('packages/http/src/x.ts', `import '@iokernel/redis/io'`)])).toHaveLength(1)
  const core = [sourceFile('packages/core/package.json', '{ "name": "@iokernel/core" }')]
  const knows = sourceFile('packages/core/src/x.ts', `import '@iokernel/redis'`)
  expect(protocolsApart([...both, ...core, knows])).toHaveLength(1)
})

function protocol(name: string, texts: Readonly<Record<string, string>> = {}): readonly SourceFile[] {
  const paths = ['index.ts', 'client.ts', 'io.ts', 'framer.ts', 'handshake.ts', 'probe.ts', 'codec/resp3.ts']
  const sources = paths.map((path) => sourceFile(`packages/${name}/src/${path}`, texts[path] ?? ''))
  return [manifest(name), sourceFile(`packages/${name}/fixtures/README.md`, ''), ...sources]
}

function manifest(name: string): SourceFile {
  const text = JSON.stringify({ name: `@iokernel/${name}`, keywords: ['iokernel-plugin'] })
  return sourceFile(`packages/${name}/package.json`, text)
}

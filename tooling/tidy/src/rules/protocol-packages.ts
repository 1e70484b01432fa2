/**
 * Law 3: a protocol package has the same files in the same places as every other, its two halves do not reach each
 * other, and it knows no other protocol. Who has read one has read them all.
 */
import { importsOf, reachableFrom } from '../imports.ts'
import { isProtocol, packagesOf, type WorkspacePackage } from '../packages.ts'
import { isCode, isTest, type Rule, type SourceFile, type Violation } from '../source-file.ts'

export const protocolShape: Rule = (files) =>
  protocols(files).flatMap(({ folder }) =>
    EXPECTED.filter(({ at }) => !files.some(({ path }) => path.startsWith(`${folder}/`) && at.test(path))).map(
      ({ name }) => ({ path: folder, message: `a protocol package has ${name}` }),
    ),
  )

export const protocolHalves: Rule = (files) =>
  protocols(files).flatMap(({ folder }): readonly Violation[] => {
    const sources = files.filter(({ path }) => path.startsWith(`${folder}/src/`) && isCode(path))
    // The object in index.ts refers to io.js by URL; that is the border, not a way across it.
    const reaches = (from: string, to: string) =>
      reachableFrom([`${folder}/src/${from}`], sources, 'imports').has(`${folder}/src/${to}`)
    return [
      ...(reaches('io.ts', 'client.ts') ? [halves(folder, 'io.ts', 'client.ts')] : []),
      ...(reaches('client.ts', 'io.ts') ? [halves(folder, 'client.ts', 'io.ts')] : []),
    ]
  })

export const protocolsApart: Rule = (files) => {
  const names = protocols(files).map(({ name }) => name)
  return files
    .filter(({ path }) => path.startsWith('packages/') && isCode(path) && !isTest(path))
    .flatMap((file) => {
      const own = packagesOf(files).find(({ folder }) => file.path.startsWith(`${folder}/`))
      if (!own || !(isProtocol(own) || own.name === '@iokernel/core')) return []
      return importsOf(file)
        .filter(({ specifier }) => names.some((name) => specifier === name || specifier.startsWith(`${name}/`)))
        .filter(({ specifier }) => !specifier.startsWith(own.name))
        .map(({ specifier, line }) => ({ path: file.path, line, message: `${own.name} must not know ${specifier}` }))
    })
}

function protocols(files: readonly SourceFile[]): readonly WorkspacePackage[] {
  return packagesOf(files).filter(isProtocol)
}

function halves(folder: string, from: string, to: string): Violation {
  return { path: `${folder}/src/${from}`, message: `${from} reaches ${to}: the halves run in different threads` }
}

const EXPECTED = [
  ...['index.ts', 'client.ts', 'io.ts', 'framer.ts', 'handshake.ts', 'probe.ts', 'codec/'].map((name) => ({
    name,
    at: new RegExp(`/src/${name.replace('.', '\\.')}`),
  })),
  { name: 'fixtures/README.md, which says where they come from', at: /\/fixtures\/README\.md$/ },
]

/**
 * Law 3b: what several protocols have in common on the application's thread is a library. It is no protocol itself, it
 * is written against the contract like a plugin of anybody's, and no I/O half is built with it.
 */
import { importsOf, reachableFrom } from '../imports.ts'
import { isLibrary, isProtocol, packagesOf, type WorkspacePackage } from '../packages.ts'
import { isCode, isTest, matches, type Rule, type SourceFile, type Violation } from '../source-file.ts'

export const libraryShape: Rule = (files) =>
  libraries(files).flatMap((library): readonly Violation[] => {
    const { folder } = library
    const has = (name: string) => files.some(({ path }) => path === `${folder}/${name}`)
    return [
      ...(isProtocol(library) ? [{ path: folder, message: 'a library is no plugin: one keyword of the two' }] : []),
      ...NEEDED.filter((name) => !has(name)).map((name) => ({ path: folder, message: `a library has ${name}` })),
      ...OF_PROTOCOLS.filter(has).map((name) => ({
        path: `${folder}/${name}`,
        message: 'only a protocol has this: a library has no I/O half',
      })),
      ...sourcesOf(library, files).flatMap((file) =>
        matches(file, file.code, REGISTRATION, 'a library registers nothing'),
      ),
    ]
  })

export const libraryImports: Rule = (files) =>
  libraries(files).flatMap((library) =>
    sourcesOf(library, files).flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith('@iokernel/') && !OPEN_TO_LIBRARIES.has(specifier))
        .map(({ specifier, line }) => ({ path: file.path, line, message: `a library must not know ${specifier}` })),
    ),
  )

export const nobodyDoesIoWithLibraries: Rule = (files) => {
  const names = libraries(files).map(({ name }) => name)
  return packagesOf(files)
    .filter(isProtocol)
    .flatMap(({ folder }) => {
      const reached = reachableFrom([`${folder}/src/io.ts`], files, 'imports')
      return files
        .filter(({ path }) => reached.has(path))
        .flatMap((file) =>
          importsOf(file)
            .filter(({ specifier, typeOnly }) => names.includes(specifier) && !typeOnly)
            .map(({ specifier, line }) => ({
              path: file.path,
              line,
              message: `the I/O half reaches ${specifier}, which is for the application's thread`,
            })),
        )
    })
}

function libraries(files: readonly SourceFile[]): readonly WorkspacePackage[] {
  return packagesOf(files).filter(isLibrary)
}

function sourcesOf({ folder }: WorkspacePackage, files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ path }) => path.startsWith(`${folder}/src/`) && isCode(path) && !isTest(path))
}

const NEEDED = ['src/index.ts', 'README.md', 'LICENSE']
const OF_PROTOCOLS = ['src/io.ts', 'src/framer.ts', 'src/handshake.ts', 'src/probe.ts']
/** What an author outside this workspace would be given. */
const OPEN_TO_LIBRARIES: ReadonlySet<string> = new Set(['@iokernel/core/plugin', '@iokernel/core/toolkit'])
const REGISTRATION = /\bkind: '(protocol|discovery)'/g

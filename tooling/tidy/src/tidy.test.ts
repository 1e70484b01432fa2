/**
 * The repository obeys its laws. The rules themselves are tested beside them, with planted violations.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { licenceViolations, productionClosure } from './licences.ts'
import { packagesOf } from './packages.ts'
import { ROOT, readRepository } from './repository.ts'
import { fileLength, functionLength, header, lineWidth, machinePaths, names, words } from './rules/form.ts'
import { importGraph } from './rules/import-graph.ts'
import { libraryImports, libraryShape, nobodyDoesIoWithLibraries } from './rules/library-packages.ts'
import { optionUnits } from './rules/option-units.ts'
import { protocolHalves, protocolShape, protocolsApart } from './rules/protocol-packages.ts'
import { oneClock, oneDoorEach, sansIo } from './rules/purity.ts'
import { noDeadFiles } from './rules/reachability.ts'
import type { Rule, Violation } from './source-file.ts'

const files = readRepository()

test.each<[string, Rule]>([
  ['the threads of core do not import each other', importGraph],
  ['sockets, TLS and DNS have one door each', oneDoorEach],
  ['what parses, schedules and balances is sans-I/O', sansIo],
  ['one file reads the clock', oneClock],
  ['protocol packages have one shape', protocolShape],
  ['the halves of a protocol do not reach each other', protocolHalves],
  ['protocols do not know each other', protocolsApart],
  ['library packages are no protocols', libraryShape],
  ['libraries know the contract alone', libraryImports],
  ['libraries stay on the application thread', nobodyDoesIoWithLibraries],
  ['numeric options end in their unit', optionUnits],
  ['files are short', fileLength],
  ['functions are short', functionLength],
  ['lines are narrow', lineWidth],
  ['every file says what it is for', header],
  ['files are named for what they do', names],
  ['nothing is unfinished, untyped or switched off', words],
  ['nothing names one machine', machinePaths],
  ['no file is dead', noDeadFiles],
])('%s', (_, rule) => {
  expect(rule(files).map(describeViolation)).toEqual([])
})

describe('licences', () => {
  const published = packagesOf(files).filter((one) => one.published)
  test.each(published.map(({ name, folder }) => [name, folder]))('of what %s brings along', (_, folder) => {
    expect(licenceViolations(productionClosure(join(ROOT, folder)))).toEqual([])
  })
})

function describeViolation({ path, line, message }: Violation): string {
  return `${path}${line === undefined ? '' : `:${line}`}: ${message}`
}

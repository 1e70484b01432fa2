/**
 * Law 6: every source is reachable from an entry of its package. What only tests use lies under `testing/`, where one
 * sees that it is no part of the product; what nobody uses is deleted.
 */
import { reachableFrom } from '../imports.ts'
import { packagesOf } from '../packages.ts'
import { isCode, isTest, type Rule } from '../source-file.ts'

export const noDeadFiles: Rule = (files) => {
  const packages = packagesOf(files)
  // The tooling itself is run by tests and by configuration files.
  const tests = files.filter(({ path }) => isTest(path) && (path.startsWith('tooling/') || path.includes('/testing/')))
  const entries = [...packages.flatMap((one) => one.entries), ...tests.map(({ path }) => path)]
  const reached = reachableFrom(entries, files, 'imports and references')
  return files
    .filter(
      ({ path }) => isCode(path) && !isTest(path) && packages.some(({ folder }) => path.startsWith(`${folder}/src/`)),
    )
    .filter(({ path }) => !path.includes('/testing/') && !reached.has(path))
    .map(({ path }) => ({ path, message: 'no entry of its package reaches this file' }))
}

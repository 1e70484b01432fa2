/** Which licences pass. The closure itself is walked over the real packages in `tidy.test.ts`. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { licenceViolations, productionClosure } from './licences.ts'
import { ROOT } from './repository.ts'

test('permissive licences pass, others and none do not', () => {
  const closure = ['MIT', 'ISC', 'Apache-2.0', 'BSD-3-Clause', 'GPL-3.0', ''].map((licence) => ({ name: 'x', licence }))
  expect(licenceViolations(closure)).toEqual(['x is under GPL-3.0', 'x is under no licence'])
})

test('the closure reaches the dependencies of dependencies', () => {
  const names = productionClosure(join(ROOT, 'packages/redis')).map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['redis-parser', 'redis-errors']))
})

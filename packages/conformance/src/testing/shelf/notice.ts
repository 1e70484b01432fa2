/**
 * The judgement over a thing on the shelf: which suites notice it, and what they say.
 */
import assert from 'node:assert/strict'
import { conformance } from '../../conformance.ts'
import { record } from '../recorder.ts'
import type { Broken } from './broken.ts'

/** Asserts that the suite that is meant for it fails, and no other. */
export async function assertNoticed({ suite, says, subject }: Broken): Promise<void> {
  const outcomes = await record((runner) => conformance(runner, subject))
  const failures = outcomes.filter(({ error }) => error !== undefined)
  // `lines conforms > framer > fixtures > an answer` is of the suite `framer`.
  const suites = new Set(failures.map(({ name }) => name.split(' > ')[1]))
  assert.deepEqual([...suites], [suite], failures.map(({ name }) => name).join('\n'))
  assert.match(failures.map(({ error }) => String((error as Error).message ?? error)).join('\n'), says)
}

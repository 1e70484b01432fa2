/** The shelf of broken plugins: each is noticed, by the suite that is meant for it and by no other. */
import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { conformance } from './conformance.ts'
import { healthy } from './testing/lines/subject.ts'
import { type Outcome, record } from './testing/recorder.ts'
import type { Broken } from './testing/shelf/broken.ts'
import { BROKEN_CODECS } from './testing/shelf/codecs.ts'
import { BROKEN_FRAMERS } from './testing/shelf/framers.ts'
import { BROKEN_HANDSHAKES } from './testing/shelf/handshakes.ts'
import { BROKEN_PROTOCOLS, brokenPackages, temporaryFolder } from './testing/shelf/packages.ts'

const folder = temporaryFolder()
afterAll(() => rmSync(folder, { recursive: true }))

test('the healthy plugin fails nothing', async () => {
  const outcomes = await record((runner) => conformance(runner, healthy))
  expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([])
  expect(outcomes.length).toBeGreaterThan(40)
})

describe.each<[string, readonly Broken[]]>([
  ['packages', [...BROKEN_PROTOCOLS, ...brokenPackages(folder)]],
  ['framers', BROKEN_FRAMERS],
  ['handshakes', BROKEN_HANDSHAKES],
  ['codecs', BROKEN_CODECS],
])('broken %s', (_, shelf) => {
  test.each(shelf.map((one) => [one.name, one] as const))('one that %s', async (_name, { suite, says, subject }) => {
    const outcomes = await record((runner) => conformance(runner, subject))
    const failures = outcomes.filter(({ error }) => error !== undefined)
    expect([...new Set(failures.map(suiteOf))]).toEqual([suite])
    expect(failures.map(({ error }) => String((error as Error).message ?? error)).join('\n')).toMatch(says)
  })
})

/** `lines conforms > framer > fixtures > an answer` is of the suite `framer`. */
function suiteOf({ name }: Outcome): string {
  return name.split(' > ')[1] as string
}

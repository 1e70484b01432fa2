/** The shelf of plugins that frame well and are broken elsewhere: each is noticed by the suite meant for it alone. */
import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { conformance } from './conformance.ts'
import { healthy } from './testing/lines/subject.ts'
import { record } from './testing/recorder.ts'
import type { Broken } from './testing/shelf/broken.ts'
import { BROKEN_CODECS } from './testing/shelf/codecs.ts'
import { BROKEN_HANDSHAKES } from './testing/shelf/handshakes.ts'
import { assertNoticed } from './testing/shelf/notice.ts'
import { BROKEN_PROTOCOLS, brokenPackages, temporaryFolder } from './testing/shelf/packages.ts'

const folder = temporaryFolder()
afterAll(() => rmSync(folder, { recursive: true }))

test('the healthy plugin fails nothing', async () => {
  const outcomes = await record((runner) => conformance(runner, healthy))
  expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([])
  expect(outcomes.length).toBeGreaterThan(40)
})

describe.each<[string, readonly Broken[]]>([
  ['package', [...BROKEN_PROTOCOLS, ...brokenPackages(folder)]],
  ['handshake', BROKEN_HANDSHAKES],
  ['codec', BROKEN_CODECS],
])('a %s', (_, shelf) => {
  test.each(shelf.map((one) => [one.name, one] as const))('that %s', (_name, one) => assertNoticed(one))
})

/** The healthy plugin whose peer speaks unasked passes, and so do its like that take one call at a time. */
import { describe, expect, test } from 'vitest'
import { conformance } from './conformance.ts'
import { record } from './testing/recorder.ts'
import io, { TaggedConnection, type TaggedIo } from './testing/tagged/io.ts'
import { healthyTagged } from './testing/tagged/subject.ts'

conformance({ describe, test, expect }, healthyTagged)

class OneAtATime extends TaggedConnection {
  override callsMax(): number {
    return 1
  }
}

test('with one call at a time it passes too', async () => {
  const subject = { ...healthyTagged, io: { ...io, connection: (options: TaggedIo) => new OneAtATime(options) } }
  const outcomes = await record((runner) => conformance(runner, subject))
  expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([])
})

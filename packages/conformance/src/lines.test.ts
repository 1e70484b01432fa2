/** The healthy plugin passes, in the runner that the repository uses. */
import { describe, expect, test } from 'vitest'
import { conformance } from './conformance.ts'
import { healthy } from './testing/lines/subject.ts'

conformance({ describe, test, expect }, healthy)

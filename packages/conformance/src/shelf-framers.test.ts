/** The shelf of broken framers: each is noticed, by the framer suite and by no other. */
import { test } from 'vitest'
import { BROKEN_FRAMERS } from './testing/shelf/framers.ts'
import { assertNoticed } from './testing/shelf/notice.ts'
import { BROKEN_UNASKED } from './testing/shelf/unasked.ts'

test.each(BROKEN_FRAMERS.map((one) => [one.name, one] as const))('a framer that %s', (_name, one) => assertNoticed(one))

test.each(BROKEN_UNASKED.map((one) => [one.name, one] as const))('a framer of two that %s', (_name, one) =>
  assertNoticed(one),
)

/** The suites by name. */
import { redisSuite } from './redis.ts'
import type { Suite } from './suite.ts'

export const SUITES: readonly Suite[] = [redisSuite]

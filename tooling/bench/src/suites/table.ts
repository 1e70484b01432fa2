/** The suites by name. */
import { httpClientSuite } from './http-client.ts'
import { mixedSuite } from './mixed.ts'
import { msgpackRpcSuite } from './msgpack-rpc.ts'
import { mysqlSuite } from './mysql.ts'
import { postgresSuite } from './postgres.ts'
import { redisSuite } from './redis.ts'
import type { Suite } from './suite.ts'

export const SUITES: readonly Suite[] = [
  redisSuite,
  postgresSuite,
  mixedSuite,
  mysqlSuite,
  httpClientSuite,
  msgpackRpcSuite,
]

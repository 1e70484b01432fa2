/** The backends of the gateway. One row each; their order is that of the endpoints and of the check's lines. */
import type { Backend } from './backend.ts'
import { httpBackend } from './http.ts'
import { msgpackRpcBackend } from './msgpack-rpc.ts'
import { mysqlBackend } from './mysql.ts'
import { postgresBackend } from './postgres.ts'
import { redisBackend } from './redis.ts'

export const BACKENDS: readonly Backend[] = [
  redisBackend,
  postgresBackend,
  mysqlBackend,
  httpBackend,
  msgpackRpcBackend,
]
